package sinktest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
)

// random is the law itself: two processes that fail in every way converge on
// a day that moves meanwhile, and once both are done the store holds it, also
// after what was folded before comes late.
func random(t testing.TB, h Harness) {
	handles := []sinks.Sink{open(t, h), open(t, h)}
	run := 0
	rapid.Check(t, func(r *rapid.T) {
		run++
		key := sinks.Key{Operation: fmt.Sprintf("random%d", run), Day: testKey.Day}
		source := NewSource()
		var workers []sinks.Sink
		for i, s := range handles {
			workers = append(workers, Faulty(s, Faults{
				Seed: rapid.Uint64().Draw(r, fmt.Sprint("seed of worker ", i)),
				Load: 0.1, Conflict: 0.1, Before: 0.1, Partial: 0.15, After: 0.15, Limit: 12,
			}))
		}
		for step := range rapid.IntRange(1, 5).Draw(r, "steps") {
			old, _, err := source.Day(t.Context(), key)
			if err != nil {
				r.Fatal(err)
			}
			late := load(t, handles[step%2], key)
			changes := rapid.SliceOfN(changeOfDay(), 1, 4).Draw(r, fmt.Sprint("changes of step ", step))
			if err := settle(t, workers, source, key, changes); err != nil {
				r.Fatalf("step %d: %v", step, err)
			}
			if d := Diff(source.Windows(key), h.Contents(t, key)); d != "" {
				r.Fatalf("step %d: the store does not hold the day (wanted -, held +):\n%s", step, d)
			}
			if _, err := late.Commit(t.Context(), old); err != nil && !errors.Is(err, sinks.ErrConflict) {
				r.Fatalf("step %d: a late commit gave %v, want ErrConflict or nothing", step, err)
			}
			if d := Diff(source.Windows(key), h.Contents(t, key)); d != "" {
				r.Fatalf("step %d: a late commit undid what was held (wanted -, held +):\n%s", step, d)
			}
		}
	})
}

// dayChange is one append to the journal.
type dayChange struct {
	State   schemas.State
	Windows []schemas.Window
}

// changeOfDay draws an append of up to four of eight windows.
func changeOfDay() *rapid.Generator[dayChange] {
	return rapid.Custom(func(r *rapid.T) dayChange {
		c := dayChange{State: rapid.SampledFrom([]schemas.State{schemas.Provisional, schemas.Settled}).Draw(r, "state")}
		for _, i := range rapid.SliceOfNDistinct(rapid.IntRange(0, 7), 1, 4, rapid.ID).Draw(r, "windows") {
			c.Windows = append(c.Windows, unseen(win(i, rowsOfWindow().Draw(r, fmt.Sprint("rows of window ", i))...)))
		}
		return c
	})
}

// rowsOfWindow draws rows of few keys and small counts, so that they collide.
func rowsOfWindow() *rapid.Generator[[]schemas.Row] {
	one := rapid.Custom(func(r *rapid.T) schemas.Row {
		w := row(rapid.SampledFrom([]string{"Ana", "José Núñez", ""}).Draw(r, "agent"),
			rapid.SampledFrom([]string{"1", "0012", "TIMEOUTCHAT", "a.b *>"}).Draw(r, "code"),
			rapid.Int64Range(1, 4).Draw(r, "interactions"))
		if rapid.Bool().Draw(r, "described") {
			d := rapid.SampledFrom([]string{"", "Venta", "Sin respuesta"}).Draw(r, "description")
			w.Description = &d
		}
		return w
	})
	key := func(r schemas.Row) [2]string { return [2]string{r.Agent, r.Code} }
	return rapid.Map(rapid.SliceOfNDistinct(one, 0, 8, key), func(rows []schemas.Row) []schemas.Row {
		return slices.SortedFunc(slices.Values(rows), schemas.Row.Compare)
	})
}

// settle appends changes while workers converge, and returns when each of
// them has come to hold the last.
func settle(t testing.TB, workers []sinks.Sink, source *Source, key sinks.Key, changes []dayChange) error {
	var last atomic.Uint64 // 0 while appends are to come
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	errs := make(chan error, len(workers))
	for _, s := range workers {
		go func() {
			for {
				_, seq, err := sinks.Converge(ctx, s, source, key)
				switch {
				case err != nil && !errors.Is(err, ErrInjected):
					errs <- err
					return
				case err == nil && last.Load() != 0 && seq == last.Load():
					errs <- nil
					return
				}
			}
		}()
	}
	var seq uint64
	for _, c := range changes {
		source.SetState(key, c.State)
		seq = source.Observe(key, c.Windows...)
	}
	last.Store(seq)
	var err error
	for range workers {
		err = errors.Join(err, <-errs)
	}
	return err
}
