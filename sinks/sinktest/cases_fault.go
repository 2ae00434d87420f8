package sinktest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
)

// faultCases: whatever fails, the next try mends it.
var faultCases = []testCase{
	{"a context that has ended", func(t testing.TB, h Harness) {
		s := open(t, h)
		day := fold(win(0, row("Ana", "1", 1)))
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Load(ended, testKey); err == nil {
			t.Error("Load under an ended context gave no error")
		}
		held := load(t, s, testKey)
		if _, err := held.Commit(ended, day); !errors.Is(err, context.Canceled) {
			t.Errorf("Commit under an ended context gave %v, want context.Canceled", err)
		}
		converge(t, s, day)
		check(t, h, testKey, day.Windows)
	}},
	{"a context that ends while committing", cancelled},
	{"lost answers", func(t testing.TB, h Harness) {
		s := open(t, h)
		source := NewSource()
		for i := range int64(6) {
			source.Observe(testKey,
				unseen(win(0, row("Ana", "1", i+1), row(fmt.Sprint(i%3), "1", 2))),
				unseen(win(1, manyRows(int(i)%3, func(int) int64 { return i + 1 })...)))
			lossy := Faulty(s, Faults{After: 1, Limit: 2})
			for range 2 {
				if _, _, err := sinks.Converge(patient(t), lossy, source, testKey); !errors.Is(err, ErrInjected) {
					t.Fatalf("Converge gave %v, want the lost answer", err)
				}
			}
			change, _, err := sinks.Converge(patient(t), lossy, source, testKey)
			if err != nil {
				t.Fatalf("Converge: %v", err)
			}
			idle(t, change)
			check(t, h, testKey, source.Windows(testKey))
		}
	}},
	{"half of a day committed, then a conflict", func(t testing.TB, h Harness) {
		s := open(t, h)
		source := NewSource()
		for round := range int64(4) {
			for i := range 12 {
				source.Observe(testKey, unseen(win(i, row("Ana", "1", round+int64(i)+1), row(fmt.Sprint(round), "1", 1))))
			}
			halting := Faulty(s, Faults{Seed: uint64(round), Partial: 1, Limit: 2})
			if _, _, err := sinks.Converge(patient(t), halting, source, testKey); err != nil {
				t.Fatalf("Converge: %v", err)
			}
			check(t, h, testKey, source.Windows(testKey))
		}
	}},
	{"random changes, faults and two processes", random},
}

// countdown is a context that ends when it has been looked at so many times:
// an end at any moment, without a clock.
type countdown struct {
	context.Context
	end  context.CancelFunc
	left atomic.Int64
}

func newCountdown(ctx context.Context, looks int) *countdown {
	c := new(countdown)
	c.Context, c.end = context.WithCancel(ctx)
	c.left.Store(int64(looks))
	return c
}

func (c *countdown) look() {
	if c.left.Add(-1) < 0 {
		c.end()
	}
}

func (c *countdown) Done() <-chan struct{} { c.look(); return c.Context.Done() }
func (c *countdown) Err() error            { c.look(); return c.Context.Err() }

// cancelled ends the context of a commit ever later, until one is done before.
func cancelled(t testing.TB, h Harness) {
	const windows, most = 6, 40
	s := open(t, h)
	day := fold()
	for i := range windows {
		day.Windows = append(day.Windows, win(i))
	}
	commit(t, s, day)
	for looks := range most {
		next := fold()
		for i := range windows {
			n := int64(looks + i + 1)
			next.Windows = append(next.Windows, later(win(i, row("Ana", "1", n), row(fmt.Sprint(looks), "1", 1), row("Luis", "2", 2*n)), looks+1))
		}
		held := load(t, s, testKey)
		ctx := newCountdown(t.Context(), looks)
		_, err := held.Commit(ctx, next)
		ctx.end()
		got := h.Contents(t, testKey)
		for i := range windows {
			if Diff(day.Windows[i:i+1], only(got, i)) != "" && Diff(next.Windows[i:i+1], only(got, i)) != "" {
				t.Fatalf("after a commit that ended at look %d with %v, window %d is neither what it was nor what it is:\n%s",
					looks, err, i, Diff(next.Windows[i:i+1], only(got, i)))
			}
		}
		if err == nil {
			check(t, h, testKey, next.Windows)
		}
		converge(t, s, next)
		check(t, h, testKey, next.Windows)
		day = next
		if err == nil {
			break
		}
	}
}

// only is what got says of the i-th window.
func only(got []schemas.Window, i int) []schemas.Window {
	var some []schemas.Window
	for _, w := range got {
		if w.Local == win(i).Local {
			some = append(some, w)
		}
	}
	return some
}
