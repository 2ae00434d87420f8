package events

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/pubsub"
)

var _ sinks.Forgetter = (*Sink)(nil)

// Forget implements [sinks.Forgetter]: it destroys all row events of an agent,
// and the window events that name one and were told anew since.
//
// The oldest go first. A consumer that reads meanwhile, and folds by the
// latest row event, finds the agent's rows gone, not back.
func (s *Sink) Forget(ctx context.Context, p sinks.Past) (int, error) {
	windows, err := s.pastWindows(ctx, p)
	if err != nil {
		return 0, err
	}
	var rows []uint64
	err = s.all(ctx, "chat7.events."+p.Operation+".row.>", func(m *pubsub.Stored) error {
		var e schemas.Event[schemas.RowData]
		if json.Unmarshal(m.Data, &e) == nil && e.Type == schemas.TypeRow && p.Agent(e.Data.Agent) {
			rows = append(rows, m.Sequence)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	all := append(windows, rows...)
	slices.Sort(all)
	return pubsub.Destroy(ctx, s.js, schemas.EventsStream, all)
}

// past is what was told last of a window, by the messages that told it.
type past struct {
	revision int64
	messages []uint64 // one a part
	named    bool
}

// pastWindows gives the messages of window events that name an agent and have
// been followed by others of their window.
func (s *Sink) pastWindows(ctx context.Context, p sinks.Past) (gone []uint64, err error) {
	last := make(map[string]*past)
	err = s.all(ctx, "chat7.events."+p.Operation+".window.>", func(m *pubsub.Stored) error {
		var e schemas.Event[schemas.WindowData]
		if json.Unmarshal(m.Data, &e) != nil || e.Type != schemas.TypeWindow {
			return nil
		}
		d := &e.Data
		now := last[d.WindowLocal]
		if now == nil || now.revision != d.Revision {
			if now != nil && now.named {
				gone = append(gone, now.messages...)
			}
			now = &past{revision: d.Revision}
			last[d.WindowLocal] = now
		}
		now.messages = append(now.messages, m.Sequence)
		now.named = now.named || slices.ContainsFunc(d.Rows, func(r schemas.Row) bool { return p.Agent(r.Agent) })
		return nil
	})
	if err != nil {
		return nil, err
	}
	for local, now := range last {
		if now.named {
			return nil, fmt.Errorf("the event of window %s of %s still names the agent: %w; if the journal lost that window, `wolkpipe backfill` of its day brings it back", local, p.Operation, errNotConverged)
		}
	}
	return gone, nil
}

var errNotConverged = errors.New("the sink has not taken what the journal says")

// all gives fn the messages on a subject.
func (s *Sink) all(ctx context.Context, subject string, fn func(*pubsub.Stored) error) error {
	last, err := s.last(ctx, subject)
	if last == nil || err != nil {
		return err
	}
	return pubsub.Read(ctx, s.js, schemas.EventsStream, subject, 1, last.seq, fn)
}
