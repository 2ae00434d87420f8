package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// handles is how many files a process has open.
func handles(t *testing.T, p *process) int {
	t.Helper()
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
	if err != nil {
		t.Skipf("open files cannot be counted: %v", err)
	}
	return len(open)
}

// limitHandles sets how many files a running process may have open.
func limitHandles(t *testing.T, p *process, most int) {
	t.Helper()
	text, err := exec.Command("prlimit", fmt.Sprint("--pid=", p.cmd.Process.Pid), fmt.Sprintf("--nofile=%d:", most)).CombinedOutput()
	if err != nil {
		t.Skipf("the limit cannot be set: %v: %s", err, text)
	}
}

// TestNoFileHandles takes all file handles from a daemon in the middle of its
// work, and gives some back: it goes on by itself, and says meanwhile what it
// lacks. One that begins with too few says so, or runs.
func TestNoFileHandles(t *testing.T) {
	endures(t)
	t.Parallel()
	a := adverseSite(t, "no file handles", 15, "ventas")
	a.configure(adverseSince, adverseGrid.String())
	program := a.program
	a.write("few", "#!/bin/sh\nulimit -n 16 && exec "+program+" \"$@\"\n")
	if err := os.Chmod(a.path("few"), 0o700); err != nil {
		t.Fatal(err)
	}
	a.program = a.path("few")
	a.times++
	a.refused("too many open files: raise the limit of open files")
	a.program = program

	p := a.start()
	a.works(p, 5)
	for _, spare := range []int{0, 2} {
		limitHandles(t, p, handles(t, p)+spare)
		a.times++
		before := len(p.stderr.String())
		for begin := time.Now(); !strings.Contains(p.stderr.String()[before:], "too many open files"); time.Sleep(20 * time.Millisecond) {
			p.alive()
			if time.Since(begin) > patience {
				t.Fatalf("it does not miss them: %s", lastOf(p.stderr.String(), 3000))
			}
		}
		a.memory(p)
		time.Sleep(time.Second) // more than one thing meets it
		limitHandles(t, p, 4096)
		a.works(p, 2)
	}
	a.converges(p, adverseSince, adverseGrid, time.Now())
}
