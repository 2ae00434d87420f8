package pipeline

import (
	"fmt"
	"testing"
	"time"

	"wolkpipe/pipeline/chat7/chat7sim"
	"wolkpipe/pipeline/journal"
	"wolkpipe/pipeline/window"
	"wolkpipe/schemas"
)

// TestSettlingOverAMonth polls weeks live. Where nothing changes, comparing
// costs next to nothing and no window gets a second revision; where closings
// are late, recoded, deleted and missing for a while, events, lake and journal
// are the truth to the row once the last age has passed.
func TestSettlingOverAMonth(t *testing.T) {
	if testing.Short() {
		t.Skip("it lives through a month")
	}
	lag := func(rate chat7sim.Rate) chat7sim.Lag {
		return chat7sim.Lag{Rate: rate, Mean: 10 * time.Hour, Max: 40 * time.Hour}
	}
	for name, c := range map[string]struct {
		faults chat7sim.Faults
		most   float64 // calls for comparing, as a share of live polling
		quiet  bool
		window time.Duration
		days   int
	}{
		"quiet": {chat7sim.Faults{Shuffled: true}, 0.05, true, 15 * time.Minute, 14},
		"changing": {chat7sim.Faults{
			Late: lag(0.01), Recoded: lag(0.01), Deleted: lag(0.005),
			EmptySpells: chat7sim.Spells{Every: 9 * time.Hour, For: 6 * time.Minute}, Shuffled: true,
		}, 1, false, 30 * time.Minute, 28},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			operation := small(200)
			operation.Licences = 2
			r := newRig(t, chat7sim.Scenario{Operations: []chat7sim.Operation{operation}, Faults: c.faults}, 11, noon)
			r.window, r.additive, r.quota = c.window, yes(), 2000
			r.ages = []time.Duration{time.Hour, 24 * time.Hour, 168 * time.Hour}
			r.since = window.DateOf(2026, 11, 10)
			p := r.with(noon.Add(time.Duration(c.days+9)*24*time.Hour), func(*Pipeline) {})
			r.converge()
			r.grace = (9*24 + 13) * time.Hour
			last := r.since + window.Date(c.days) - 1
			r.check(last)
			r.settled(p, r.since, last)

			live := int64(c.days+9) * int64(24*time.Hour/c.window)
			comparing := -live
			for _, n := range r.sim.Stats().Operations["ventas"].Calls["chat_7"] {
				comparing += n
			}
			share := float64(comparing) / float64(live)
			if share > c.most {
				t.Errorf("comparing takes %.1f%% of the calls of live polling", 100*share)
			}
			corrected := 0
			for day := r.since; day <= last; day++ {
				folded, err := p.journal.Day(t.Context(), journal.Key{Operation: "ventas", Day: day})
				if err != nil {
					t.Fatal(err)
				}
				for _, o := range folded.Windows {
					if o.Cause == schemas.Settle {
						corrected++
					}
				}
			}
			t.Logf("%d windows live, %d of them corrected, %d calls for comparing: %.1f%%; %v",
				live, corrected, comparing, 100*share, r.sim.Stats().Operations["ventas"].Faults)
			if c.quiet != (corrected == 0) {
				t.Errorf("%d windows were corrected", corrected)
			}
		})
	}
}

// TestSettlingWithoutAdditivity: where counts do not add up, each window of a
// day is asked for again, once, at its last age.
func TestSettlingWithoutAdditivity(t *testing.T) {
	operation := small(100)
	r := newRig(t, chat7sim.Scenario{Operations: []chat7sim.Operation{operation}, Faults: chat7sim.Faults{
		Shared: 0.2, Late: chat7sim.Lag{Rate: 0.1, Mean: 5 * time.Hour, Max: 20 * time.Hour},
	}}, 3, noon)
	no := false
	r.window, r.additive, r.quota = time.Hour, &no, 1000
	r.ages = []time.Duration{time.Hour, 24 * time.Hour}
	r.since = window.DateOf(2026, 11, 10)
	const days = 4
	p := r.with(noon.Add((days+2)*24*time.Hour), func(*Pipeline) {})
	r.converge()
	last := r.since + days - 1
	r.settled(p, r.since, last)
	r.grace = 54 * time.Hour
	lake := r.within(r.lakeTable())
	zone, corrected := p.pollers[0].Live.Zone, 0
	for day := r.since; day <= last; day++ {
		folded, err := p.journal.Day(t.Context(), journal.Key{Operation: "ventas", Day: day})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range folded.Windows {
			if o.Cause == schemas.Settle {
				corrected++
			}
		}
		for _, w := range zone.Windows(day, window.Grid(time.Hour)) {
			for k, n := range r.told(w) {
				if lake[k] != n {
					t.Errorf("the lake has %d for %v, the source says %d", lake[k], k, n)
				}
			}
		}
	}
	asked := int64(0)
	for _, n := range r.sim.Stats().Operations["ventas"].Calls["chat_7"] {
		asked += n
	}
	t.Logf("%d windows corrected, %d calls", corrected, asked)
	if corrected == 0 {
		t.Error("nothing was corrected: the test shows nothing")
	}
	if most := int64((days+2)*24 + (days+1)*24 + days*24 + 24); asked > most { // live, settling, and the test's own
		t.Errorf("%d calls were made, at most %d are to be", asked, most)
	}
}

// TestVanishedRowsAreBelieved: where the few rows of long stretches are deleted
// at the source, the empty answers are believed the second time, and the days
// settle.
func TestVanishedRowsAreBelieved(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, chat7sim.Scenario{Operations: []chat7sim.Operation{small(8)}, Faults: chat7sim.Faults{
				Deleted: chat7sim.Lag{Rate: 0.6, Mean: 20 * time.Hour, Max: 30 * time.Hour},
			}}, seed, noon)
			r.window, r.additive, r.quota = 30*time.Minute, yes(), 1000
			r.ages = []time.Duration{time.Hour, 48 * time.Hour}
			r.since = window.DateOf(2026, 11, 10)
			p := r.with(noon.Add(7*24*time.Hour), func(*Pipeline) {})
			r.converge()
			last := window.DateOf(2026, 11, 14)
			r.settled(p, r.since, last)
			r.grace = 60 * time.Hour
			r.check(last)
		})
	}
}
