package events

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
)

// held is the state of one day as it was loaded.
type held struct {
	sink  *Sink
	key   sinks.Key
	state *state
	day   dayTold
}

// Commit implements [sinks.Held]. It makes one batch after another, each of
// whole changes; a change of more rows than a batch takes is several.
func (h *held) Commit(ctx context.Context, day *sinks.Day) (sinks.Change, error) {
	if day.Key != h.key {
		return sinks.Change{}, fmt.Errorf("committing %s to the state of %s", day.Key, h.key)
	}
	if len(day.Windows) == 0 {
		return sinks.Change{}, nil // nothing is known: there is nothing to tell
	}
	enc := h.sink.encoders.Get().(*encoder)
	defer h.sink.encoders.Put(enc)
	c := &commit{ctx: ctx, sink: h.sink, offered: day, enc: enc, state: h.state.clone(), day: h.day}
	if err := c.run(); err != nil {
		h.sink.days.drop(h.key)
		return c.change, fmt.Errorf("telling %s: %w", h.key, err)
	}
	if c.change.Writes > 0 {
		h.state, h.day = c.state, c.day
		h.sink.days.put(h.key, c.state)
	}
	return c.change, nil
}

// commit is one Commit under way.
type commit struct {
	ctx     context.Context
	sink    *Sink
	offered *sinks.Day
	enc     *encoder
	stale   bool // the stream holds windows newer than offered

	state *state  // what is told, the batches so far included
	day   dayTold // likewise

	pending []*change // of the next batch
	events  int       // in pending
	bytes   int       // in pending

	change sinks.Change
}

func (c *commit) run() error {
	newest := newestOf(c.offered)
	windows := make([]*schemas.Window, len(c.offered.Windows))
	for i := range windows {
		w, err := ordered(&c.offered.Windows[i])
		if err != nil {
			return err
		}
		old := c.state.windows[w.Local]
		windows[i] = c.sink.lift(w, old)
		// Told again by a repair, a window has a later time and says the same:
		// nobody knows better.
		c.stale = c.stale || old != nil && old.observedAt.After(windows[i].ObservedAt) && !old.says(w)
	}
	for _, w := range windows {
		old := c.state.windows[w.Local]
		if old != nil && (old.observedAt.After(w.ObservedAt) || old.same(w)) {
			continue
		}
		err := c.enc.tell(c.offered.Key, old, w, c.sink.limits, func(next *change) error { return c.add(next, newest) })
		if err != nil {
			return err
		}
	}
	return c.finish(newest)
}

// add puts a change into the batch under way, which goes out first if it has
// no room. One message is left for a day event.
func (c *commit) add(next *change, newest time.Time) error {
	if len(c.pending) > 0 && (c.events+len(next.events) >= c.sink.limits.messages || c.bytes+next.bytes > c.sink.limits.bytes) {
		if err := c.flush(schemas.Provisional, newest); err != nil {
			return err
		}
	}
	c.pending = append(c.pending, next)
	c.events += len(next.events)
	c.bytes += next.bytes
	return nil
}

// finish tells what is left, then the day's state if it is another, and makes
// sure that what it was told on top of did not move meanwhile.
func (c *commit) finish(newest time.Time) error {
	target := c.offered.State
	if c.stale && c.day.state != "" {
		target = c.day.state // whoever told the newer windows knows better
	}
	key := c.offered.Key
	before := c.day.seq
	switch {
	case len(c.pending) > 0:
		if err := c.flush(target, newest); err != nil {
			return err
		}
		if c.day.seq != before {
			return nil // the batch was conditional on both
		}
		return c.unmoved(schemas.DaySubject(key.Operation, key.Day), c.day.seq)
	case target != c.day.state:
		ev, day, err := c.dayEvent(target, newest)
		if err != nil {
			return err
		}
		m := c.sink.message(&ev)
		expect(m, ev.subject, c.day.seq)
		if day.seq, err = c.sink.publish(c.ctx, []*message.Message{m}); err != nil {
			return err
		}
		if err := c.stored(day.seq, c.day.seq); err != nil {
			return err
		}
		c.day = day
		c.change.Writes++
		return c.unmoved(schemas.WindowSubject(key.Operation, key.Day), c.state.seq)
	}
	return nil
}

