package main

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the transcripts anew")

// Transcripts hold what a person sees to the letter: "$" is a command, "out|"
// and "err|" are what it writes where, "exit" is its code. To add a case, add
// its "$" line and run this test with -update; then read what it wrote.

// transcriptFiles are in the folder that the commands run in.
var transcriptFiles = map[string]string{
	"wolkpipe.yaml": "operations:\n  - name: ventas\n    server: \"0042\"\n    token: env:WOLKVOX_TOKEN\n    timezone: America/Bogota\n" +
		"nats: {listen: \"127.0.0.1:0\"}\nstatus: {listen: \"127.0.0.1:0\"}\n",
	"bad.yaml":      "operations:\n  - name: ventas\n    server: 0042\n    tokn: env:WOLKVOX_TOKEN\n    timezone: Bogota\n",
	"empty.yaml":    "",
	"scenario.yaml": "faults:\n  cutt: 0.5\n",
}

// masks are what differs from day to day and from machine to machine.
var masks = []struct {
	match *regexp.Regexp
	with  string
}{
	{regexp.MustCompile(`today, 20\d\d-\d\d-\d\d`), "today, DATE"},
	{regexp.MustCompile(`\(default "?/[^)]*\)`), "(default FOLDER)"},
}

// TestHelpTranscripts has the help of every command there is.
func TestHelpTranscripts(t *testing.T) {
	root := newRootCommand()
	arrange(root)
	commands := []string{"wolkpipe --help"}
	for _, cmd := range root.Commands() {
		commands = append(commands, "wolkpipe "+cmd.Name()+" --help")
		if cmd.Example == "" || cmd.Short == "" {
			t.Errorf("%s has no example, or no short help", cmd.Name())
		}
	}
	transcript(t, "help.txt", commands)
}

// TestMistakeTranscripts has the commands that stand in the file.
func TestMistakeTranscripts(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "transcripts", "mistakes.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var commands []string
	for line := range strings.Lines(string(text)) {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			commands = append(commands, strings.TrimSpace(command))
		}
	}
	if len(commands) < 20 {
		t.Fatalf("%d commands", len(commands))
	}
	transcript(t, "mistakes.txt", commands)
}

// transcript runs commands in one folder and compares what they say.
func transcript(t *testing.T, name string, commands []string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range transcriptFiles {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var got strings.Builder
	for _, command := range commands {
		words := strings.Fields(command)
		cmd := exec.CommandContext(t.Context(), words[0], words[1:]...)
		cmd.Dir, cmd.Env = dir, plainEnviron()
		var out, log strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &log
		var exit *exec.ExitError
		if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		got.WriteString("$ " + command + "\n" + marked("out|", out.String()) + marked("err|", log.String()) +
			"exit " + strconv.Itoa(cmd.ProcessState.ExitCode()) + "\n\n")
	}
	said := strings.ReplaceAll(got.String(), dir, "DIR")
	for _, m := range masks {
		said = m.match.ReplaceAllString(said, m.with)
	}
	path := filepath.Join("testdata", "transcripts", name)
	if *update {
		if err := os.WriteFile(path, []byte(said), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(want), "\n\n")
	for block := range strings.SplitSeq(said, "\n\n") {
		if !slices.Contains(blocks, block) {
			t.Errorf("%s has this otherwise; if it is meant so, run with -update:\n%s", name, block)
		}
	}
	if !t.Failed() && said != string(want) {
		t.Errorf("%s has commands that are not there: run with -update", name)
	}
}

// marked puts a mark before each line.
func marked(mark, text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimRight(mark+" "+strings.TrimSuffix(line, "\n"), " ") + "\n")
	}
	return b.String()
}

// plainEnviron is the environment without what would configure wolkpipe.
func plainEnviron() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "WOLKPIPE_") || strings.HasPrefix(v, "WOLKVOX_")
	})
}

// TestTerminal looks at commands on a terminal: a table where a pipe gets
// JSON, a log as text, and no colour, which nobody has to turn off.
func TestTerminal(t *testing.T) {
	script, err := exec.LookPath("script")
	if err != nil {
		t.Skip("the program script (Debian's bsdutils) is missing: there is no terminal to test on")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "wolkpipe.yaml"), []byte(transcriptFiles["wolkpipe.yaml"]), 0o600); err != nil {
		t.Fatal(err)
	}
	for command, want := range map[string]string{
		"wolkpipe --help": "At work:",
		"wolkpipe stauts": `wolkpipe: unknown command "stauts": did you mean status? See wolkpipe --help`,
		"wolkpipe resync -c wolkpipe.yaml --sink lake": "lake holds what the journal says: 0 windows",
		"wolkpipe status -c wolkpipe.yaml":             "OPERATION  STATE        LAST WINDOW",
		"wolkpipe tail -c wolkpipe.yaml --since 1h":    "OPERATION   WINDOW",
	} {
		if strings.Contains(command, "tail") || strings.Contains(command, "status") {
			if out, err := runPlain(t, dir, "wolkpipe", "resync", "-c", "wolkpipe.yaml", "--sink", "lake"); err != nil { // the streams are there from then on
				t.Fatalf("%v: %s", err, out)
			}
		}
		out, _ := runPlain(t, dir, script, "-qec", command, "/dev/null")
		if !strings.Contains(out, want) {
			t.Errorf("%s: no %q in\n%s", command, want, out)
		}
		if regexp.MustCompile(`\x1b\[[0-9;]*m`).MatchString(out) || strings.Contains(out, "goroutine ") {
			t.Errorf("%s: colours, or a trace of the stack:\n%q", command, out)
		}
	}
}

// TestProgressEnds: the line that stays tells the end, however soon it came.
func TestProgressEnds(t *testing.T) {
	for _, terminal := range []bool{false, true} {
		var out strings.Builder
		p := newProgress(&out)
		p.terminal = terminal
		for n := range 4 {
			p.show("comparing lake", n+1, 4, 0)
		}
		p.show("comparing lake", 4, 4, 0)
		p.done()
		if strings.Count(out.String(), "4/4") != 1 || strings.Count(out.String(), "/4") != 2 {
			t.Errorf("terminal %v: %q", terminal, out.String())
		}
	}
}

func runPlain(t *testing.T, dir, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir, cmd.Env = dir, append(plainEnviron(), "TERM=xterm-256color")
	out, err := cmd.CombinedOutput()
	return string(out), err
}
