package servers

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"runtime"
	"sync"
	"testing"
	"time"
)

// readyTime is how long a server may take until it answers; a machine that is
// busy with other tests is slow.
const readyTime = 2 * time.Minute

// attempts: between finding a port free and the server's taking it, somebody
// else may take it.
const attempts = 3

// process is a server that runs.
type process struct {
	addr   string // host:port
	output *output
	exited chan struct{} // closed when it has
}

// start runs what command makes for an address, and waits until path answers
// there by HTTP, whatever it answers. The test's cleanup kills it.
func start(t testing.TB, path string, command func(addr string) *exec.Cmd) *process {
	t.Helper()
	var p *process
	for range attempts {
		addr := freeAddr(t)
		cmd := command(addr)
		p = &process{addr: addr, output: new(output), exited: make(chan struct{})}
		cmd.Stdout, cmd.Stderr = p.output, p.output
		dieWithParent(cmd)
		started := make(chan error)
		go func() {
			// The kernel counts the thread as the parent, not the process:
			// this one lives as long as the server.
			runtime.LockOSThread()
			defer close(p.exited)
			err := cmd.Start()
			started <- err
			if err == nil {
				_ = cmd.Wait() // it is killed
			}
		}()
		if err := <-started; err != nil {
			t.Fatalf("starting %s: %v", cmd.Path, err)
		}
		t.Cleanup(func() {
			_ = cmd.Process.Kill() // it may have exited
			<-p.exited
			if t.Failed() {
				t.Logf("%s on %s wrote:\n%s", cmd.Path, addr, p.output)
			}
		})
		err := p.ready(path)
		if err == nil {
			return p
		}
		t.Logf("%s on %s: %v\n%s", cmd.Path, addr, err, p.output)
	}
	t.Fatal("the server does not start")
	return nil
}

// ready waits until the server answers.
func (p *process) ready(path string) error {
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	late := time.After(readyTime)
	for {
		answer, err := client.Get("http://" + p.addr + path)
		if err == nil {
			_ = answer.Body.Close()
		}
		select {
		case <-p.exited:
			return fmt.Errorf("it exited")
		case <-late:
			return fmt.Errorf("it does not answer within %v: %w", readyTime, err)
		default:
			if err == nil {
				return nil
			}
		}
		select { // there is no signal but its answer
		case <-p.exited:
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// freeAddr is an address on loopback that was free a moment ago.
func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// mostOutput is how much of a server's output is kept.
const mostOutput = 64 << 10

// output keeps the end of what a process writes.
type output struct {
	mu   sync.Mutex
	data []byte
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.data = append(o.data, p...)
	if over := len(o.data) - mostOutput; over > 0 {
		o.data = bytes.Clone(o.data[over:])
	}
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.data)
}
