package main

import (
	"fmt"
	"io"
	"os"
	"time"
)

// progress shows how far long work is: one line that is written over on a
// terminal, plain lines now and then elsewhere.
type progress struct {
	w        io.Writer
	terminal bool
	what     string
	begun    time.Time
	from     int
	last     time.Time
	shown    int
	unit     string // of what is counted
}

func newProgress(w io.Writer) *progress {
	return &progress{w: w, terminal: isTerminal(w) && os.Getenv("TERM") != "dumb", unit: "windows"}
}

// Plain lines come this often, and a terminal's that often.
const (
	plainEvery    = 5 * time.Second
	terminalEvery = 100 * time.Millisecond
)

// show tells that so many of total are done, and how many windows
// the sinks have still to take.
func (p *progress) show(what string, done, total, backlog int) {
	if total == 0 {
		return // not counted yet
	}
	now := time.Now()
	every := plainEvery
	if p.terminal {
		every = terminalEvery
	}
	ends := done == total && p.shown < total // the last line stays: it is to tell the end
	if what == p.what && now.Sub(p.last) < every && !ends {
		return
	}
	p.shown = done
	if what != p.what {
		p.finish()
		p.what, p.begun, p.from = what, now, done
	}
	p.last = now
	line := fmt.Sprintf("%s: %d/%d %s", what, done, total, p.unit)
	if rate := float64(done-p.from) / now.Sub(p.begun).Seconds(); now.Sub(p.begun) > time.Second && rate > 0 {
		left := time.Duration(float64(total-done) / rate * float64(time.Second)).Round(time.Second)
		line += fmt.Sprintf(", %.0f/s, %s left", rate, left)
	}
	if backlog > 0 {
		line += fmt.Sprintf(", %d on their way to the sinks", backlog)
	}
	if p.terminal {
		_, _ = fmt.Fprintf(p.w, "\r\x1b[K%s", line)
		return
	}
	_, _ = fmt.Fprintln(p.w, line)
}

// finish leaves the last line standing.
func (p *progress) finish() {
	if p.terminal && p.what != "" {
		_, _ = fmt.Fprintln(p.w)
	}
}

func (p *progress) done() { p.finish() }
