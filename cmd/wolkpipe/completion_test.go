package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"wolkpipe/sinks/sinktest/servers"
)

// completionFolder is one with a configuration to complete names from.
func completionFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	text := transcriptFiles["wolkpipe.yaml"] + "sinks: [{name: events, kind: events}, {name: lake, kind: parquet}]\n"
	text = strings.Replace(text, "nats:", "  - {name: soporte, server: \"0042\", token: env:NONE, timezone: America/Bogota}\nnats:", 1)
	if err := os.WriteFile(filepath.Join(dir, "wolkpipe.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "bad.yaml"), []byte("operations: 7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestCompletions asks as the shells' scripts do.
func TestCompletions(t *testing.T) {
	dir := completionFolder(t)
	const noFiles, ext, dirs = "4", "8", "16"
	for words, want := range map[string]string{
		"res|":         "resync " + noFiles,
		"verify|--re|": "--repair " + noFiles,
		"status|":      "status " + noFiles, // a command that is whole is a word like another
		"status||":     noFiles,
		"backfill|-c|wolkpipe.yaml|--operation||": "ventas soporte " + noFiles,
		"tail|--operation|v|":                     noFiles, // no configuration is named
		"erase|-c|wolkpipe.yaml|--operation|s|":   "soporte " + noFiles,
		"resync|--config=wolkpipe.yaml|--sink||":  "events lake quarantine " + noFiles,
		"resync|-c|bad.yaml|--sink||":             noFiles,
		"resync|-c|none.yaml|--sink||":            noFiles,
		"verify|-c|wolkpipe.yaml|--from||":        noFiles,
		"status|-c||":                             "yaml yml " + ext,
		"demo|--dir||":                            dirs,
		"completion||":                            "bash zsh fish powershell " + noFiles,
		"help|back|":                              "backfill " + noFiles,
	} {
		args := strings.Split(words, "|")
		args = args[:len(args)-1]
		cmd := exec.CommandContext(t.Context(), "wolkpipe", append([]string{"__complete"}, args...)...)
		cmd.Dir, cmd.Env = dir, plainEnviron()
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for line := range strings.Lines(string(out)) {
			name, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
			got = append(got, strings.TrimPrefix(name, ":"))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %q, want %q", args, got, want)
		}
	}
}

// typing is a shell that is typed at.
type typing struct {
	program, pkg string   // a program of the Debian package that has to be there
	start        string   // the shell
	begin        []string // what is typed first
}

// TestShells presses the tabulator in real shells, then enter, and looks at
// the arguments that the command is given.
func TestShells(t *testing.T) {
	dir := completionFolder(t)
	for name, shell := range map[string]typing{
		"bash": {"dh_bash-completion", "bash-completion", "bash --noprofile --norc -i", []string{
			". /usr/share/bash-completion/bash_completion", "source <(wolkpipe completion bash)",
		}},
		"zsh": {"zsh", "zsh", "zsh -f -i", []string{
			"unsetopt beep", "autoload -U compinit", "compinit -u -D", "source <(wolkpipe completion zsh)",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p, keys := shell.open(t, dir)
			typed := func(text, want string) {
				t.Helper()
				if _, err := io.WriteString(keys, text+"\n"); err != nil {
					t.Fatal(err)
				}
				p.stdout.wait(t, p, want)
			}
			for i, line := range append(shell.begin, `wolkpipe() { case $1 in __*) command wolkpipe "$@";; *) echo "given($*)";; esac; }`) {
				typed(fmt.Sprintf("%s; echo did$((%d+100))", line, i), fmt.Sprintf("did%d", i+100)) // the sum is not in what is typed
			}
			typed("wolkpipe resy\t", "given(resync)")
			typed("wolkpipe verify --repa\t", "given(verify --repair)")
			typed("wolkpipe verify -c wolkpipe.yaml --operation v\t", "given(verify -c wolkpipe.yaml --operation ventas)")
			typed("wolkpipe resync -c wolkpipe.yaml --sink la\t", "given(resync -c wolkpipe.yaml --sink lake)")
			typed("wolkpipe status -c wol\t", "given(status -c wolkpipe.yaml)")
		})
	}
	t.Run("fish", func(t *testing.T) {
		fish := servers.Debian(t, "fish", "fish")
		for typed, want := range map[string]string{
			"wolkpipe resy":                              "resync\tMake a sink hold what the journal says\n",
			"wolkpipe verify --repa":                     "--repair\tmend what differs\n",
			"wolkpipe resync -c wolkpipe.yaml --sink la": "lake\tparquet\n",
		} {
			cmd := exec.CommandContext(t.Context(), fish, "--no-config", "-c", "wolkpipe completion fish | source; complete -C '"+typed+"'")
			cmd.Dir, cmd.Env = dir, append(plainEnviron(), "HOME="+dir)
			if out, err := cmd.CombinedOutput(); err != nil || string(out) != want {
				t.Errorf("%s: %v: %q, want %q", typed, err, out, want)
			}
		}
	})
	t.Run("powershell", func(t *testing.T) {
		cmd := exec.CommandContext(t.Context(), "wolkpipe", "completion", "powershell")
		out, err := cmd.Output()
		if err != nil || !strings.Contains(string(out), "Register-ArgumentCompleter -CommandName 'wolkpipe'") {
			t.Fatalf("%v: %.200s", err, out)
		}
		t.Skip("the script is made; Debian has no PowerShell to run it in")
	})
}

// open starts the shell on a terminal of its own.
func (s typing) open(t *testing.T, dir string) (*process, io.Writer) {
	t.Helper()
	script, err := exec.LookPath("script")
	if err != nil {
		t.Skip("the program script (Debian's bsdutils) is missing: there is no terminal to type at")
	}
	servers.Debian(t, s.program, s.pkg)
	cmd := exec.CommandContext(t.Context(), script, "-qec", s.start, "/dev/null")
	cmd.Dir, cmd.Env = dir, append(plainEnviron(), "TERM=dumb", "PS1=> ", "HOME="+dir, "HISTFILE=")
	keys, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: cmd, ended: make(chan struct{})}
	p.stdout.grown, p.stderr.grown = make(chan struct{}), make(chan struct{})
	cmd.Stdout, cmd.Stderr = &p.stdout, &p.stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait() // it is killed
		close(p.ended)
	}()
	t.Cleanup(p.kill)
	return p, keys
}
