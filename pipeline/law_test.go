package pipeline

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"wolkpipe/pipeline/chat7"
	"wolkpipe/pipeline/chat7/chat7sim"
	"wolkpipe/pipeline/window"
	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/sinktest"
)

// TestClockChanges covers days around changes of the clock: hours skipped and
// repeated, at midnight too, in windows that do and do not divide the change.
func TestClockChanges(t *testing.T) {
	for _, c := range []struct {
		zone string
		day  window.Date
	}{
		{"America/Santiago", window.DateOf(2026, 4, 4)},    // 24:00 is 23:00 again
		{"America/Santiago", window.DateOf(2026, 9, 6)},    // no midnight
		{"Asia/Beirut", window.DateOf(2026, 3, 29)},        // no midnight
		{"Europe/Madrid", window.DateOf(2026, 10, 25)},     // 03:00 is 02:00 again
		{"Australia/Lord_Howe", window.DateOf(2026, 4, 5)}, // half an hour again
		{"America/New_York", window.DateOf(2026, 3, 8)},    // 02:00 is 03:00
	} {
		for seed := range uint64(2) {
			t.Run(fmt.Sprintf("%s %s seed %d", c.zone, c.day, seed), func(t *testing.T) {
				t.Parallel()
				zone, err := window.LoadZone(c.zone)
				if err != nil {
					t.Fatal(err)
				}
				r := newRig(t, chat7sim.Scenario{Operations: []chat7sim.Operation{{
					Name: "ventas", Timezone: c.zone, InteractionsPerDay: 600, Steady: true, Weekends: true,
				}}}, seed, zone.Windows(c.day, window.Grid(time.Hour))[1].Start)
				r.window = 20 * time.Minute
				r.since = c.day - 1
				r.run(r.clock.Now()) // catch up into the day, then live through the change
				r.run(r.clock.Now().Add(30 * time.Hour))
				r.check(c.day + 1)
			})
		}
	}
}

// TestSinksUnderFaults runs the pipeline with sinks that fail before and after
// committing, and with a second process that shares the sinks' work.
func TestSinksUnderFaults(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			scenario := chat7sim.Scenarios()["recoded"]
			r := newRig(t, scenario, seed, noon)
			r.since = window.DateOf(2026, 11, 10)
			r.wrap = func(name string, s sinks.Sink) sinks.Sink {
				return sinktest.Faulty(s, sinktest.Faults{Seed: seed, Load: 0.05, Before: 0.1, After: 0.1, Conflict: 0.1, Limit: 20})
			}
			other := r.sinksOnly()
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- other.Run(ctx) }()
			r.run(noon)
			r.reobserve(r.since)
			cancel()
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			r.wrap = nil
			r.converge()
			r.check(r.since)
		})
	}
}

// sinksOnly is a second process that has the sinks and no operation.
func (r *rig) sinksOnly() *Pipeline {
	r.t.Helper()
	with := r.pipeline()
	var all []Sink
	for _, w := range with.workers {
		all = append(all, Sink{w.name, w.sink})
	}
	p, err := New(r.t.Context(), Options{
		Version: "test", NATS: r.nats, Owner: "another", Clock: r.clock, Registerer: prometheus.NewRegistry(), Log: r.log, Sinks: all,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

// TestRestartsAtAnyMoment stops the process at random moments of catching up,
// again and again, until the work is done.
func TestRestartsAtAnyMoment(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed, 1))
			r := newRig(t, chat7sim.Scenario{Operations: []chat7sim.Operation{
				{Name: "ventas", Timezone: "America/Bogota", InteractionsPerDay: 300},
			}}, seed, noon)
			r.window = time.Hour
			r.since = window.DateOf(2026, 11, 9)
			for range 1 + random.IntN(4) {
				p := r.pipeline()
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { done <- p.Run(ctx) }()
				r.after(random.IntN(20))
				cancel()
				if err := <-done; err != nil {
					t.Fatal(err)
				}
			}
			r.run(noon.Add(10 * time.Minute)) // a call that was cut off holds the token for a minute
			r.check(window.DateOf(2026, 11, 10))
		})
	}
}

// after waits until the simulator has had that many more calls, or all is done.
func (r *rig) after(calls int) {
	r.t.Helper()
	from := r.sim.Stats().Operations["ventas"].Total
	for r.sim.Stats().Operations["ventas"].Total < from+int64(calls) && !r.clock.resting() {
		time.Sleep(time.Millisecond)
	}
}

func (c *jumpClock) resting() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.sleepers) >= c.workers
}

// TestLateAnswer lets an answer come after another process has asked the same
// later and recorded a newer one: the older must not overwrite it.
func TestLateAnswer(t *testing.T) {
	r := newRig(t, chat7sim.Scenario{Operations: []chat7sim.Operation{
		{Name: "ventas", Timezone: "America/Bogota", InteractionsPerDay: 3000, Steady: true},
	}, Faults: chat7sim.Faults{Late: chat7sim.Lag{Rate: 0.8, Mean: time.Hour}}}, 1, noon)
	r.window = time.Hour
	r.since = window.DateOf(2026, 11, 10)
	slow := &holding{answered: make(chan struct{}), release: make(chan struct{})}
	r.client = func(o *chat7.Options) { o.Transport = slow }
	late := r.pipeline().pollers[0]
	r.client = nil
	prompt := r.pipeline().pollers[0]
	w := r.due(late.Live.Zone, r.since)[10] // a busy hour, whose closings come in late

	defer r.clock.alone()()
	done := make(chan error, 1)
	go func() { done <- late.Observe(t.Context(), schemas.CatchUp, w) }()
	<-slow.answered // the old answer is on its way, its process stopped for hours …
	r.clock.jump(5 * time.Hour)
	if err := prompt.Observe(t.Context(), schemas.CatchUp, w); err != nil {
		t.Fatal(err)
	}
	close(slow.release) // … and comes after the newer one is recorded
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	r.converge()
	want := table{}
	for _, c := range r.sim.Truth("ventas", w.Range) {
		want[[4]string{"ventas", w.From.String(), c.Agent, c.Code}] = c.Interactions
	}
	if len(want) == 0 {
		t.Fatal("the hour is empty: the test shows nothing")
	}
	sameTable(t, "lake", want, r.lakeTable())
	sameTable(t, "events", want, sumEvents(t, r.js))
}

// holding holds every answer back until release.
type holding struct {
	answered, release chan struct{}
	once              sync.Once
}

func (h *holding) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(request)
	h.once.Do(func() { close(h.answered) })
	<-h.release
	return response, err
}
