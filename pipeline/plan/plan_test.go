package plan

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"wolkpipe/pipeline/window"
	"wolkpipe/schemas"
)

var zones = []string{"America/Bogota", "America/Santiago", "Asia/Beirut", "Australia/Lord_Howe", "America/New_York"}

func never(window.Local) bool { return false }

// TestEveryDueWindowOnce does what the plan says until nothing is left: every
// window that is due is asked for, once, and no other.
func TestEveryDueWindowOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		zone, err := window.LoadZone(rapid.SampledFrom(zones).Draw(rt, "zone"))
		if err != nil {
			rt.Fatal(err)
		}
		grid, err := window.NewGrid(rapid.SampledFrom([]time.Duration{20 * time.Minute, time.Hour, 8 * time.Hour}).Draw(rt, "grid"))
		if err != nil {
			rt.Fatal(err)
		}
		l := Live{Zone: zone, Grid: grid, Delay: time.Duration(rapid.IntRange(0, 30).Draw(rt, "delay")) * time.Hour / 10}
		l.Since = window.DateOf(2026, 1, 1) + window.Date(rapid.IntRange(0, 360).Draw(rt, "since"))
		now := zone.Windows(l.Since, grid)[0].Start.Add(time.Duration(rapid.IntRange(0, 70*60).Draw(rt, "minutes")) * time.Minute)
		var c Coverage
		asked := map[window.Local]schemas.Cause{}
		take := func(w window.Window, cause schemas.Cause) {
			if asked[w.From] != "" {
				rt.Fatalf("%v was asked for twice", w.Range)
			}
			asked[w.From] = cause
			c.Mark(w.From.Date(), w.From)
		}
		for {
			if w, ok := l.Live(now, &c); ok {
				take(w, schemas.Live)
				continue
			}
			job, ok := l.CatchUp(now, &c, never)
			if !ok {
				break
			}
			take(job.Windows[rapid.IntRange(0, len(job.Windows)-1).Draw(rt, "which")], job.Cause)
		}
		due := 0
		for day := l.Since; day <= zone.Local(now).Date(); day++ {
			for _, w := range zone.Windows(day, grid) {
				if isDue := !w.End.Add(l.Delay).After(now); isDue != (asked[w.From] != "") {
					rt.Fatalf("%v: due %v, asked for as %q", w.Range, isDue, asked[w.From])
				} else if isDue {
					due++
				}
			}
		}
		if all, missing := l.Counts(now, &c); all != due || missing != 0 || len(asked) != due {
			rt.Fatalf("%d windows due, %d asked for; counted %d and %d missing", due, len(asked), all, missing)
		}
		wake := l.Wake(now, &c)
		if !wake.After(now) {
			rt.Fatalf("wakes at %v, not after %v", wake, now)
		}
		if w, ok := l.Live(wake.Add(-time.Second), &c); ok {
			rt.Fatalf("%v was due before the waking", w.Range)
		}
	})
}

func TestCoverageIsWhatTheJournalHas(t *testing.T) {
	zone, err := window.LoadZone("America/Bogota")
	if err != nil {
		t.Fatal(err)
	}
	hour, half := window.Grid(time.Hour), window.Grid(30*time.Minute)
	day := window.DateOf(2026, 11, 10)
	l := Live{Zone: zone, Grid: half, Since: day}
	now := zone.Windows(day, hour)[23].End
	var c Coverage
	var observed []window.Local
	for _, w := range zone.Windows(day, hour) {
		if w.From != day.Start()+5*3600 {
			observed = append(observed, w.From)
		}
	}
	c.Load(zone, day, hour, observed) // the day keeps the grid that it is recorded in
	job, ok := l.CatchUp(now, &c, never)
	if !ok || len(job.Windows) != 1 || job.Windows[0].Seconds() != 3600 || job.Windows[0].From != day.Start()+5*3600 {
		t.Fatalf("missing are %v", job.Windows)
	}
	if _, ok := l.CatchUp(now, &c, func(window.Local) bool { return true }); ok {
		t.Error("a window that is put off is asked for")
	}
	c.Mark(day, job.Windows[0].From)
	if _, ok := l.CatchUp(now, &c, never); ok || !c.Observed(job.Windows[0].From) {
		t.Error("a window that was observed is missing")
	}
	c.Forget(day)
	if job, _ := l.CatchUp(now, &c, never); len(job.Windows) != 48 {
		t.Errorf("of a day that was forgotten %d windows are missing", len(job.Windows))
	}
}

func TestJobsAreOfOneMonth(t *testing.T) {
	zone, err := window.LoadZone("America/Bogota")
	if err != nil {
		t.Fatal(err)
	}
	l := Live{Zone: zone, Grid: window.Grid(time.Hour), Since: window.DateOf(2026, 1, 20)}
	var c Coverage
	now := zone.Windows(window.DateOf(2026, 3, 5), l.Grid)[0].Start
	for _, want := range []struct{ from, to window.Date }{
		{window.DateOf(2026, 1, 20), window.DateOf(2026, 1, 31)},
		{window.DateOf(2026, 2, 1), window.DateOf(2026, 2, 28)},
		{window.DateOf(2026, 3, 1), window.DateOf(2026, 3, 4)},
	} {
		job, ok := l.CatchUp(now, &c, never)
		if !ok || job.Windows[0].From.Date() != want.from || job.Windows[len(job.Windows)-1].From.Date() != want.to {
			t.Fatalf("a job of %d windows from %v, want %v to %v", len(job.Windows), job.Windows[0].From, want.from, want.to)
		}
		for _, w := range job.Windows {
			c.Mark(w.From.Date(), w.From)
		}
	}
}
