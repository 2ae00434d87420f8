package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"wolkpipe/pipeline"
	"wolkpipe/pipeline/chat7/chat7sim"
	"wolkpipe/pipeline/window"
)

// jumpsVariable names a file that holds by how many nanoseconds the wall clock
// of a process is wrong.
const jumpsVariable = "QUICK_CLOCK_JUMPS"

// jumpyClock is a quick clock whose wall clock somebody sets while it runs.
// Like the machine's it has a steady clock besides, which no setting moves.
type jumpyClock struct {
	quickClock
	file string
}

func (c jumpyClock) Now() time.Time {
	text, err := os.ReadFile(c.file)
	if err != nil {
		panic(err)
	}
	offset, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		panic(err)
	}
	now := c.quickClock.Now()
	return steady(now.Add(time.Duration(offset)), now.Sub(c.begin))
}

// steady is a wall clock's time with a reading of a steady clock, as time.Now
// makes it and nothing else can: TestSteady holds it to the layout of a time.
func steady(wall time.Time, reading time.Duration) time.Time {
	const (
		has      = 1 << 63 // there is a reading
		since    = 1885    // that seconds count from, then
		nsecBits = 30
	)
	begin := time.Date(since, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	t := wall.Local()
	parts := (*struct {
		wall uint64
		ext  int64
		loc  *time.Location
	})(unsafe.Pointer(&t))
	parts.wall = has | uint64(wall.Unix()-begin)<<nsecBits | uint64(wall.Nanosecond())
	parts.ext = int64(reading)
	return t
}

func TestSteady(t *testing.T) {
	at := time.Date(2026, 11, 25, 13, 0, 0, 7, time.UTC)
	a, b := steady(at, time.Minute), steady(at.Add(-3*time.Hour), 2*time.Minute)
	if !a.Round(0).Equal(at) || !b.Round(0).Equal(at.Add(-3*time.Hour)) || b.Sub(a) != time.Minute || b.Round(0).Sub(a.Round(0)) != -3*time.Hour {
		t.Errorf("%v and %v", a, b)
	}
}

// TestClockJumps sets the clock of a daemon forth and back by hours while it
// works, while its quota is used up, and before it is started again. The source's
// clock stays right: no window may be lost, none believed from before its end by
// the source's clock, no call overlap another, and the quota not be passed.
func TestClockJumps(t *testing.T) {
	endures(t)
	t.Parallel()
	operations := brisk("ventas")
	operations[0].InteractionsPerDay = 4000
	s, _ := quickSite(t, adverseBegin, adverseRate, chat7sim.Options{Seed: 19, Scenario: chat7sim.Scenario{
		Operations: operations, Faults: chat7sim.Faults{Latency: chat7sim.Latency{Base: 3 * time.Millisecond}},
	}})
	a := &adversity{site: s, fault: "clock set"}
	set := func(offset time.Duration) {
		a.write("clock", fmt.Sprint(int64(offset)))
		a.times++
	}
	set(0)
	a.env = append(a.env, jumpsVariable+"="+a.path("clock"))
	a.configure(adverseSince, adverseGrid.String())
	free := a.text("wolkpipe.yaml")
	const quota = 8
	a.write("wolkpipe.yaml", strings.Replace(free, "window: ", fmt.Sprintf("quota: %d, window: ", quota), 1))
	p := a.start()
	a.status(p, func(s pipeline.Status) bool { return operation(t, s, "ventas").State == "quota" })
	// By less than a day in all: a call that a clock shows as older than that no
	// longer counts.
	for _, offset := range []time.Duration{10 * time.Hour, -6 * time.Hour, 16 * time.Hour, 0} {
		set(offset)
		time.Sleep(700 * time.Millisecond) // a minute on that clock, and more
		p.alive()
	}
	if n := a.calls(); n > quota {
		t.Errorf("%d calls were made, %d are allowed", n, quota)
	}
	p.signal(syscall.SIGTERM)
	p.exits(0)

	a.write("wolkpipe.yaml", free)
	p = a.start()
	a.works(p, 5)
	jumps := []time.Duration{3 * time.Hour, -2 * time.Hour, 10 * time.Hour, -6 * time.Hour, 30 * time.Minute}
	if testing.Short() {
		jumps = jumps[:2]
	}
	for i, offset := range jumps {
		set(offset)
		if i%3 == 2 {
			p.kill()
			p = a.start()
		}
		time.Sleep(1200 * time.Millisecond) // two windows
		p.alive()
	}
	set(0)
	a.ended = a.afterTheirEnd
	a.converges(p, adverseSince, adverseGrid, time.Now())
	for name, op := range a.sim.Stats().Operations {
		if op.QuotaRefused > 0 {
			t.Errorf("%s: %d calls were made past the quota", name, op.QuotaRefused)
		}
	}
}

// afterTheirEnd holds every window that is recorded to have been asked for, by
// itself or in a longer range, after its end by the source's clock.
func (a *adversity) afterTheirEnd() {
	a.t.Helper()
	zone, err := window.LoadZone("America/Bogota")
	if err != nil {
		a.t.Fatal(err)
	}
	type asked struct{ from, to, at window.Local }
	var calls []asked
	early := 0
	for _, c := range a.watch.all() {
		k := asked{parseLocal(a.t, c.from), parseLocal(a.t, c.to), zone.Local(c.at)}
		if k.to >= k.at {
			early++
			continue
		}
		calls = append(calls, k)
	}
	lines := a.read(adverseSince).lines["ventas"]
	for i, w := range a.windows("America/Bogota", adverseSince, adverseGrid, len(lines))[:len(lines)] {
		if !slices.ContainsFunc(calls, func(k asked) bool { return k.from <= w.From && k.to >= w.To-1 }) {
			a.t.Errorf("window %s is recorded and was not asked for after its end", lines[i].window)
		}
	}
	a.t.Logf("%d calls came before what they asked for was over by the source's clock", early)
}
