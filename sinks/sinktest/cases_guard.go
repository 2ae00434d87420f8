package sinktest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
)

// patience ends a case in which a sink conflicts with itself for ever.
const patience = 2 * time.Minute

// patient is a context for what may have to be tried again.
func patient(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// static is a source of one day that never moves.
type static struct{ day *sinks.Day }

func (s static) Day(ctx context.Context, key sinks.Key) (*sinks.Day, uint64, error) {
	if key != s.day.Key {
		return nil, 0, fmt.Errorf("asked for %s, have %s", key, s.day.Key)
	}
	return s.day, 1, ctx.Err()
}

// converge brings s to hold day, conflicts or not.
func converge(t testing.TB, s sinks.Sink, day *sinks.Day) sinks.Change {
	t.Helper()
	change, _, err := sinks.Converge(patient(t), s, static{day}, day.Key)
	if err != nil {
		t.Fatalf("Converge: %v", err)
	}
	return change
}

// commitLate commits on a guard that others may have moved: it may work or
// conflict, and nothing else.
func commitLate(t testing.TB, held sinks.Held, day *sinks.Day) (refused bool) {
	t.Helper()
	_, err := held.Commit(t.Context(), day)
	if err != nil && !errors.Is(err, sinks.ErrConflict) {
		t.Fatalf("a late Commit of %s failed with %v, want ErrConflict or nothing", day.Key, err)
	}
	return err != nil
}

// guardCases: several processes on one store lose nothing of each other's.
var guardCases = []testCase{
	{"two first fills of different windows", func(t testing.TB, h Harness) {
		one, two := open(t, h), open(t, h)
		heldOne, heldTwo := load(t, one, testKey), load(t, two, testKey)
		dayOne := fold(win(0, row("Ana", "1", 1)), win(1))
		dayTwo := fold(win(2, row("Ana", "1", 2), row("Luis", "1", 1)), win(3))
		if commitLate(t, heldOne, dayOne) {
			t.Fatal("the first of two commits was refused")
		}
		if commitLate(t, heldTwo, dayTwo) {
			check(t, h, testKey, dayOne.Windows)
			converge(t, two, dayTwo)
		}
		check(t, h, testKey, append(dayOne.Windows, dayTwo.Windows...))
	}},
	{"two corrections of different windows", func(t testing.TB, h Harness) {
		one, two := open(t, h), open(t, h)
		first := fold(win(0, row("Ana", "1", 1)), win(1, row("Ana", "1", 1)))
		commit(t, one, first)
		heldOne, heldTwo := load(t, one, testKey), load(t, two, testKey)
		a, b := later(win(0, row("Ana", "1", 5)), 1), later(win(1, row("Luis", "1", 4)), 2)
		if commitLate(t, heldOne, fold(a)) {
			t.Fatal("the first of two commits was refused")
		}
		if commitLate(t, heldTwo, fold(b)) {
			converge(t, two, fold(b))
		}
		check(t, h, testKey, []schemas.Window{a, b})
	}},
	{"two commits of the same", func(t testing.TB, h Harness) {
		one, two := open(t, h), open(t, h)
		for i, day := range []*sinks.Day{
			fold(win(0, row("Ana", "1", 1), row("Luis", "1", 2)), win(1)),
			fold(later(win(0, row("Ana", "1", 4)), 1), later(win(1, row("Eva", "1", 1)), 1)),
		} {
			heldOne, heldTwo := load(t, one, testKey), load(t, two, testKey)
			if commitLate(t, heldOne, day) {
				t.Fatalf("round %d: the first of two commits was refused", i)
			}
			commitLate(t, heldTwo, day)
			check(t, h, testKey, day.Windows)
			idle(t, converge(t, two, day))
		}
	}},
	{"a stale holder with a newer observation", func(t testing.TB, h Harness) {
		one, two := open(t, h), open(t, h)
		commit(t, one, fold(win(0, row("Ana", "1", 1), row("Eva", "1", 1))))
		stale := load(t, two, testKey)
		commit(t, one, fold(later(win(0, row("Ana", "1", 2), row("Luis", "1", 3)), 1)))
		newest := fold(later(win(0, row("Ana", "1", 7)), 2))
		if commitLate(t, stale, newest) {
			converge(t, two, newest)
		}
		check(t, h, testKey, newest.Windows)
		idle(t, converge(t, one, newest))
	}},
	{"a stale holder with an older observation", func(t testing.TB, h Harness) {
		one, two := open(t, h), open(t, h)
		older := fold(later(win(0, row("Ana", "1", 2)), 1), later(win(1, row("Luis", "1", 1)), 1))
		newer := fold(later(win(0, row("Ana", "1", 7)), 2), later(win(1), 2))
		// On a store without the day, then on one that has it.
		for _, before := range []*sinks.Day{fold(), fold(win(0, row("Ana", "1", 1)), win(1))} {
			before.Operation = fmt.Sprintf("fill%d", len(before.Windows))
			older.Key, newer.Key = before.Key, before.Key
			commit(t, one, before)
			stale := load(t, two, before.Key)
			wrote(t, commit(t, one, newer), 2)
			commitLate(t, stale, older)
			check(t, h, before.Key, newer.Windows)
			idle(t, converge(t, two, newer))
		}
	}},
	{"a stale holder, the content back at what it was", func(t testing.TB, h Harness) {
		one, two := open(t, h), open(t, h)
		commit(t, one, fold(win(0, row("Ana", "1", 1))))
		stale := load(t, two, testKey)
		// The sink never heard of what lay between, and is told of it too late.
		between := fold(later(win(0, row("Ana", "1", 9)), 1))
		now := fold(later(win(0, row("Ana", "1", 1)), 2))
		commit(t, one, now)
		commitLate(t, stale, between)
		check(t, h, testKey, now.Windows)
	}},
	{"a handle opened before others wrote", func(t testing.TB, h Harness) {
		one, two := open(t, h), open(t, h)
		for i := range 4 {
			day := fold(later(win(0, row("Ana", "1", int64(i+1)), row(fmt.Sprint(i), "1", 1)), i))
			writer, reader := one, two
			if i%2 == 1 {
				writer, reader = two, one
			}
			wrote(t, commit(t, writer, day), 1)
			idle(t, commit(t, reader, day))
			check(t, h, testKey, day.Windows)
		}
	}},
	{"a race", race},
	{"readers see before or after", watch},
}

// race lets four processes commit a window each on the same guard, round for
// round: whoever is told that it worked finds its window held.
func race(t testing.TB, h Harness) {
	const workers, rounds = 4, 5
	var handles []sinks.Sink
	for range workers {
		handles = append(handles, open(t, h))
	}
	held := make(map[int]schemas.Window)
	for round := range rounds {
		var loaded []sinks.Held
		for _, s := range handles {
			loaded = append(loaded, load(t, s, testKey))
		}
		errs := make([]error, workers)
		days := make([]*sinks.Day, workers)
		var all sync.WaitGroup
		start := make(chan struct{})
		for i := range workers {
			days[i] = fold(later(win(i, row("Ana", fmt.Sprint(round), 1), row("Luis", "1", int64(round+1))), round))
			all.Go(func() {
				<-start
				_, errs[i] = loaded[i].Commit(t.Context(), days[i])
			})
		}
		close(start)
		all.Wait()
		for i, err := range errs {
			switch {
			case err == nil:
				held[i] = days[i].Windows[0]
			case !errors.Is(err, sinks.ErrConflict):
				t.Fatalf("round %d: a commit among others failed with %v, want ErrConflict", round, err)
			}
		}
		var want []schemas.Window
		for _, w := range held {
			want = append(want, w)
		}
		check(t, h, testKey, want)
	}
	for i, s := range handles {
		held[i] = later(win(i, row("Eva", "2", 3)), rounds)
		converge(t, s, fold(held[i]))
	}
	check(t, h, testKey, []schemas.Window{held[0], held[1], held[2], held[3]})
}

// watch reads a day while two processes change it. Version v of a window has
// v%4 rows, each with the count v.
func watch(t testing.TB, h Harness) {
	watcher, ok := h.(Watcher)
	if !ok {
		t.Skip("the harness cannot be read while commits are under way")
	}
	const versions, windows = 30, 4
	source := NewSource()
	errs := make(chan error, 2)
	ctx := patient(t)
	for range 2 {
		s := open(t, h)
		go func() {
			for v := 1; v <= versions; v++ {
				for i := range windows {
					var rows []schemas.Row
					for r := range v % 4 {
						rows = append(rows, row(fmt.Sprint("agent ", r), "1", int64(v)))
					}
					source.Observe(testKey, unseen(win(i, rows...)))
				}
				if _, _, err := sinks.Converge(ctx, s, source, testKey); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for running := 2; running > 0; {
		select {
		case err := <-errs:
			running--
			if err != nil {
				t.Fatalf("Converge: %v", err)
			}
		default:
		}
		for _, w := range watcher.Watch(t, testKey) {
			for _, r := range w.Rows {
				if int(r.Interactions%4) != len(w.Rows) || r.Interactions != w.Rows[0].Interactions {
					t.Fatalf("between two commits, window %s was read as %+v", w.Local, w.Rows)
				}
			}
		}
	}
	check(t, h, testKey, source.Windows(testKey))
}
