package main

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"wolkpipe/pipeline"
	"wolkpipe/pipeline/chat7/chat7sim"
)

// mostMemory is what a daemon may take at its worst, whatever is wrong around
// it, in bytes: twice the most that was seen.
const mostMemory = 512 << 20

// adversity counts what one test did to an installation.
type adversity struct {
	*site
	fault string
	times int
	peak  int64  // of the memory of any process that was looked at
	ended func() // called when the last daemon has ended; may be nil
}

// memory holds a process that still runs to mostMemory, at its highest.
func (a *adversity) memory(p *process) {
	a.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		a.t.Logf("memory is not looked at: %v", err)
		return
	}
	found := regexp.MustCompile(`(?m)^VmHWM:\s+(\d+) kB$`).FindSubmatch(text)
	if found == nil {
		a.t.Fatalf("no high-water mark in %s", text)
	}
	kilobytes, err := strconv.ParseInt(string(found[1]), 10, 64)
	if err != nil {
		a.t.Fatal(err)
	}
	a.peak = max(a.peak, kilobytes<<10)
	if !raced() && kilobytes<<10 > mostMemory {
		a.t.Errorf("the process took %d MB", kilobytes>>10)
	}
}

// converges waits until all is done that is to be done, ends the daemon and
// holds what is there to the laws. Healed is when the fault was over.
func (a *adversity) converges(p *process, since string, grid time.Duration, healed time.Time, also ...func(pipeline.Status) bool) {
	a.t.Helper()
	last := a.status(p, func(s pipeline.Status) bool {
		for _, ok := range also {
			if !ok(s) {
				return false
			}
		}
		return complete(s)
	})
	took := time.Since(healed)
	a.memory(p)
	p.signal(syscall.SIGTERM)
	p.exits(0)
	if a.ended != nil {
		a.ended()
	}
	a.check(since, grid, last)
	a.checkOverlaps()
	a.checkSecrets(p)
	windows := 0
	for _, o := range last.Operations {
		windows += o.Due
	}
	wrong := "0 lost, 0 doubled, 0 wrong"
	if a.t.Failed() {
		wrong = "lost, doubled or wrong as told above"
	}
	a.t.Logf("%s: %d times, %d windows checked, %s, converged after %.1f s, peak memory %d MB",
		a.fault, a.times, windows, wrong, took.Seconds(), a.peak>>20)
}

// mount makes dir a file system in memory, of a size such as 24m; the test is
// skipped where that is refused.
func mount(t *testing.T, dir, size string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if text, err := exec.Command("mount", "-t", "tmpfs", "-o", "size="+size+",mode=700", "wolkpipe-test", dir).CombinedOutput(); err != nil {
		t.Skipf("a file system cannot be mounted: %v: %s", err, text)
	}
	t.Cleanup(func() {
		if text, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("unmounting %s: %v: %s", dir, err, text)
		}
	})
}

// remount makes a file system read-only ("ro"), or writable again ("rw").
func remount(t *testing.T, dir, how string) {
	t.Helper()
	if text, err := exec.Command("mount", "-o", "remount,"+how, dir).CombinedOutput(); err != nil {
		t.Fatalf("remounting %s %s: %v: %s", dir, how, err, text)
	}
}

// refused has a daemon that must not start, and must say all of wants.
func (s *site) refused(wants ...string) {
	s.t.Helper()
	code, stdout, stderr := s.run("run", "-c", "wolkpipe.yaml")
	if code != 1 || stdout != "" {
		s.t.Errorf("it exits %d: %s%s", code, stdout, stderr)
	}
	for _, want := range wants {
		if !strings.Contains(stderr, want) {
			s.t.Errorf("it does not say %q: %s", want, stderr)
		}
	}
}

// adverseBegin is when people in Bogotá come to work.
var adverseBegin = time.Date(2026, 11, 25, 13, 0, 0, 0, time.UTC)

const (
	adverseSince = "2026-11-25"
	adverseGrid  = time.Minute
	adverseRate  = 100
)

// adverseSite has operations that work from the morning on, on a clock 100
// times as fast.
func adverseSite(t *testing.T, fault string, seed uint64, names ...string) *adversity {
	t.Helper()
	s, _ := quickSite(t, adverseBegin, adverseRate, chat7sim.Options{Seed: seed, Scenario: chat7sim.Scenario{
		Operations: brisk(names...),
		Faults:     chat7sim.Faults{Latency: chat7sim.Latency{Base: 3 * time.Millisecond}, JunkRows: 0.02, DuplicateRows: 0.05, Shuffled: true},
	}})
	return &adversity{site: s, fault: fault}
}

// works waits until so many further calls were made.
func (s *site) works(p *process, calls int64) {
	s.t.Helper()
	s.progress(p, s.calls()+calls)
}

// unready waits until /readyz tells one of these causes.
func (s *site) unready(p *process, causes ...string) {
	s.t.Helper()
	url := pageURL(s.t, p)
	var code int
	var body string
	for begin := time.Now(); time.Since(begin) < patience; time.Sleep(50 * time.Millisecond) {
		p.alive()
		if code, body = fetch(s.t, url+"/readyz"); code != 200 {
			for _, cause := range causes {
				if strings.Contains(body, cause) {
					return
				}
			}
		}
	}
	s.t.Fatalf("/readyz stays at %d %q, none of %q; the daemon says\n%s", code, body, causes, lastOf(p.stderr.String(), 4000))
}
