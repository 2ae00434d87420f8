package pipeline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
)

// simEvents is a sink that tells of differences, as the events sink does, to a
// list that keeps everything: what is told twice stands there twice.
type simEvents struct {
	unguarded bool // on purpose: a state that moved is not looked at

	mu   sync.Mutex
	days map[sinks.Key]simTold
	told []simDelta
}

type simTold struct {
	version int
	windows map[string]schemas.Window // replaced, never changed
}

// simDelta is a row event.
type simDelta struct {
	sinks.Key
	local, agent, code string
	revision, delta    int64
}

func (s *simEvents) Close() error { return nil }

func (s *simEvents) Load(_ context.Context, key sinks.Key) (sinks.Held, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &simHeld{s, key, s.days[key]}, nil
}

type simHeld struct {
	sink *simEvents
	key  sinks.Key
	simTold
}

func (h *simHeld) Commit(_ context.Context, day *sinks.Day) (c sinks.Change, err error) {
	s := h.sink
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.days[h.key].version != h.version && !s.unguarded {
		return c, sinks.ErrConflict
	}
	next := simTold{s.days[h.key].version + 1, maps.Clone(h.windows)}
	if next.windows == nil {
		next.windows = map[string]schemas.Window{}
	}
	for _, w := range day.Windows {
		before, known := h.windows[w.Local]
		if known && !w.ObservedAt.After(before.ObservedAt) {
			continue
		}
		next.windows[w.Local] = w
		c.Windows++
		deltas := countsOf(w)
		for row, n := range countsOf(before) {
			deltas[row] -= n
		}
		for row, n := range deltas {
			if n != 0 {
				s.told = append(s.told, simDelta{h.key, w.Local, row[0], row[1], w.Revision, n})
				c.Rows++
			}
		}
	}
	if c.Windows > 0 {
		c.Writes = 1
		s.days[h.key] = next
	}
	return c, nil
}

func countsOf(w schemas.Window) map[[2]string]int64 {
	all := map[[2]string]int64{}
	for _, r := range w.Rows {
		all[[2]string{r.Agent, r.Code}] += r.Interactions
	}
	return all
}

// simSink is a sink as one process reaches it.
type simSink struct {
	sinks.Sink
	name string
	link *simLink
}

type simHeldBy struct {
	sinks.Held
	key  sinks.Key
	sink *simSink
}

func (s *simSink) Load(ctx context.Context, key sinks.Key) (sinks.Held, error) {
	held, err := request(ctx, s.link, "loads "+s.name+" "+key.String(), 30*time.Millisecond, func() (sinks.Held, error) {
		return s.Sink.Load(context.WithoutCancel(ctx), key)
	})
	return &simHeldBy{held, key, s}, err
}

func (h *simHeldBy) Commit(ctx context.Context, day *sinks.Day) (sinks.Change, error) {
	link := h.sink.link
	what := fmt.Sprintf("commits %s %s", h.sink.name, h.key)
	change, err := request(ctx, link, what, 80*time.Millisecond, func() (sinks.Change, error) {
		change, err := h.Held.Commit(context.WithoutCancel(ctx), day)
		if change.Windows > 0 || errors.Is(err, sinks.ErrConflict) {
			link.w.note("%s %s: %d, %v", link.process, what, change.Windows, err)
		}
		return change, err
	})
	return change, err
}
