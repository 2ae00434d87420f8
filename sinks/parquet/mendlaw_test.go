package parquet

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/lake"
	"wolkpipe/sinks/sinktest"
)

// spoil damages a day in one of many ways.
func spoil(s *spoiled, random *rand.Rand, names []string, old [][]byte) error {
	rows, lines := names[0], names[1]
	i := random.IntN(2)
	switch random.IntN(5) {
	case 0:
		if err := os.Remove(s.path(names[i])); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	case 1:
		if old[i] != nil {
			writeFile(s.t, s.path(names[i]), old[i])
		}
	case 2:
		writeFile(s.t, s.path(names[i]), []byte("torn"))
	case 3:
		rewriteAny(s, lake.Rows, rows, func(all []lake.RowRecord) []lake.RowRecord {
			r := lake.RowRecord{WindowLocal: lake.WallClock(epoch.UnixMicro()) - 5*3600*1e6 + lake.WallClock(random.IntN(6)*300*1e6), Agent: "Nobody", Interactions: 4, ObservedAt: future}
			return append(all, r)
		})
	case 4:
		rewriteAny(s, lake.Windows, lines, func(all []lake.WindowRecord) []lake.WindowRecord {
			if len(all) > 0 {
				all[random.IntN(len(all))].ObservedAt = future
			}
			return all
		})
	}
	return nil
}

// rewriteAny is rewrite of an object that may be missing or unreadable.
func rewriteAny[R lake.Record[R]](s *spoiled, c *lake.Codec[R], name string, edit func([]R) []R) {
	data, err := os.ReadFile(s.path(name))
	if err == nil {
		_, _, err = c.Decode(data)
	}
	if err == nil {
		rewrite(s, c, name, edit)
	}
}

// TestMendLaw: however a lake is damaged, two processes that mend it and one
// that converges as always, each losing puts before and after they were done,
// on a journal that moves meanwhile, leave it right.
func TestMendLaw(t *testing.T) {
	sink, root := openDir(t)
	second, err := Open(t.Context(), Options{Bucket: "file://" + root})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = second.Close() }()
	var run atomic.Int64
	rapid.Check(t, func(r *rapid.T) {
		key := sinks.Key{Operation: fmt.Sprintf("run%d", run.Add(1)), Day: key.Day}
		rows, lines, err := names(key)
		if err != nil {
			r.Fatal(err)
		}
		s := &spoiled{t: t, sink: sink, root: root, source: sinktest.NewSource()}
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(r, "damage"), 0))
		observe := func() {
			s.source.Observe(key, drawWindows(r)...)
			s.source.SetState(key, rapid.SampledFrom([]schemas.State{schemas.Provisional, schemas.Settled}).Draw(r, "state"))
		}
		var old [][]byte
		for range 2 {
			observe()
			if _, _, err := sinks.Converge(t.Context(), sink, s.source, key); err != nil {
				r.Fatal(err)
			}
			if old == nil {
				for _, name := range []string{rows, lines} {
					data, _ := os.ReadFile(s.path(name)) // nil where it is not there
					old = append(old, data)
				}
			}
		}
		for range rapid.IntRange(1, 3).Draw(r, "damages") {
			if err := spoil(s, random, []string{rows, lines}, old); err != nil {
				r.Fatal(err)
			}
		}
		var all sync.WaitGroup
		hint := make(chan struct{}) // as an observation gives one
		for i, store := range []store{sink.store, second.store, second.store} {
			luck := rand.New(rand.NewPCG(rapid.Uint64().Draw(r, "seed"), 0))
			worker := newSink(&faulty{store: store, fail: func(string) fault {
				return []fault{none, none, none, none, before, after}[luck.IntN(6)]
			}}, nil)
			until := func(work func() error) {
				for err := errInjected; errors.Is(err, errInjected); {
					if err = work(); err != nil && !errors.Is(err, errInjected) {
						panic(err)
					}
				}
			}
			converge := func() error {
				_, _, err := sinks.Converge(t.Context(), worker, s.source, key)
				return err
			}
			mend := func() error {
				_, err := sinks.Mend(t.Context(), worker, s.source, key.Operation, []string{key.Day})
				return err
			}
			all.Go(func() {
				if i > 0 {
					until(mend)
					return
				}
				until(converge)
				<-hint
				until(converge)
			})
		}
		observe()
		close(hint)
		all.Wait()
		day, _, _ := s.source.Day(t.Context(), key)
		wantState(t, sink, day)
		found, err := sink.Audit(t.Context(), key.Operation, []string{key.Day})
		if err != nil {
			r.Fatal(err)
		}
		if left := sinks.Differences(day, found[key.Day]); len(left) > 0 {
			r.Fatalf("there differ %q", left)
		}
		mustOffer(t, second, day, sinks.Change{})
	})
}
