package sinktest

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
)

// A flaw is a way in which drivers go wrong.
type flaw string

// flaws are each what one of the suite's cases exists for.
var flaws = []flaw{
	"no guard", "guard blind to a first fill", "guard unmoved by equal rows", "the last one wins",
	"goes back", "refuses what is partly older", "compares by rows alone",
	"adds instead of replacing", "keeps vanished rows", "forgets absent windows", "skips empty windows",
	"skips windows that become empty", "drops descriptions", "loses facts", "writes the same again", "writes nothing on the first load",
	"claims to write nothing", "miscounts windows", "creates on load", "writes the unknown", "operations mix", "days mix",
	"rejects are rows", "toggles the state", "cuts at 1000 rows", "cuts at 5000 rows", "cuts names", "trims names", "folds case", "joins keys",
	"empty is absent", "floats", "deaf to its context", "half a window at the end of a context", "caches what it held",
	"a conflict of its own kind", "tears windows", "merges repeated hours",
	"loses what is committed at once",
}

// broken is a store with one flaw. It keeps windows as a driver would, whole,
// and commits under a lock but for the flaws that are about that.
type broken struct {
	flaw
	mu         sync.Mutex
	days       map[sinks.Key]brokenDay
	committing atomic.Int32
}

type brokenDay struct {
	version int
	state   schemas.State
	windows map[string]schemas.Window
}

type brokenHandle struct {
	*broken
	cache map[sinks.Key]brokenDay
}

func (b *broken) Open(testing.TB) sinks.Sink {
	return &brokenHandle{b, make(map[sinks.Key]brokenDay)}
}

func (b *broken) Watch(t testing.TB, key sinks.Key) []schemas.Window { return b.Contents(t, key) }

func (b *broken) Contents(_ testing.TB, key sinks.Key) []schemas.Window {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []schemas.Window
	for _, w := range b.days[b.place(key)].windows {
		w.Rows = slices.Clone(w.Rows)
		all = append(all, w)
	}
	return all
}

func (b *broken) place(key sinks.Key) sinks.Key {
	switch b.flaw {
	case "operations mix":
		key.Operation = strings.TrimRight(strings.ReplaceAll(key.Operation, "-", "_"), "_2")
	case "days mix":
		key.Day = ""
	}
	return key
}

func (h *brokenHandle) Close() error { return nil }

