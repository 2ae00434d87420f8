package sinks_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/sinktest"
)

var key = sinks.Key{Operation: "ventas", Day: "2026-11-01"}

// count is a window of one row with that count.
func count(n int64) schemas.Window {
	start := time.Date(2026, 11, 1, 5, 0, 0, 0, time.UTC)
	return schemas.Window{
		Local: "2026-11-01T00:00:00", Start: start, End: start.Add(5 * time.Minute), Method: schemas.Direct,
		Rows: []schemas.Row{{Agent: "Ana", Code: "1", Interactions: n}},
	}
}

// register is a sink of one number, the count of the window above, that has a
// guard and nothing else: it takes what it is given, older or newer, so that
// only the order of Converge's steps keeps it from going back.
type register struct {
	mu      sync.Mutex
	version int
	told    []int64 // every count that was committed, the last is held
	loads   int

	onCommit func(n int) error // called before the n-th try, from 1
	tries    int
}

type registerHeld struct {
	register *register
	version  int
}

func (r *register) Load(ctx context.Context, _ sinks.Key) (sinks.Held, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.loads++
	if r.loads > 50 {
		return nil, errors.New("Converge does not come to an end")
	}
	return registerHeld{r, r.version}, ctx.Err()
}

func (r *register) Close() error { return nil }

func (h registerHeld) Commit(ctx context.Context, day *sinks.Day) (sinks.Change, error) {
	r := h.register
	r.mu.Lock()
	r.tries++
	tries := r.tries
	r.mu.Unlock()
	if r.onCommit != nil {
		if err := r.onCommit(tries); err != nil {
			return sinks.Change{}, err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return sinks.Change{}, err
	}
	if h.version != r.version {
		return sinks.Change{}, sinks.ErrConflict
	}
	n := day.Windows[0].Rows[0].Interactions
	if len(r.told) > 0 && r.told[len(r.told)-1] == n {
		return sinks.Change{}, nil
	}
	r.version++
	r.told = append(r.told, n)
	return sinks.Change{Windows: 1, Rows: 1, Writes: 1}, nil
}

// mustConverge converges and gives the sequence reached.
func mustConverge(t *testing.T, s sinks.Sink, source sinks.Source) (sinks.Change, uint64) {
	t.Helper()
	change, seq, err := sinks.Converge(t.Context(), s, source, key)
	if err != nil {
		t.Fatalf("Converge: %v", err)
	}
	return change, seq
}

func TestConvergeTellsWhatItWroteAndHowFar(t *testing.T) {
	source, sink := sinktest.NewSource(), sinktest.NewMemory()
	want := source.Observe(key, count(3))
	change, seq := mustConverge(t, sink, source)
	if seq != want || change != (sinks.Change{Windows: 1, Rows: 1, Writes: 1}) {
		t.Errorf("first: %+v up to %d, want one window up to %d", change, seq, want)
	}
	if d := sinktest.Diff(source.Windows(key), sink.Contents(key)); d != "" {
		t.Error(d)
	}
	if change, seq := mustConverge(t, sink, source); seq != want || change != (sinks.Change{}) {
		t.Errorf("again: %+v up to %d, want nothing up to %d", change, seq, want)
	}
}

// An old answer arrives late: this worker has folded the journal when another
// one, woken by a newer observation, does the whole work.
func TestConvergeRefusesAFoldOlderThanAnothersCommit(t *testing.T) {
	source, sink := sinktest.NewSource(), new(register)
	source.Observe(key, count(1))
	source.OnFold = func(_ sinks.Key, n int) {
		if n != 1 {
			return
		}
		source.Observe(key, count(2))
		mustConverge(t, sink, source)
	}
	mustConverge(t, sink, source)
	if !slices.Equal(sink.told, []int64{2}) {
		t.Errorf("the sink was told %v, want only the newer count, 2", sink.told)
	}
}

// The same between the fold and a first commit that conflicts: the second try
// has to fold anew, too.
func TestConvergeFoldsAnewAfterAConflict(t *testing.T) {
	source, sink := sinktest.NewSource(), new(register)
	source.Observe(key, count(1))
	sink.onCommit = func(n int) error {
		if n != 1 {
			return nil
		}
		source.Observe(key, count(2))
		mustConverge(t, sink, source)
		return sinks.ErrConflict
	}
	mustConverge(t, sink, source)
	if !slices.Equal(sink.told, []int64{2}) {
		t.Errorf("the sink was told %v, want only 2", sink.told)
	}
}

func TestConvergeStartsOverWhenTheJournalMoves(t *testing.T) {
	source, sink := sinktest.NewSource(), sinktest.NewMemory()
	source.Observe(key, count(1))
	moves := 3
	var last uint64
	// Odd folds precede a commit, even ones follow it. The move comes after the
	// fold that is to be committed was made.
	source.OnFold = func(_ sinks.Key, n int) {
		if n%2 == 1 && moves > 0 {
			moves--
			last = source.Observe(key, count(int64(10+n)))
		}
	}
	change, seq := mustConverge(t, sink, source)
	if seq != last {
		t.Errorf("converged up to %d, want %d", seq, last)
	}
	if change.Writes != 4 {
		t.Errorf("%+v, want the writes of all four rounds counted", change)
	}
	if d := sinktest.Diff(source.Windows(key), sink.Contents(key)); d != "" {
		t.Errorf("the sink stays behind the journal:\n%s", d)
	}
}

// A move without new windows, such as a day's settling, counts as well.
func TestConvergeSeesADaySettle(t *testing.T) {
	source, sink := sinktest.NewSource(), sinktest.NewMemory()
	source.Observe(key, count(1))
	source.OnFold = func(_ sinks.Key, n int) {
		if n == 1 {
			source.SetState(key, schemas.Settled)
		}
	}
	mustConverge(t, sink, source)
	if got := sink.State(key); got != schemas.Settled {
		t.Errorf("the sink holds the day as %q, want settled", got)
	}
}

func TestConvergeBacksOffBetweenConflicts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source, sink := sinktest.NewSource(), new(register)
		source.Observe(key, count(1))
		begin := time.Now()
		var at []time.Duration
		sink.onCommit = func(n int) error {
			at = append(at, time.Since(begin))
			if n <= 12 {
				return fmt.Errorf("batch 7: %w", sinks.ErrConflict)
			}
			return nil
		}
		mustConverge(t, sink, source)
		var waits []time.Duration
		for i := 1; i < len(at); i++ {
			waits = append(waits, (at[i]-at[i-1]).Round(time.Millisecond)/time.Millisecond)
		}
		if want := []time.Duration{0, 10, 20, 40, 80, 160, 320, 640, 1000, 1000, 1000, 1000}; !slices.Equal(waits, want) {
			t.Errorf("waited %d ms, want %d", waits, want)
		}
		if sink.loads != 13 || !slices.Equal(sink.told, []int64{1}) {
			t.Errorf("after %d loads the sink was told %v, want 13 and [1]", sink.loads, sink.told)
		}
	})
}

func TestConvergeEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source, sink := sinktest.NewSource(), new(register)
		source.Observe(key, count(1))
		sink.onCommit = func(int) error { return sinks.ErrConflict }
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		begin := time.Now()
		_, _, err := sinks.Converge(ctx, sink, source, key)
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, sinks.ErrConflict) {
			t.Errorf("Converge gave %v, want the deadline", err)
		}
		if took := time.Since(begin); took != 2500*time.Millisecond {
			t.Errorf("it ended after %v, want at the deadline", took)
		}
	})
}

var errBroken = errors.New("broken")

type brokenSource struct {
	*sinktest.Source
	after int
}

func (s *brokenSource) Day(ctx context.Context, key sinks.Key) (*sinks.Day, uint64, error) {
	if s.after == 0 {
		return nil, 0, errBroken
	}
	s.after--
	return s.Source.Day(ctx, key)
}

// Errors other than conflicts go to the caller, naming the day and the step.
func TestConvergeGivesErrorsToItsCaller(t *testing.T) {
	source := sinktest.NewSource()
	source.Observe(key, count(1))
	faulty := func(f sinktest.Faults) sinks.Sink { return sinktest.Faulty(sinktest.NewMemory(), f) }
	for name, c := range map[string]struct {
		sink   sinks.Sink
		source sinks.Source
		want   error
		text   string
		writes int
	}{
		"load":         {faulty(sinktest.Faults{Load: 1}), source, sinktest.ErrInjected, "reading the sink's state of ventas 2026-11-01", 0},
		"before":       {faulty(sinktest.Faults{Before: 1}), source, sinktest.ErrInjected, "committing ventas 2026-11-01", 0},
		"after":        {faulty(sinktest.Faults{After: 1}), source, sinktest.ErrInjected, "committing ventas 2026-11-01", 0},
		"first fold":   {faulty(sinktest.Faults{}), &brokenSource{source, 0}, errBroken, "reading the journal's state of ventas 2026-11-01", 0},
		"second fold":  {faulty(sinktest.Faults{}), &brokenSource{source, 1}, errBroken, "again", 1},
		"its own kind": {&typed{}, source, errBroken, "the hint", 0},
	} {
		change, _, err := sinks.Converge(t.Context(), c.sink, c.source, key)
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) || change.Writes != c.writes {
			t.Errorf("%s: %+v and %v, want %d writes and an error of %q that says %q", name, change, err, c.writes, c.want, c.text)
		}
	}
}

// typed fails with a sinks.Error, which must come through.
type typed struct{ sinks.Sink }

func (typed) Load(context.Context, sinks.Key) (sinks.Held, error) {
	return nil, &sinks.Error{Op: "opening the bucket", Hint: "the hint", Err: errBroken}
}
