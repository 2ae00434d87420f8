package descend

import (
	"testing"
	"time"

	"wolkpipe/pipeline/chat7/chat7sim"
	"wolkpipe/pipeline/window"
)

// operation is a simulated operation, with or without what its truth has
// outside of a working week.
type operation struct {
	sim    *chat7sim.Sim
	strict bool // nothing but 08:00 to 20:00, Monday to Friday
}

var monday = window.DateOf(2026, 6, 1) // a June without holidays, which begins on a Monday

func newOperation(t testing.TB, seed uint64, perDay int, strict bool) operation {
	t.Helper()
	sim, err := chat7sim.New(chat7sim.Options{Seed: seed,
		Scenario: chat7sim.Scenario{Operations: []chat7sim.Operation{{Name: "ventas", Timezone: "America/Bogota", InteractionsPerDay: perDay}}},
		Now:      func() time.Time { return time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC) }})
	if err != nil {
		t.Fatal(err)
	}
	return operation{sim, strict}
}

// truth is what the operation had in r.
func (o operation) truth(r window.Range) counts {
	c := counts{}
	for day := r.From.Date(); day <= (r.To - 1).Date(); day++ {
		from, to := day.Start(), day.End()
		if o.strict {
			if weekday := (int(day) + 3) % 7; weekday >= 5 {
				continue
			}
			from, to = from+8*hours, from+20*hours
		}
		part := window.Range{From: max(from, r.From), To: min(to, r.To)}
		if part.Empty() {
			continue
		}
		for _, row := range o.sim.Truth("ventas", part) {
			c[Key{row.Agent, row.Code}] += row.Interactions
		}
	}
	return c
}

// fill drives a descent and compares every window with the truth.
func (o operation) fill(t testing.TB, windows []window.Window, derive bool) (out outcome, nonEmpty int) {
	t.Helper()
	out = drive(t, windows, Options{Derive: derive}, func(r window.Range) (Answer, bool) { return answerOf(o.truth(r)), true })
	for _, w := range windows {
		want := o.truth(w.Range)
		if got := read(t, out.windows[w.From].Rows); !got.equal(want) {
			t.Fatalf("window %v is %v by %s, want %v", w.Range, got, out.windows[w.From].Method, want)
		}
		if len(want) > 0 {
			nonEmpty++
		}
	}
	return out, nonEmpty
}

const step = 5 * time.Minute

// TestCallsOfAnEmptyMonth: one call for all of it; one for an empty day.
func TestCallsOfAnEmptyMonth(t *testing.T) {
	silent := newOperation(t, 1, 0, false)
	for days, most := range map[int]int{30: 1, 1: 1} {
		out, _ := silent.fill(t, windowsOf(t, "America/Bogota", monday, days, step), true)
		t.Logf("%d empty days: %d calls, %.2f a day", days, out.calls, float64(out.calls)/float64(days))
		if out.calls > most {
			t.Errorf("%d empty days took %d calls", days, out.calls)
		}
	}
}

// TestCallsOfAWorkingDay prints the table of calls by volume, and holds the
// bounds for days of twelve hours.
func TestCallsOfAWorkingDay(t *testing.T) {
	for _, c := range []struct {
		perDay       int
		most, direct int     // calls on any day
		mean         float64 // over all days: what is had now, and a little
	}{{3, 30, 45, 23}, {30, 110, 160, 91}, {100, 160, 210, 145}, {200, 180, 200, 154}, {400, 180, 190, 153}, {1000, 200, 180, 151}} {
		for _, strict := range []bool{true, false} {
			for _, derive := range []bool{true, false} {
				var calls, worst, nonEmpty, days int
				for seed := range uint64(3) {
					o := newOperation(t, seed, c.perDay, strict)
					for _, day := range []window.Date{monday, monday + 1, monday + 2} {
						out, n := o.fill(t, windowsOf(t, "America/Bogota", day, 1, step), derive)
						calls, worst, nonEmpty, days = calls+out.calls, max(worst, out.calls), nonEmpty+n, days+1
					}
				}
				t.Logf("%4d a day, strict %-5v derive %-5v: %5.1f calls, at most %d; naive 288; %.1f windows with rows",
					c.perDay, strict, derive, float64(calls)/float64(days), worst, float64(nonEmpty)/float64(days))
				mean, most := float64(calls)/float64(days), c.most
				if !derive {
					most = c.direct
				}
				if strict && (worst > most || derive && mean > c.mean) {
					t.Errorf("%d interactions in twelve hours took up to %d calls, %.1f on average; want %d and %.1f", c.perDay, worst, mean, most, c.mean)
				}
			}
		}
	}
}

// TestCallsOfAYear: 260 working days of 200 interactions, and the same windows
// as asked one by one.
func TestCallsOfAYear(t *testing.T) {
	windows := windowsOf(t, "America/Bogota", window.DateOf(2026, 1, 1), 365, step)
	out, n := newOperation(t, 5, 200, true).fill(t, windows, true)
	share := float64(out.calls) / float64(len(windows))
	t.Logf("a year at 200: %d calls, %.1f%% of %d; %d windows with rows; %s", out.calls, 100*share, len(windows), n, out.methods())
	if share > 0.45 {
		t.Errorf("a year took %.1f%% of the naive calls", 100*share)
	}
}
