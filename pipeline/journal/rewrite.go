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

// Count gives the number of windows of a day that change changes: of the
// observations that count, and of others that are still in the stream.
func (j *Journal) Count(ctx context.Context, key Key, change Change) (now, before int, err error) {
	day, err := j.Day(ctx, key)
	if err != nil {
		return 0, 0, err
	}
	for _, o := range day.Windows {
		if _, changed := change(o); changed {
			now++
		}
	}
	scan := &Day{Key: key}
	err = j.messages(ctx, key, day.Seq, func(m *jetstream.RawStreamMsg) error {
		data, whole, _ := scan.assemble(partOf(m))
		if !whole {
			return nil
		}
		chunk, err := Decode(data)
		if errors.Is(err, ErrNewer) {
			return fmt.Errorf("reading message %d of stream %s: %w", m.Sequence, schemas.JournalStream, err)
		}
		if err != nil {
			return nil // it counts for nothing, and goes with the others
		}
		for _, o := range chunk.Windows {
			if _, changed := change(o); changed {
				before++
			}
		}
		return nil
	})
	return now, before, err
}

// Rewrite changes what a day's observations hold, and destroys
// every earlier message of the day: the server overwrites it on disk. It gives
// the number of observations that count and were changed. A day that Count
// finds nothing in is left alone.
//
// At any moment the day folds to what it was before or to what it is then.
// Rewrite does nothing that it has done before; interrupted, call it again.
func (j *Journal) Rewrite(ctx context.Context, key Key, change Change) (int, error) {
	now, before, err := j.Count(ctx, key, change)
	if now+before == 0 || err != nil {
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
		_, err = j.Append(ctx, c, day.Seq)
		if errors.Is(err, ErrMoved) {
			continue
		}
		if err != nil {
			return 0, err
		}
		return changed, j.destroy(ctx, key, day.Seq)
	}
}

// destroy overwrites and removes a day's messages up to a sequence.
func (j *Journal) destroy(ctx context.Context, key Key, to uint64) error {
	return j.messages(ctx, key, to, func(m *jetstream.RawStreamMsg) error {
		err := j.stream.SecureDeleteMsg(ctx, m.Sequence)
		if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) && !errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful) {
			return fmt.Errorf("destroying message %d of stream %s: %w", m.Sequence, schemas.JournalStream, err)
		}
		if err == nil {
			return nil
		}
		if _, err := j.stream.GetMsg(ctx, m.Sequence); !errors.Is(err, jetstream.ErrMsgNotFound) { // else somebody else did it
			return fmt.Errorf("message %d of stream %s was not destroyed: %w", m.Sequence, schemas.JournalStream, err)
		}
		return nil
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