func (h *brokenHandle) Load(ctx context.Context, key sinks.Key) (sinks.Held, error) {
	if err := ctx.Err(); err != nil && h.flaw != "deaf to its context" {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	key = h.place(key)
	if h.flaw == "creates on load" {
		h.days[key] = brokenDay{windows: map[string]schemas.Window{"?": {Local: "?"}}}
	}
	day := h.days[key]
	if old, ok := h.cache[key]; ok && h.flaw == "caches what it held" {
		day = old
	}
	h.cache[key] = day
	return &brokenHeld{h, key, day}, nil
}

type brokenHeld struct {
	*brokenHandle
	key  sinks.Key
	base brokenDay
}

func (h *brokenHeld) Commit(ctx context.Context, day *sinks.Day) (sinks.Change, error) {
	if h.flaw != "deaf to its context" && h.flaw != "half a window at the end of a context" && ctx.Err() != nil {
		return sinks.Change{}, ctx.Err()
	}
	others := h.committing.Add(1) - 1
	defer h.committing.Add(-1)
	runtime.Gosched() // others may begin meanwhile
	if others > 0 && h.flaw == "loses what is committed at once" {
		return sinks.Change{Windows: len(day.Windows), Writes: 1}, nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.days[h.key]
	base := now
	switch {
	case h.flaw == "no guard" || h.flaw == "the last one wins":
		base = h.base
	case h.flaw == "guard blind to a first fill" && h.base.version == 0:
		base = h.base
	case h.flaw == "caches what it held":
		base = h.base
	case h.base.version != now.version && h.flaw == "a conflict of its own kind":
		return sinks.Change{}, fmt.Errorf("412 precondition failed")
	case h.base.version != now.version:
		return sinks.Change{}, sinks.ErrConflict
	}
	next := brokenDay{base.version + 1, base.state, maps.Clone(base.windows)}
	if next.windows == nil {
		next.windows = make(map[string]schemas.Window)
	}
	if h.flaw == "no guard" { // writes only what it compared: others' windows stay
		maps.Copy(next.windows, now.windows)
	}
	if h.flaw == "forgets absent windows" {
		clear(next.windows)
	}
	var change sinks.Change
	older := false
	for _, w := range day.Windows {
		held, had := base.windows[w.Local]
		stored, write := h.bend(w, held, had)
		if had && w.ObservedAt.Before(held.ObservedAt) {
			older = true
		}
		if !write {
			if h.flaw == "forgets absent windows" {
				next.windows[w.Local] = held
			}
			continue
		}
		if h.flaw == "tears windows" && len(stored.Rows) > 1 {
			half := stored
			half.Rows = stored.Rows[:1]
			next.windows[w.Local] = half
			h.days[h.key] = brokenDay{now.version, now.state, maps.Clone(next.windows)}
			h.mu.Unlock()
			runtime.Gosched()
			h.mu.Lock()
		}
		if h.flaw == "half a window at the end of a context" && ctx.Err() != nil {
			stored.Rows = stored.Rows[:len(stored.Rows)/2]
			next.windows[w.Local] = stored
			h.days[h.key] = next
			return change, ctx.Err()
		}
		next.windows[w.Local] = stored
		change.Windows++
		change.Rows += len(w.Rows)
	}
	if older && h.flaw == "refuses what is partly older" {
		return sinks.Change{}, sinks.ErrConflict
	}
	if len(day.Windows) > 0 {
		next.state = day.State
	}
	if h.flaw == "writes the unknown" && len(day.Windows) == 0 {
		change.Writes = 1
	}
	if change.Windows == 0 && next.state == now.state && change.Writes == 0 {
		return change, nil
	}
	change.Writes = 1
	switch h.flaw {
	case "claims to write nothing":
		change = sinks.Change{}
	case "miscounts windows":
		change.Windows = len(day.Windows)
	case "toggles the state":
		if next.state == schemas.Settled {
			next.state = schemas.Provisional
		}
	case "guard unmoved by equal rows":
		if maps.EqualFunc(next.windows, now.windows, func(a, b schemas.Window) bool { return slices.EqualFunc(a.Rows, b.Rows, sameRow) }) {
			next.version = now.version
		}
	case "writes nothing on the first load":
		if now.version == 0 {
			next.windows = nil
		}
	}
	h.days[h.key] = next
	return change, nil
}

// bend is w as the flaw has it stored, and whether it is stored at all.
func (h *brokenHeld) bend(w, held schemas.Window, had bool) (schemas.Window, bool) {
	w.Rows = slices.Clone(w.Rows)
	rename := func(f func(string) string) {
		var rows []schemas.Row
		for _, r := range w.Rows {
			r.Agent, r.Code = f(r.Agent), f(r.Code)
			if i := slices.IndexFunc(rows, func(o schemas.Row) bool { return o.Agent == r.Agent && o.Code == r.Code }); i >= 0 {
				rows[i].Interactions += r.Interactions
				continue
			}
			rows = append(rows, r)
		}
		w.Rows = rows
	}
	write := !had || supersedes(w, held)
	switch h.flaw {
	case "goes back":
		write = !had || !w.ObservedAt.Equal(held.ObservedAt)
	case "compares by rows alone", "guard unmoved by equal rows":
		write = write && !(had && slices.EqualFunc(w.Rows, held.Rows, sameRow))
	case "writes the same again":
		write = true
	case "skips empty windows":
		write = write && (had || len(w.Rows) > 0)
	case "skips windows that become empty":
		write = write && (!had || len(w.Rows) > 0)
	case "adds instead of replacing":
		if write {
			for i := range w.Rows {
				for _, o := range held.Rows {
					if o.Compare(w.Rows[i]) == 0 {
						w.Rows[i].Interactions += o.Interactions
					}
				}
			}
		}
	case "keeps vanished rows":
		for _, o := range held.Rows {
			if !slices.ContainsFunc(w.Rows, func(r schemas.Row) bool { return r.Compare(o) == 0 }) {
				w.Rows = append(w.Rows, o)
			}
		}
	case "drops descriptions":
		for i := range w.Rows {
			w.Rows[i].Description = nil
		}
	case "loses facts":
		w.Method = schemas.Direct
	case "rejects are rows":
		for range w.Rejects {
			w.Rows = append(w.Rows, row("?", "?", 0))
		}
	case "cuts at 1000 rows":
		w.Rows = w.Rows[:min(len(w.Rows), 1000)]
	case "cuts at 5000 rows":
		w.Rows = w.Rows[:min(len(w.Rows), 5000)]
	case "cuts names":
		rename(func(s string) string { return s[:min(len(s), 4095)] })
	case "trims names":
		rename(strings.TrimSpace)
	case "folds case":
		rename(strings.ToLower)
	case "joins keys":
		seen := make(map[string]bool)
		w.Rows = slices.DeleteFunc(w.Rows, func(r schemas.Row) bool {
			old := seen[r.Agent+r.Code]
			seen[r.Agent+r.Code] = true
			return old
		})
	case "empty is absent":
		w.Rows = slices.DeleteFunc(w.Rows, func(r schemas.Row) bool { return r.Agent == "" && r.Code == "" })
	case "floats":
		for i := range w.Rows {
			w.Rows[i].Interactions = int64(float64(w.Rows[i].Interactions))
		}
	case "merges repeated hours":
		if w.End.Sub(w.Start) > 3600e9 {
			w.End = w.Start.Add(300e9)
		}
	}
	return w, write
}
