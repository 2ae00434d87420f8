package pipeline

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"wolkpipe/pipeline/chat7"
	"wolkpipe/pipeline/chat7/chat7sim"
	"wolkpipe/pipeline/window"
)

// TestScenarios runs the pipeline under each of the simulator's faults: half a
// day to catch up with, a few live windows, then every window asked for again
// once the late closings are in.
func TestScenarios(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(chat7sim.Scenarios())) {
		scenario := chat7sim.Scenarios()[name]
		switch name {
		case "slow", "revoked", "silence", "row-cap", "row-cap-refused", "quota": // below, or elsewhere
			continue
		case "everything", "recoded", "cut", "busy":
		default:
			if testing.Short() { // the others have the same code run, and the race detector is slow
				continue
			}
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, scenario, 42, noon)
			r.window = 15 * time.Minute
			r.since = window.DateOf(2026, 11, 10)
			r.run(noon)
			r.run(noon.Add(40 * time.Minute))
			r.grace = 5 * time.Hour
			r.clock.jump(5 * time.Hour)
			r.settle()
			r.check(r.last())
		})
	}
}

// TestQuotaRunsOut has most of the day's calls spent by others, and a reset
// that is not at midnight: the pipeline waits, and covers all in the end.
func TestQuotaRunsOut(t *testing.T) {
	scenario := chat7sim.Scenarios()["quota"]
	scenario.Faults.UsedElsewhere = 720
	r := newRig(t, scenario, 1, noon)
	r.grace = 24 * time.Hour
	r.since = window.DateOf(2026, 11, 10)
	r.run(noon.Add(48 * time.Hour))
	r.check(r.last())
	for name, op := range r.sim.Stats().Operations {
		if op.QuotaRefused == 0 {
			t.Errorf("%s never ran out of quota: the test shows nothing", name)
		}
		if op.QuotaRefused > 60 { // an hourly try, two days
			t.Errorf("%s: %d calls were made past the quota", name, op.QuotaRefused)
		}
	}
}

// TestCountedQuotaIsNotPassed configures the quota: it is kept without asking.
func TestCountedQuotaIsNotPassed(t *testing.T) {
	r := newRig(t, chat7sim.Scenario{Operations: []chat7sim.Operation{
		{Name: "ventas", Timezone: "America/Bogota", InteractionsPerDay: 300, Licences: 1},
	}}, 1, noon)
	r.quota = 400 // live polling takes 288
	r.since = window.DateOf(2026, 11, 9)
	r.grace = 24 * time.Hour
	r.run(noon.Add(96 * time.Hour))
	r.check(r.last())
	most := slices.Max(slices.Collect(maps.Values(r.sim.Stats().Operations["ventas"].Days)))
	if most > 400 || most < 350 {
		t.Errorf("the busiest day had %d calls: at most 400 are allowed, and with less than 350 the test shows nothing", most)
	}
}

// TestRevokedTokenStopsItsOperationOnly, and only until the token is replaced.
func TestRevokedTokenStopsItsOperationOnly(t *testing.T) {
	r := newRig(t, chat7sim.Scenario{Operations: []chat7sim.Operation{
		{Name: "ventas", Timezone: "America/Bogota", InteractionsPerDay: 300},
		{Name: "soporte", Timezone: "America/Santiago", InteractionsPerDay: 300},
	}}, 1, noon)
	r.since = window.DateOf(2026, 11, 10)
	var mu sync.Mutex
	token := "revoked"
	r.token = func(operation, right string) string {
		mu.Lock()
		defer mu.Unlock()
		if operation == "ventas" {
			return token
		}
		return right
	}
	p := r.pipeline()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	r.clock.until(t, noon.Add(time.Minute))
	for _, o := range p.Status(t.Context()).Operations {
		switch {
		case o.Operation == "ventas" && (o.State != "bad_token" || o.LastWindow != ""):
			t.Errorf("ventas is %q and has %q", o.State, o.LastWindow)
		case o.Operation == "soporte" && (o.State != "running" || o.Missing != 0):
			t.Errorf("soporte is %q and misses %d windows", o.State, o.Missing)
		}
	}
	if calls := r.sim.Stats().Strangers[string(chat7sim.BadToken)]; calls > 2 {
		t.Errorf("a token that was refused was used %d times", calls)
	}
	mu.Lock()
	token = "sim-ventas"
	mu.Unlock()
	r.clock.until(t, noon.Add(2*time.Minute))
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	r.converge()
	r.check(r.since)
}

// TestRowCap has answers cut off at a number of rows, with nothing to show
// for it: what is as long as that is asked for in parts.
func TestRowCap(t *testing.T) {
	r := newRig(t, chat7sim.Scenario{
		Operations: []chat7sim.Operation{{Name: "ventas", Timezone: "America/Bogota", InteractionsPerDay: 20_000, Agents: 20, Codes: 18}},
		Faults:     chat7sim.Faults{RowCap: 40},
	}, 1, noon)
	r.window = time.Hour
	r.since = window.DateOf(2026, 11, 10)
	r.client = func(o *chat7.Options) { o.RowCap = 40 }
	r.run(noon)
	r.check(r.since)
}

// TestSilence has an operation without any interactions: all is covered,
// and there is not one row.
func TestSilence(t *testing.T) {
	r := newRig(t, chat7sim.Scenarios()["silence"], 1, noon)
	r.since = window.DateOf(2026, 11, 10)
	r.run(noon)
	zone, _ := window.LoadZone("America/Bogota")
	r.covered("ventas", zone, r.since)
	if rows := sumEvents(t, r.js); len(rows) != 0 {
		t.Errorf("there are events of rows: %v", rows)
	}
	if files, _ := filepath.Glob(r.folder + "/chat_7/*/*/*"); len(files) != 0 {
		t.Errorf("there are objects of rows: %v", files)
	}
}
