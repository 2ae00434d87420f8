package sinktest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"

	"wolkpipe/sinks"
)

// ErrInjected is the failure that a [Faulty] sink makes up.
var ErrInjected = errors.New("injected failure")

// Faults says how often a [Faulty] sink fails. Chances lie between 0, never,
// and 1, always; those of a commit are tried in the order in which they stand.
type Faults struct {
	Seed uint64 // of the choices; one goroutine sees the same faults again

	Load     float64 // Load fails
	Conflict float64 // Commit tells ErrConflict, having done nothing
	Before   float64 // Commit fails, having done nothing
	Partial  float64 // Commit commits some of the windows, then tells ErrConflict
	After    float64 // Commit commits, then fails: the answer was lost

	Limit int // so many faults and then none; 0: no limit
}

// Faulty is s, failing as f says. A made-up failure is [ErrInjected] or
// [sinks.ErrConflict]. Closing it closes s.
func Faulty(s sinks.Sink, f Faults) sinks.Sink {
	return &faulty{sink: s, faults: f, random: rand.New(rand.NewPCG(f.Seed, 0))}
}

type faulty struct {
	sink   sinks.Sink
	faults Faults

	mu     sync.Mutex
	random *rand.Rand
	made   int
}

// strike decides whether a fault of that chance happens now.
func (f *faulty) strike(chance float64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.faults.Limit > 0 && f.made >= f.faults.Limit || f.random.Float64() >= chance {
		return false
	}
	f.made++
	return true
}

// some is a part of day: each window by the toss of a coin.
func (f *faulty) some(day *sinks.Day) *sinks.Day {
	f.mu.Lock()
	defer f.mu.Unlock()
	part := *day
	part.Windows = nil
	for _, w := range day.Windows {
		if f.random.IntN(2) == 0 {
			part.Windows = append(part.Windows, w)
		}
	}
	return &part
}

func (f *faulty) Load(ctx context.Context, key sinks.Key) (sinks.Held, error) {
	if f.strike(f.faults.Load) {
		return nil, fmt.Errorf("loading %s: %w", key, ErrInjected)
	}
	held, err := f.sink.Load(ctx, key)
	if err != nil {
		return nil, err
	}
	return &faultyHeld{held, f}, nil
}

func (f *faulty) Close() error { return f.sink.Close() }

type faultyHeld struct {
	held   sinks.Held
	faulty *faulty
}

func (h *faultyHeld) Commit(ctx context.Context, day *sinks.Day) (sinks.Change, error) {
	f := h.faulty
	switch {
	case f.strike(f.faults.Conflict):
		return sinks.Change{}, sinks.ErrConflict
	case f.strike(f.faults.Before):
		return sinks.Change{}, fmt.Errorf("before committing %s: %w", day.Key, ErrInjected)
	case f.strike(f.faults.Partial):
		change, err := h.held.Commit(ctx, f.some(day))
		if err == nil {
			err = sinks.ErrConflict
		}
		return change, err
	case f.strike(f.faults.After):
		if _, err := h.held.Commit(ctx, day); err != nil {
			return sinks.Change{}, err
		}
		return sinks.Change{}, fmt.Errorf("after committing %s: %w", day.Key, ErrInjected)
	}
	return h.held.Commit(ctx, day)
}
