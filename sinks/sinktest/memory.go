package sinktest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
)

// Memory is a sink in memory with real guards: a commit that comes after
// another's fails with [sinks.ErrConflict]. All who use one Memory share one
// store, as processes would. It is safe for concurrent use.
type Memory struct {
	mu   sync.Mutex
	days map[sinks.Key]memoryDay
}

// memoryDay is replaced, never changed.
type memoryDay struct {
	version uint64 // counts commits that wrote: the guard
	state   schemas.State
	windows map[string]schemas.Window // by Local
}

// NewMemory makes an empty store.
func NewMemory() *Memory { return &Memory{days: make(map[sinks.Key]memoryDay)} }

// Load implements [sinks.Sink].
func (m *Memory) Load(ctx context.Context, key sinks.Key) (sinks.Held, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return &memoryHeld{memory: m, key: key, version: m.days[key].version}, nil
}

// Close implements [sinks.Sink]; it does nothing, the store stays.
func (m *Memory) Close() error { return nil }

// Contents is what the store holds of a day, sorted by Local, copied; nil
// where nothing was ever written.
func (m *Memory) Contents(key sinks.Key) []schemas.Window {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []schemas.Window
	for _, local := range slices.Sorted(maps.Keys(m.days[key].windows)) {
		all = append(all, cloneWindow(m.days[key].windows[local]))
	}
	return all
}

// State is the state that the store holds for a day, "" where it holds none.
func (m *Memory) State(key sinks.Key) schemas.State {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.days[key].state
}

// Keys are the days that the store holds, in the order of their names.
func (m *Memory) Keys() []sinks.Key {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.SortedFunc(maps.Keys(m.days), func(a, b sinks.Key) int {
		if c := strings.Compare(a.Operation, b.Operation); c != 0 {
			return c
		}
		return strings.Compare(a.Day, b.Day)
	})
}

type memoryHeld struct {
	memory  *Memory
	key     sinks.Key
	version uint64
}

func (h *memoryHeld) Commit(ctx context.Context, day *sinks.Day) (sinks.Change, error) {
	if err := ctx.Err(); err != nil {
		return sinks.Change{}, err
	}
	if day.Key != h.key {
		return sinks.Change{}, fmt.Errorf("committing %s on what was loaded of %s", day.Key, h.key)
	}
	h.memory.mu.Lock()
	defer h.memory.mu.Unlock()
	now := h.memory.days[h.key]
	if now.version != h.version {
		return sinks.Change{}, sinks.ErrConflict
	}
	next := memoryDay{version: now.version + 1, state: now.state, windows: maps.Clone(now.windows)}
	if next.windows == nil {
		next.windows = make(map[string]schemas.Window, len(day.Windows))
	}
	var change sinks.Change
	for _, w := range day.Windows {
		if held, ok := now.windows[w.Local]; ok && !supersedes(w, held) {
			continue
		}
		next.windows[w.Local] = cloneWindow(w)
		change.Windows++
		change.Rows += len(w.Rows)
	}
	if len(day.Windows) > 0 {
		next.state = day.State
	}
	if change.Windows == 0 && next.state == now.state {
		return sinks.Change{}, nil
	}
	change.Writes = 1
	h.memory.days[h.key] = next
	return change, nil
}

// supersedes reports whether w is to take held's place. A newer observation
// does even when its rows are the same: an answer from between the two must
// find that the state moved.
func supersedes(w, held schemas.Window) bool {
	switch {
	case !w.ObservedAt.Equal(held.ObservedAt):
		return w.ObservedAt.After(held.ObservedAt)
	case w.Revision != held.Revision:
		return w.Revision > held.Revision
	}
	return !sameContent(w, held)
}

// sameContent reports whether two states of a window say the same of it, but
// for descriptions.
func sameContent(a, b schemas.Window) bool {
	return a.Method == b.Method && a.Dropped == b.Dropped &&
		slices.EqualFunc(a.Rows, b.Rows, sameRow) &&
		slices.EqualFunc(a.Rejects, b.Rejects, func(x, y schemas.Reject) bool {
			return x.Reason == y.Reason && string(x.Raw) == string(y.Raw)
		})
}

func sameRow(a, b schemas.Row) bool {
	return a.Agent == b.Agent && a.Code == b.Code && a.Interactions == b.Interactions
}

func cloneWindow(w schemas.Window) schemas.Window {
	w.Rows = slices.Clone(w.Rows)
	w.Rejects = slices.Clone(w.Rejects)
	return w
}
