package deploy_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// scratch is a folder for what all tests share.
var scratch string

func TestMain(m *testing.M) {
	var err error
	if scratch, err = os.MkdirTemp("", "wolkpipe-deploy-"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(scratch)
	os.Exit(code)
}

var build = sync.OnceValues(func() (string, error) {
	binary := filepath.Join(scratch, "wolkpipe")
	out, err := exec.Command("go", "build", "-o", binary, "wolkpipe/cmd/wolkpipe").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("go build: %w\n%s", err, out)
	}
	return binary, err
})

// wolkpipe is the path of the program, built once.
func wolkpipe(t *testing.T) string {
	t.Helper()
	binary, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

// process is a program that runs until the test ends.
type process struct {
	cmd    *exec.Cmd
	stdout *bufio.Reader

	mu   sync.Mutex
	said bytes.Buffer // on stderr
}

// start runs a program in a folder.
func start(t *testing.T, dir, name string, args ...string) *process {
	t.Helper()
	p := &process{}
	p.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), name, args...)
	p.cmd.Dir, p.cmd.Stderr = dir, p
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stdout = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.stop() })
	return p
}

// Write takes what the process says on stderr.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.Write(b)
}

func (p *process) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.String()
}

// stop lets it drain.
func (p *process) stop() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		_, _ = io.Copy(io.Discard, p.stdout)
		_ = p.cmd.Wait()
	}
}

// simulate serves a simulated source, and gives its URL.
func simulate(t *testing.T, scenario string) string {
	t.Helper()
	dir := t.TempDir()
	args := []string{"sim", "--listen", "127.0.0.1:0", "--seed", "7"}
	if scenario != "" {
		args = append(args, "--scenario", write(t, filepath.Join(dir, "scenario.yaml"), scenario))
	}
	p := start(t, dir, wolkpipe(t), args...)
	line, err := p.stdout.ReadString('\n')
	if err != nil {
		t.Fatalf("the simulator says no URL: %v\n%s", err, p.text())
	}
	return strings.TrimSpace(line)
}

// daemon is a running wolkpipe.
type daemon struct {
	*process
	dir    string
	status string // URL of its status page
	nats   string // URL of its NATS
}

// run starts a daemon on a configuration, in a folder of its own, and waits
// until it is ready.
func run(t *testing.T, configuration string) *daemon {
	t.Helper()
	d := &daemon{dir: t.TempDir()}
	write(t, filepath.Join(d.dir, "wolkpipe.yaml"), configuration)
	d.again(t)
	return d
}

// again starts the daemon of a folder.
func (d *daemon) again(t *testing.T) {
	t.Helper()
	d.process = start(t, d.dir, wolkpipe(t), "run", "-c", "wolkpipe.yaml")
	eventually(t, "the daemon to run", func() bool {
		for line := range strings.Lines(d.text()) {
			var said struct{ Msg, Status, NATS string }
			if json.Unmarshal([]byte(line), &said) == nil && said.Msg == "running" {
				d.status, d.nats = strings.TrimSuffix(said.Status, "/"), said.NATS
				return true
			}
		}
		return false
	})
	eventually(t, "the daemon to be ready", func() bool {
		code, _ := get(t, d.status+"/readyz")
		return code == http.StatusOK
	})
}

// command runs a command on the daemon's configuration.
func (d *daemon) command(t *testing.T, args ...string) string {
	t.Helper()
	return must(t, wolkpipe(t), append(args, "-c", filepath.Join(d.dir, "wolkpipe.yaml"))...)
}

// get asks an HTTP server; code 0 where none answers.
func get(t *testing.T, url string) (code int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, err.Error()
	}
	return answer.StatusCode, string(text)
}
