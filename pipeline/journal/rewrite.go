package journal

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/schemas"
)

// Change gives what is to stand for an observation, with its new digest, and
// whether that is another than what stands.
type Change func(Observation) (Observation, bool)

// Found is what of a day's record a [Change] concerns.
type Found struct {
	Now        int // observations that count
	Before     int // others that are still in the stream
	Unreadable int // messages that nobody can read, and so perhaps
}

// Any reports whether there is something to rewrite.
func (f Found) Any() bool { return f.Now+f.Before+f.Unreadable > 0 }

// Count gives what of a day change changes.
func (j *Journal) Count(ctx context.Context, key Key, change Change) (found Found, err error) {
	day, err := j.Day(ctx, key)
	if err != nil {
		return found, err
	}
	for _, o := range day.Windows {
		if _, changed := change(o); changed {
			found.Now++
		}
	}
	scan := &Day{Key: key}
	err = j.messages(ctx, key, day.Seq, func(m *jetstream.RawStreamMsg) error {
		data, whole, err := scan.assemble(partOf(m))
		if err != nil {
			found.Unreadable++ // a piece is left of what an interrupted rewriting removed
		}
		if !whole {
			return nil
		}
		chunk, err := Decode(data)
		if errors.Is(err, ErrNewer) {
			return fmt.Errorf("reading message %d of stream %s: %w", m.Sequence, schemas.JournalStream, err)
		}
		if err != nil {
			found.Unreadable++
			return nil
		}
		for _, o := range chunk.Windows {
			if _, changed := change(o); changed {
				found.Before++
			}
		}
		return nil
	})
	if len(scan.parts) > 0 {
		found.Unreadable++
	}
	return found, err
}

// Rewrite changes what a day's observations hold, and destroys every earlier
// message of the day, unreadable ones too: the server overwrites them on disk.
// It gives the number of observations that count and were changed. A day that
// Count finds nothing in is left alone.
//
// At any moment the day folds to what it was before or to what it is then.
// Rewrite does nothing that it has done before; interrupted, call it again.
// What was rolled up before is no message any more: the server overwrites it
// when it compacts its files.
func (j *Journal) Rewrite(ctx context.Context, key Key, change Change) (int, error) {
	found, err := j.Count(ctx, key, change)
	if !found.Any() || err != nil {
		return 0, err
	}
	for {
		day, err := j.Day(ctx, key)
		if err != nil {
			return 0, err
		}
		c := &Chunk{Key: key, Timezone: day.Timezone, Grid: day.Grid, Compared: day.Compared, Whole: true, keep: true}
		changed := 0
		for _, o := range day.Windows {
			if other, ok := change(o); ok {
				o = other
				changed++
			}
			c.Windows = append(c.Windows, o)
		}
		if len(c.Windows) > 0 { // else nothing can be read of it
			data, err := c.Encode()
			if err != nil {
				return 0, err
			}
			// Not as Append does it: only what this very chunk follows may go.
			if _, err = j.publish(ctx, c, data, day.Seq); isRefused(err) {
				j.cache.drop(key)
				continue
			}
			if err != nil {
				return 0, fmt.Errorf("rewriting the journal's %s: %w", key, err)
			}
		}
		err = j.destroy(ctx, key, day.Seq)
		j.cache.drop(key) // it remembers what could not be read
		return changed, err
	}
}

// destroy overwrites and removes a day's messages up to a sequence.
func (j *Journal) destroy(ctx context.Context, key Key, to uint64) error {
	return j.messages(ctx, key, to, func(m *jetstream.RawStreamMsg) error {
		err := j.stream.SecureDeleteMsg(ctx, m.Sequence)
		if err == nil {
			return nil
		}
		if _, now := j.stream.GetMsg(ctx, m.Sequence); errors.Is(now, jetstream.ErrMsgNotFound) {
			return nil // somebody else did it: the stream's leader says so
		}
		return fmt.Errorf("destroying message %d of stream %s: %w", m.Sequence, schemas.JournalStream, err)
	})
}

// messages gives f the messages of a day up to a sequence, in their order.
func (j *Journal) messages(ctx context.Context, key Key, to uint64, f func(*jetstream.RawStreamMsg) error) error {
	for seq := uint64(1); seq <= to; {
		m, err := j.stream.GetMsg(ctx, seq, jetstream.WithGetMsgSubject(key.Subject()))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading the journal's %s: %w", key, err)
		}
		if m.Sequence > to {
			return nil
		}
		if err := f(m); err != nil {
			return err
		}
		seq = m.Sequence + 1
	}
	return nil
}
