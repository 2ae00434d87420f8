package pipeline

import (
	"context"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"wolkpipe/pipeline/codes"
	"wolkpipe/pipeline/journal"
)

// simRun is what became of a seed.
type simRun struct {
	trace    []simEvent
	breaches []string
}

// simulate lets an installation live for some days of a bubble's time, from
// crash to crash, and holds what it made against the laws in the package doc.
func simulate(t *testing.T, seed uint64, broken simBreak) (run simRun) {
	t.Helper()
	simWarm()
	ok := t.Run("seed "+strconv.FormatUint(seed, 10), func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w, err := newSimWorld(seed, broken)
			if err != nil {
				t.Fatal(err)
			}
			w.run()
			if err := w.check(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour) // what the check opened ends
			run = simRun{w.trace, w.breaches}
		})
	})
	if !ok {
		t.Fatalf("seed %d did not come to its end", seed)
	}
	return run
}

// simWarm makes what packages make at first use, and share: what is made in a
// bubble belongs to it.
var simWarm = sync.OnceFunc(func() {
	data, _ := (&journal.Chunk{}).Encode()
	_, _ = journal.Decode(data)
	w := &simWorld{dice: &simDice{drawn: map[string]int{}}}
	view := &simBucketView{bucket: &simBucket{keys: map[string]*simEntry{}}, link: &simLink{w: w, gone: make(chan struct{})}}
	_, _, _ = codes.Store(context.Background(), view, "ventas", []codes.Code{{Code: "1"}}, time.Now())
	_, _ = codes.Load(context.Background(), view, "ventas")
})

// TestSimulation runs whole installations in memory, each from a seed that
// says how long everything takes, what fails, and when processes are killed.
// A seed that breaks a law breaks it each time: WOLKPIPE_SIMULATION_SEED runs
// one, WOLKPIPE_SIMULATION_RUNS so many, and what happened in the last is written
// to the file that WOLKPIPE_SIMULATION_TRACE names.
func TestSimulation(t *testing.T) {
	first, runs := uint64(1), 12
	if testing.Short() {
		runs = 5
	}
	if text := os.Getenv("WOLKPIPE_SIMULATION_RUNS"); text != "" {
		runs, _ = strconv.Atoi(text)
	}
	if text := os.Getenv("WOLKPIPE_SIMULATION_SEED"); text != "" {
		first, _ = strconv.ParseUint(text, 10, 64)
		runs = 1
	}
	for seed := first; seed < first+uint64(runs); seed++ {
		run := simulate(t, seed, simBreak{})
		if file := os.Getenv("WOLKPIPE_SIMULATION_TRACE"); file != "" {
			writeTrace(t, file, run.trace)
		}
		if len(run.breaches) == 0 {
			continue
		}
		for _, breach := range run.breaches[:min(5, len(run.breaches))] {
			t.Error(breach)
		}
		t.Errorf("seed %d broke the laws %d times; again: WOLKPIPE_SIMULATION_SEED=%d go test ./pipeline -run '^TestSimulation$'",
			seed, len(run.breaches), seed)
	}
}

func writeTrace(t *testing.T, file string, trace []simEvent) {
	t.Helper()
	var text []byte
	for _, e := range trace {
		text = append(append(text, e.String()...), '\n')
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestSimulationRepeats runs seeds twice: the same must happen at the same time.
func TestSimulationRepeats(t *testing.T) {
	last := uint64(3)
	if text := os.Getenv("WOLKPIPE_SIMULATION_RUNS"); text != "" {
		last, _ = strconv.ParseUint(text, 10, 64)
	}
	for seed := uint64(1); seed <= last; seed++ {
		a, b := simulate(t, seed, simBreak{}), simulate(t, seed, simBreak{})
		if slices.Equal(a.trace, b.trace) {
			continue
		}
		for i := range min(len(a.trace), len(b.trace)) {
			if a.trace[i] != b.trace[i] {
				if file := os.Getenv("WOLKPIPE_SIMULATION_TRACE"); file != "" {
					writeTrace(t, file+".a", a.trace)
					writeTrace(t, file+".b", b.trace)
				}
				t.Errorf("seed %d: event %d of %d and %d is\n%v, and then\n%v", seed, i, len(a.trace), len(b.trace), a.trace[i], b.trace[i])
				break
			}
		}
	}
}

// TestSimulationCatches takes guards away: soon a seed must show that.
func TestSimulationCatches(t *testing.T) {
	const soon = 20
	for name, broken := range map[string]simBreak{
		"a journal that takes every append": {journal: true},
		"a sink that takes every commit":    {sink: true},
	} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() {
				t.Skip("left out under -short")
			}
			for seed := uint64(1); seed <= soon; seed++ {
				if run := simulate(t, seed, broken); len(run.breaches) > 0 {
					t.Logf("seed %d: %s", seed, run.breaches[0])
					return
				}
			}
			t.Errorf("%d seeds did not notice", soon)
		})
	}
}
