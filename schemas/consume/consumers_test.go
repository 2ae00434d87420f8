package consume_test

import (
	"bufio"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wolkpipe/schemas"
	"wolkpipe/sinks/sinktest/servers"
)

const consumers = "../../testdata/consumers/"

// consumer gives the command that runs one, but for its arguments.
type consumer struct {
	file    string
	command func(t *testing.T) []string
}

var shipped = []consumer{
	{"totals/totals.go", func(t *testing.T) []string {
		binary := filepath.Join(t.TempDir(), "totals")
		if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, consumers+"totals").CombinedOutput(); err != nil {
			t.Fatalf("go build: %v\n%s", err, out)
		}
		return []string{binary}
	}},
	{"totals.py", func(t *testing.T) []string {
		python := program(t, "python3")
		if out, err := exec.CommandContext(t.Context(), python, "-c", "import sys; sys.exit(sys.version_info < (3, 11))").CombinedOutput(); err != nil {
			t.Skipf("it needs Python 3.11: %v %s", err, out)
		}
		return []string{python, consumers + "totals.py"}
	}},
	{"totals.mjs", func(t *testing.T) []string {
		node, dir := program(t, "node"), t.TempDir()
		// A program finds its packages in a folder beside it.
		text, err := os.ReadFile(consumers + "totals.mjs")
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "totals.mjs"), text, 0o600)
		}
		if err == nil {
			err = os.Symlink(filepath.Join(servers.NPM(t, consumers), "node_modules"), filepath.Join(dir, "node_modules"))
		}
		if err != nil {
			t.Fatal(err)
		}
		return []string{node, filepath.Join(dir, "totals.mjs")}
	}},
}

// running is a consumer that runs.
type running struct {
	t      *testing.T
	cmd    *exec.Cmd
	lines  chan string
	exited chan struct{}
	total  map[string]int64 // as it was printed last
}

func start(t *testing.T, command ...string) *running {
	t.Helper()
	c := &running{t: t, cmd: exec.Command(command[0], command[1:]...), lines: make(chan string, 1024), exited: make(chan struct{}), total: map[string]int64{}}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	complaint := new(strings.Builder)
	c.cmd.Stderr = complaint
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(c.exited)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			c.lines <- lines.Text()
		}
		close(c.lines)
		_ = c.cmd.Wait() // it is killed
	}()
	t.Cleanup(func() {
		c.kill()
		if t.Failed() {
			t.Logf("%q wrote\n%s", command, complaint)
		}
	})
	return c
}

// kill ends it as kill -9 does.
func (c *running) kill() {
	_ = c.cmd.Process.Kill() // it may have exited
	for range c.lines {      // what is not read would keep it from ending
	}
	<-c.exited
}

// until reads totals until a code has one.
func (c *running) until(code string) map[string]int64 {
	c.t.Helper()
	late := time.After(2 * time.Minute)
	for c.total[code] == 0 {
		select {
		case line, ok := <-c.lines:
			if !ok {
				c.t.Fatalf("it ended before it told of %q", code)
			}
			if err := json.Unmarshal([]byte(line), &c.total); err != nil {
				c.t.Fatalf("%q: %v", line, err)
			}
		case <-late:
			c.t.Fatalf("it does not tell of %q", code)
		}
	}
	totals := map[string]int64{}
	for code, n := range c.total {
		if n != 0 && !strings.HasPrefix(code, "end") {
			totals[code] = n
		}
	}
	return totals
}

func (c *running) has(want map[string]int64, code string) {
	c.t.Helper()
	if got := c.until(code); !maps.Equal(got, want) {
		c.t.Errorf("it printed the totals %v, the truth is %v", got, want)
	}
}

// TestConsumers: each program that README.md shows, against the embedded
// server without credentials. It is killed, events are told while it is away
// (more counts, corrections, rows that vanish, repairs, repetitions, events in
// disorder, types of tomorrow), and started again it prints the truth, as does
// one that begins then, and one whose stream was lost and made anew.
func TestConsumers(t *testing.T) {
	for _, c := range shipped {
		t.Run(c.file, func(t *testing.T) {
			t.Parallel()
			command := c.command(t)
			r := newRig(t)
			state := filepath.Join(t.TempDir(), "totals.json")
			command = append(command, r.url, state)

			r.tell(schemas.Provisional, window(0, 3, 2, 1, 4), window(1), window(2, 6), window(3, 0, 0, 7, 7))
			r.tell(schemas.Provisional, window(0, 5, 2, 1), window(4, 1, 1))
			r.end("end 1")
			one := start(t, command...)
			one.has(r.truth(), "end 1")
			r.tell(schemas.Provisional, window(0, 5, 2, 9), window(5, 1, 1, 0, 2)) // as it goes on
			r.end("end 2")
			one.has(r.truth(), "end 2")
			saved(t, state)
			one.kill()

			r.tell(schemas.Settled, window(2, 1), window(3), window(0, 2, 2, 9, 1), window(6, 8, 8))
			r.lose(0)
			r.publish("chat7.events.ventas.row.0012", "tomorrow", []byte(`{"specversion": "1.0", "id": "tomorrow", "source": "/wolkpipe/ventas/chat_7",
				"type": "wolkpipe.chat_7.row.v2", "subject": "2026-11-01", "time": "2026-11-03T00:00:00Z", "data": {}}`))
			r.tell(schemas.Provisional, window(2, 4), window(7, 2), window(6, 1, 8))
			r.disorder()
			r.end("end 3")
			two := start(t, command...)
			two.has(r.truth(), "end 3")
			anew := start(t, append(command[:len(command)-1:len(command)-1], filepath.Join(t.TempDir(), "anew.json"))...)
			anew.has(r.truth(), "end 3")
			saved(t, state)
			two.kill()

			three := start(t, command...) // with nothing new
			three.has(r.truth(), "end 3")
			three.kill()
			r.again()
			four := start(t, command...)
			four.has(r.truth(), "end 4")
		})
	}
}

// saved waits until a state is in its file, and fails where others can read it.
func saved(t *testing.T, path string) {
	t.Helper()
	var text []byte
	for late := time.After(time.Minute); len(text) == 0; {
		select {
		case <-late:
			t.Fatal("no state was saved")
		case <-time.After(10 * time.Millisecond): // there is no signal but the file
			text, _ = os.ReadFile(path) // it may not be there yet
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(text) || info.Mode().Perm() != 0o600 {
		t.Errorf("the state has the mode %v and is %s", info.Mode(), text)
	}
}

// TestConsumersAreShort: a reader takes each in at one look.
func TestConsumersAreShort(t *testing.T) {
	for _, c := range shipped {
		text, err := os.ReadFile(consumers + c.file)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), "\n"); n >= 40 {
			t.Errorf("%s has %d lines, want under 40", c.file, n)
		}
	}
}
