package pipeline

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"wolkpipe/pipeline/window"
	"wolkpipe/schemas"
	"wolkpipe/sinks"
)

// errAway is what a store says that is not there.
var errAway = errors.New("dial tcp 192.0.2.1:443: connect: no route to host")

// awayable is a sink whose store can be away.
type awayable struct {
	sinks.Sink
	away *atomic.Bool
}

func (s awayable) Load(ctx context.Context, key sinks.Key) (sinks.Held, error) {
	if s.away.Load() {
		return nil, errAway
	}
	return s.Sink.Load(ctx, key)
}

// TestSinkAwayForAWeek has the lake's store away, or the stream of events refuse
// everything, for a week: polling goes on, what waits is told, nothing grows with
// it, and the sink holds all of it soon after.
func TestSinkAwayForAWeek(t *testing.T) {
	for _, c := range []struct{ sink, says string }{
		{"lake", errAway.Error()},
		{"events", "maximum allowed"},
	} {
		t.Run(c.sink, func(t *testing.T) { // one after the other: goroutines and memory are the process's
			r := newRig(t, oneOperation(), 1, noon)
			r.since, r.window = window.DateOf(2026, 11, 10), 15*time.Minute
			var gone atomic.Bool
			r.wrap = func(name string, s sinks.Sink) sinks.Sink {
				if name == "lake" {
					return awayable{s, &gone}
				}
				return s
			}
			away := func(is bool) {
				if c.sink == "lake" {
					gone.Store(is)
					return
				}
				size := int32(-1)
				if is {
					size = 1
				}
				r.limit(schemas.EventsStream, size)
			}
			p := r.pipeline()
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- p.Run(ctx) }()
			begin := noon.Add(time.Hour)
			r.clock.until(t, begin)
			sinkOf := func() SinkStatus {
				for _, s := range p.Status(t.Context()).Sinks {
					if s.Name == c.sink {
						return s
					}
				}
				t.Fatal("the sink is not in the status")
				return SinkStatus{}
			}
			await := func(what string, ok func(SinkStatus) bool) time.Duration {
				for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
					s := sinkOf()
					if ok(s) {
						return time.Since(began)
					}
					if time.Since(began) > 2*time.Minute {
						t.Fatalf("the sink never %s: %+v", what, s)
					}
				}
			}
			await("converged", func(s SinkStatus) bool { return s.Backlog == 0 && s.Error == "" })
			heap, routines := footprint()

			away(true)
			days := 7
			if testing.Short() {
				days = 2
			}
			windows := days * 24 * 4
			r.clock.until(t, begin.Add(time.Duration(days)*24*time.Hour))
			if op := p.Status(t.Context()).Operations[0]; op.Missing > 0 || op.LagSeconds > 30*60 || op.State != "running" {
				t.Errorf("polling suffers: %d missing, lag %.0f s, %s %s", op.Missing, op.LagSeconds, op.State, op.Error)
			}
			await("told its backlog", func(s SinkStatus) bool {
				return s.Backlog >= windows && s.Failing >= days && strings.Contains(s.Error, c.says)
			})
			heapAfter, routinesAfter := footprint()
			if heapAfter-heap > 128<<20 || routinesAfter-routines > 40+10*days {
				t.Errorf("memory grows: %d MB and %d goroutines before, %d MB and %d after", heap>>20, routines, heapAfter>>20, routinesAfter)
			}

			away(false)
			took := await("caught up", func(s SinkStatus) bool { return s.Backlog == 0 && s.Error == "" && s.Failing == 0 })
			cancel()
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			r.grace = 15 * time.Minute
			r.check(r.last())
			t.Logf("%s away: %d days, %d windows checked, converged after %.1f s; %d MB and %d goroutines before, %d MB and %d after",
				c.sink, days, windows, took.Seconds(), heap>>20, routines, heapAfter>>20, routinesAfter)
		})
	}
}

// limit sets how large a stream's messages may be.
func (r *rig) limit(stream string, size int32) {
	r.t.Helper()
	s, err := r.js.Stream(r.t.Context(), stream)
	if err != nil {
		r.t.Fatal(err)
	}
	config := s.CachedInfo().Config
	config.MaxMsgSize = size
	if _, err := r.js.UpdateStream(r.t.Context(), config); err != nil {
		r.t.Fatal(err)
	}
}

// footprint is what the process takes, once what nobody needs is let go of. Other
// tests run beside: it is a rough measure.
func footprint() (heap int64, goroutines int) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc), runtime.NumGoroutine()
}
