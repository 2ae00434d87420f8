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
	c.Load(zone, day, hour, observed, time.Time{}) // the day keeps the grid that it is recorded in
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

// TestForecast: least, most and expected calls, days of quota and the end.
func TestForecast(t *testing.T) {
	zone, _ := window.LoadZone("America/Bogota")
	now := time.Date(2026, 11, 27, 17, 0, 0, 0, time.UTC) // 12:00 in Bogotá
	l := Live{Zone: zone, Grid: window.Grid(5 * time.Minute), Since: window.DateOf(2026, 11, 20), Ages: []time.Duration{time.Hour}}
	costs := Costs{
		Most: func(windows int) int { return windows + 10 },
		Day:  func(window.Date) (float64, bool) { return 0, false },
		Call: time.Second,
	}
	var c Coverage
	year := Backfill{From: window.DateOf(2025, 1, 1), To: window.DateOf(2025, 12, 31)}
	quota := Quota{Limit: 1000, Left: 1000}
	f := l.Forecast(now, &c, year, quota, costs)
	if f.Windows != 365*288 || f.Missing != f.Windows || f.Least != 24 || f.Most != 365*288+12*11 || f.Expected != -1 || f.Live != 303 {
		t.Errorf("a year is %+v", f)
	}

	costs.Day = func(d window.Date) (float64, bool) { return 100, d%7 != 0 }
	f = l.Forecast(now, &c, year, quota, costs)
	if f.Expected < 31_000 || f.Expected > 31_400 {
		t.Errorf("%d calls are expected for a year of 313 days of 100", f.Expected)
	}
	// 697 calls a day are left by live polling, 849 of today's.
	calls := f.Expected
	days := (calls - 849 + 696) / 697
	want := time.Date(2026, 11, 28, 5, 0, 0, 0, time.UTC).AddDate(0, 0, int(days)-1)
	if f.Done.Before(want) || f.Done.After(want.Add(time.Hour)) || f.Days != float64(calls)/697 {
		t.Errorf("%d calls end at %s after %.1f days; want %s", calls, f.Done, f.Days, want)
	}

	// Of November the first three weeks are known, on two days less an hour.
	for d := window.DateOf(2026, 11, 1); d < window.DateOf(2026, 11, 20); d++ {
		var observed []window.Local
		for _, w := range zone.Windows(d, l.Grid) {
			if (d != window.DateOf(2026, 11, 10) && d != window.DateOf(2026, 11, 15)) || w.From < d.Start()+23*3600 {
				observed = append(observed, w.From)
			}
		}
		c.Load(zone, d, l.Grid, observed, time.Time{})
	}
	costs.Day = func(window.Date) (float64, bool) { return 288, true }
	f = l.Forecast(now, &c, Backfill{From: window.DateOf(2026, 11, 1), To: window.DateOf(2026, 11, 19)}, quota, costs)
	if f.Missing != 24 || f.Least != 3 || f.Most != 1+2*22 || f.Expected != 27 {
		t.Errorf("two hours of a month are %+v", f)
	}
	if f := l.Forecast(now, &c, Backfill{From: window.DateOf(2026, 11, 1), To: window.DateOf(2026, 11, 9)}, quota, costs); f.Missing != 0 || f.Most != 0 || !f.Done.Equal(now) {
		t.Errorf("what is known is forecast as %+v", f)
	}
	if f := l.Forecast(now, &c, year, Quota{Limit: 200, Left: -1}, costs); f.Days >= 0 || !f.Done.IsZero() {
		t.Errorf("with a quota that live polling uses up it ends at %s", f.Done)
	}
	if f := l.Forecast(now, &c, year, Quota{Left: -1}, costs); f.Days != 0 || f.Done.Sub(now) != time.Duration(f.Expected)*time.Second {
		t.Errorf("without a quota it ends at %s", f.Done)
	}
}

// TestStaleDays: complete days are due at each age, once for all that passed,
// in runs of one month, and not again after a comparison.
func TestStaleDays(t *testing.T) {
	zone, _ := window.LoadZone("America/Bogota")
	hour := window.Grid(time.Hour)
	l := Live{Zone: zone, Grid: hour, Since: window.DateOf(2026, 11, 20), Ages: []time.Duration{time.Hour, 24 * time.Hour}}
	var c Coverage
	first := window.DateOf(2026, 10, 29)
	for d := first; d < first+6; d++ { // up to November 3
		var observed []window.Local
		for _, w := range zone.Windows(d, hour) {
			if d != first+1 || w.From < d.Start()+5*3600 { // October 30 is not complete
				observed = append(observed, w.From)
			}
		}
		c.Load(zone, d, hour, observed, time.Time{})
	}
	no := func(window.Date, time.Duration) bool { return false }
	end := time.Date(2026, 11, 4, 5, 0, 0, 0, time.UTC) // of November 3
	at := func(now time.Time) []window.Date { return l.Stale(now, &c, no) }
	if got := at(end); len(got) != 1 || got[0] != first {
		t.Fatalf("due first is %v", got)
	}
	c.Compared(first, end)
	if got := at(end); len(got) != 1 || got[0] != first+2 {
		t.Errorf("due next is %v: the last of October", got)
	}
	c.Compared(first+2, end)
	if got := at(end); len(got) != 2 || got[0] != first+3 {
		t.Errorf("due next is %v: November but for its last day", got)
	}
	if next := l.NextStale(end, &c); !next.Equal(end.Add(time.Hour)) {
		t.Errorf("the next is due at %s", next)
	}
	if got := l.Stale(end.Add(time.Hour), &c, func(d window.Date, age time.Duration) bool { return d < first+5 || age != time.Hour }); len(got) != 1 || got[0] != first+5 {
		t.Errorf("after an hour %v is due", got)
	}
	c.Compared(first+5, end.Add(time.Hour))
	if l.Final(&c, first+5, end.Add(23*time.Hour)) || !l.Final(&c, first+5, end.Add(24*time.Hour)) {
		t.Error("the comparison at the last age is not the one that settles")
	}
	c.Mark(first+5, (first + 5).Start()) // it changed
	if n := l.Uncompared(end.Add(time.Hour), &c, first+5, first+5, no); n != 1 {
		t.Errorf("after a change %d days are due", n)
	}
}
