package parquet

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/sinktest"
)

// drawWindows draws what was newly seen of a few windows of a short day.
func drawWindows(r *rapid.T) []schemas.Window {
	var windows []schemas.Window
	for _, n := range rapid.SliceOfNDistinct(rapid.IntRange(0, 5), 1, 3, rapid.ID).Draw(r, "windows") {
		w := win(n, 0)
		w.Revision, w.ObservedAt = 0, time.Time{} // the journal's to give
		for _, code := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"", "0012", "12", "ñ"}), 0, 3, rapid.ID).Draw(r, "codes") {
			w.Method = schemas.Direct
			w.Rows = append(w.Rows, row(rapid.SampledFrom([]string{"Ana", "Íñigo"}).Draw(r, "agent"), code, rapid.Int64Range(1, 3).Draw(r, "count")))
		}
		windows = append(windows, w)
	}
	return windows
}

// TestLaw: two sinks on one folder, each losing puts before and after they
// were done, come to hold the day as it now is, and never go back; what is
// read meanwhile is whole.
func TestLaw(t *testing.T) {
	first, root := openDir(t)
	second, err := Open(t.Context(), Options{Bucket: "file://" + root})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = second.Close() }()
	var run atomic.Int64
	rapid.Check(t, func(r *rapid.T) {
		key := sinks.Key{Operation: fmt.Sprintf("run%d", run.Add(1)), Day: key.Day}
		source := sinktest.NewSource()
		var workers []*Sink
		for _, s := range []*Sink{first, second} {
			random := rand.New(rand.NewPCG(rapid.Uint64().Draw(r, "seed"), 0))
			workers = append(workers, newSink(&faulty{store: s.store, fail: func(string) fault {
				return []fault{none, none, none, none, before, after}[random.IntN(6)]
			}}, nil))
		}
		ctx, stop := context.WithCancel(t.Context())
		reader := make(chan error, 1)
		go func() { reader <- poll(ctx, first, key) }()
		for range rapid.IntRange(1, 3).Draw(r, "steps") {
			stale, _, err := source.Day(ctx, key)
			if err != nil {
				r.Fatal(err)
			}
			source.Observe(key, drawWindows(r)...)
			source.SetState(key, rapid.SampledFrom([]schemas.State{schemas.Provisional, schemas.Settled}).Draw(r, "state"))
			var all sync.WaitGroup
			for i, s := range workers {
				all.Go(func() {
					if i == 1 { // an old answer comes late, alone, and twice
						_, _ = offer(ctx, s, stale)
						_, _ = offer(ctx, s, stale)
					}
					for {
						if _, _, err := sinks.Converge(ctx, s, source, key); !errors.Is(err, errInjected) {
							if err != nil {
								panic(err)
							}
							return
						}
					}
				})
			}
			all.Wait()
			now, _, _ := source.Day(ctx, key)
			wantState(t, first, now)
			mustOffer(t, second, now, sinks.Change{})
		}
		stop()
		if err := <-reader; err != nil {
			r.Fatal(err)
		}
	})
	if left := slices.DeleteFunc(files(t, root), isObject); !slices.Equal(left, []string{probeName, lockName}) {
		t.Fatalf("beside the objects there are %q", left)
	}
}

// poll reads a day again and again: it fails if an object is ever not whole,
// or a window is told in two states at once.
func poll(ctx context.Context, s *Sink, key sinks.Key) error {
	for {
		rows, err := s.Rows(ctx, key)
		if err == nil {
			_, err = s.Coverage(ctx, key)
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("a reader: %w", err)
		}
		for i := 1; i < len(rows); i++ {
			a, b := rows[i-1], rows[i]
			if a.Compare(b) >= 0 || a.WindowLocal == b.WindowLocal && a.ObservedAt != b.ObservedAt {
				return fmt.Errorf("a reader saw %+v beside %+v", a, b)
			}
		}
	}
}
