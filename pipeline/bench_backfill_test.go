package pipeline

import (
	"maps"
	"os"
	"strconv"
	"testing"
	"time"

	"wolkpipe/pipeline/backfill"
	"wolkpipe/pipeline/chat7/chat7sim"
	"wolkpipe/pipeline/window"
	"wolkpipe/schemas"
)

// BenchmarkBackfillCalls counts what filling days takes, through the whole
// pipeline: calls for reports a day, next to the number of windows (what asking
// one by one takes) and of those with rows. Comparisons are counted by
// themselves. Run it with -benchtime 1x; every lake is compared with the truth,
// and that of the year with one filled window by window, of which
// WOLKPIPE_BENCH_NAIVE says how many days (31).
func BenchmarkBackfillCalls(b *testing.B) {
	june := window.DateOf(2026, 6, 1) // a Monday
	for _, c := range []struct {
		name     string
		perDay   int
		from, to window.Date
	}{
		{"empty_month", 0, june, june + 29},
		{"empty_day", 0, june, june},
		{"day_of_30", 30, june, june},
		{"day_of_200", 200, june, june},
		{"day_of_1000", 1000, june, june},
		{"month_of_200", 200, june, june + 29},
		{"year_of_200", 200, window.DateOf(2025, 11, 1), window.DateOf(2026, 10, 31)},
	} {
		b.Run(c.name, func(b *testing.B) {
			for range b.N {
				r := closedRig(b, c.perDay)
				p := r.fillDays(c.from, c.to)
				asked := r.reports()
				days := float64(c.to - c.from + 1)
				windows, filled := r.coverage(p, c.from, c.to)
				b.ReportMetric(float64(asked)/days, "calls/day")
				b.ReportMetric(float64(windows)/days, "naive/day")
				b.ReportMetric(float64(filled)/days, "nonempty/day")
				b.ReportMetric(100*float64(asked)/float64(windows), "%naive")
				b.ReportMetric(0, "ns/op")
				r.since = c.from
				if c.perDay > 0 { // else there is no rows object to read
					sameTable(b, "lake", r.truth(c.to), r.lakeTable())
				}
				sameTable(b, "events", r.truth(c.to), sumEvents(b, r.js))
				if days > 300 {
					r.likeOneByOne(b, c.perDay, c.from)
				}
			}
		})
	}
}

func closedRig(b *testing.B, perDay int) *rig {
	r := newRig(b, chat7sim.Scenario{Operations: []chat7sim.Operation{
		{Name: "ventas", Timezone: "America/Bogota", InteractionsPerDay: perDay, Closed: true, Licences: -1},
	}}, 4, noon)
	r.additive, r.ages, r.fill = yes(), []time.Duration{time.Hour, 24 * time.Hour, 168 * time.Hour}, true
	r.since = window.DateOf(2026, 11, 10)
	return r
}

// fillDays fills days as the backfill command does where no daemon runs.
func (r *rig) fillDays(from, to window.Date) *Pipeline {
	r.t.Helper()
	var id string
	p := r.with(r.clock.Now().Add(time.Hour), func(p *Pipeline) { id = r.ask(p, "ventas", from, to, "").ID() })
	if request, _ := p.Asked(id); request.State != backfill.Done {
		r.t.Fatalf("the backfill is %+v", request)
	}
	r.converge()
	return p
}

// reports is the number of calls for reports so far, comparisons included.
func (r *rig) reports() (n int64) {
	for _, calls := range r.sim.Stats().Operations["ventas"].Calls["chat_7"] {
		n += calls
	}
	return n
}

// coverage counts the windows of days, and those with rows.
func (r *rig) coverage(p *Pipeline, from, to window.Date) (windows, filled int) {
	r.t.Helper()
	c, err := p.Coverage(r.t.Context(), "ventas", from.String(), to.String())
	if err != nil {
		r.t.Fatal(err)
	}
	for _, day := range c.Days {
		windows, filled = windows+day.Observed, filled+day.Observed-day.Empty
		if day.State != schemas.Settled {
			r.t.Errorf("%s is %s", day.Day, day.State)
		}
	}
	return windows, filled
}

// likeOneByOne fills the first days again elsewhere, window by window, and
// compares the two lakes row by row.
func (r *rig) likeOneByOne(b *testing.B, perDay int, from window.Date) {
	days := 31
	if text := os.Getenv("WOLKPIPE_BENCH_NAIVE"); text != "" {
		var err error
		if days, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	naive := closedRig(b, perDay)
	naive.since = from
	to := from + window.Date(days) - 1
	naive.reobserve(to)
	naive.converge()
	mine := r.lakeTable()
	maps.DeleteFunc(mine, func(k [4]string, _ int64) bool { return k[1] >= (to + 1).String() })
	sameTable(b, "lake", naive.lakeTable(), mine)
	b.ReportMetric(float64(naive.reports())/float64(days), "one-by-one/day")
}