// stored makes sure that a message published alone upon a guard is the one at
// seq. Where another worker has just told the same, a cluster answers with the
// sequence of that other message, before it looks at the guard: what else was
// told in between is then missing here, and that message may be deleted.
func (c *commit) stored(seq, guard uint64) error {
	m, err := c.sink.at(c.ctx, seq)
	if err != nil {
		return err
	}
	if m == nil || m.guard != strconv.FormatUint(guard, 10) {
		return fmt.Errorf("%w: message %d was there before", sinks.ErrConflict, seq)
	}
	return nil
}

// unmoved reads whether seq still is the last sequence of a subject that a
// commit read, and could not make itself conditional on.
func (c *commit) unmoved(subject string, seq uint64) error {
	last, err := c.sink.last(c.ctx, subject)
	if err != nil {
		return err
	}
	if (last == nil && seq != 0) || (last != nil && last.seq != seq) {
		return fmt.Errorf("%w: %s after it was told upon", sinks.ErrConflict, subject)
	}
	return nil
}

// flush publishes the pending changes as one batch, with a day event if the
// day's state then is another.
func (c *commit) flush(target schemas.State, newest time.Time) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	key := c.offered.Key
	batch := make([]*message.Message, 0, c.events+1)
	var final *event // the last window event
	for _, next := range c.pending {
		c.state.put(next.local, next.after)
		for i := range next.events {
			m := c.sink.message(&next.events[i])
			if i < next.rows {
				c.sink.expire(m)
			}
			batch = append(batch, m)
		}
		final = &next.events[len(next.events)-1]
	}
	// The first message carries the guard of the windows, the day event its
	// own; it goes before the last message, whose sequence is the next guard.
	guard := batch[0]
	day := c.day
	if target != day.state {
		ev, told, err := c.dayEvent(target, newest)
		if err != nil {
			return err
		}
		m := c.sink.message(&ev)
		expect(m, ev.subject, c.day.seq)
		batch = append(batch[:len(batch)-1], m, batch[len(batch)-1])
		day = told
	}
	expect(guard, schemas.WindowSubject(key.Operation, key.Day), c.state.seq)
	seq, err := c.sink.publish(c.ctx, batch)
	if err != nil {
		return err
	}
	if len(batch) == 1 {
		if err := c.stored(seq, c.state.seq); err != nil {
			return err
		}
	}
	c.state.seq, c.state.id = seq, final.id
	if day.state != c.day.state {
		day.seq = seq - 1 // a batch is stored without a gap
		c.day = day
	}
	c.change.Writes++
	for _, next := range c.pending {
		c.change.Rows += next.rows
		if next.last {
			c.change.Windows++
		}
	}
	c.pending, c.events, c.bytes = c.pending[:0], 0, 0
	return nil
}

// dayEvent makes the event that tells a state of the day, on top of what is
// told of its windows, and what is then told of the day but for the sequence.
func (c *commit) dayEvent(target schemas.State, at time.Time) (event, dayTold, error) {
	key := c.offered.Key
	day := dayTold{revision: c.day.revision + 1, state: target}
	id, data, err := schemas.NewDay(schemas.DayData{
		Operation: key.Operation, Day: key.Day, Timezone: c.offered.Timezone,
		Revision: day.revision, State: target,
		WindowsExpected: int64(c.offered.Expected), WindowsObserved: int64(len(c.state.windows)),
		RowCount: c.state.rows, Interactions: c.state.interactions,
	}, at)
	return event{id: id, subject: schemas.DaySubject(key.Operation, key.Day), data: data}, day, err
}
