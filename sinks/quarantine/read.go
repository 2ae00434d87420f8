package quarantine

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
)

// record is what the stream has of a window's highest revision.
type record struct {
	revision int64
	messages map[[sha256.Size]byte]int // how many of each content
}

// take takes one message of that content out of r, and tells whether there
// was one: rejects alike to the byte are one message each.
func (r *record) take(data []byte) bool {
	sum := sha256.Sum256(data)
	if r.messages[sum] == 0 {
		return false
	}
	r.messages[sum]--
	return true
}

// stall is how long a read may go without a message before it is given up.
const stall = 10 * time.Second

// read gives what the subject holds up to the guard, by window.
func (h *held) read(ctx context.Context) (map[string]*record, error) {
	recorded := make(map[string]*record)
	for from := uint64(1); from <= h.guard; {
		last, err := h.readFrom(ctx, from, recorded)
		if err != nil {
			return nil, fmt.Errorf("reading %s of stream %s from %d to %d: %w", h.subject, schemas.QuarantineStream, from, h.guard, err)
		}
		from = last + 1
	}
	return recorded, nil
}

// readFrom records the messages from a sequence on, and gives that up to which
// none is missing: the guard, or less when the client dropped one. It does so
// when its buffer overflows, silently, and the server does not know; a message
// that is not seen here would be told twice.
func (h *held) readFrom(ctx context.Context, from uint64, recorded map[string]*record) (last uint64, err error) {
	consumer, err := h.sink.js.CreateConsumer(ctx, schemas.QuarantineStream, jetstream.ConsumerConfig{
		FilterSubject: h.subject, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: from,
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, Replicas: 1,
		InactiveThreshold: time.Minute,
	})
	if err != nil {
		return 0, err
	}
	defer func() {
		// Should this fail, the server forgets the consumer after a minute.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = h.sink.js.DeleteConsumer(ctx, schemas.QuarantineStream, consumer.CachedInfo().Name)
	}()
	messages, err := h.sink.iterate(consumer)
	if err != nil {
		return 0, err
	}
	defer messages.Stop()
	last = from - 1
	for n := uint64(1); ; n++ {
		at, data, err := next(ctx, messages)
		switch {
		case err != nil:
			return 0, err
		case at.Consumer != n:
			return last, nil // one or more were dropped after last
		case at.Stream > h.guard:
			return h.guard, nil
		}
		if err := add(recorded, data); err != nil {
			return 0, &sinks.Error{
				Op: fmt.Sprintf("reading message %d of stream %s", at.Stream, schemas.QuarantineStream), Err: err,
				Hint: fmt.Sprintf("it is not wolkpipe's: delete it with `nats stream rmm %s %d`", schemas.QuarantineStream, at.Stream),
			}
		}
		if last = at.Stream; last == h.guard {
			return last, nil
		}
	}
}

// iterate reads through a consumer, with a bound on what is under way.
func iterate(c jetstream.Consumer) (jetstream.MessagesContext, error) {
	return c.Messages(jetstream.PullMaxMessagesWithBytesLimit(500, 8<<20))
}

// next waits for a message for as long as a read may stall: the replica that
// serves the read may lag behind, or the message of the guard be purged.
func next(ctx context.Context, messages jetstream.MessagesContext) (at jetstream.SequencePair, data []byte, err error) {
	waiting, cancel := context.WithTimeout(ctx, stall)
	defer cancel()
	m, err := messages.Next(jetstream.NextContext(waiting))
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return at, nil, fmt.Errorf("no message came for %v: the stream was purged, or its replica lags", stall)
	}
	if err != nil {
		return at, nil, err
	}
	meta, err := m.Metadata()
	if err != nil {
		return at, nil, err
	}
	return meta.Sequence, m.Data(), nil
}

// add counts a message of the stream.
func add(recorded map[string]*record, data []byte) error {
	var row schemas.QuarantineRow
	if err := json.Unmarshal(data, &row); err != nil {
		return fmt.Errorf("not the JSON of a rejected row: %w", err)
	}
	r := recorded[row.WindowLocal]
	if r == nil || r.revision < row.Revision {
		r = &record{row.Revision, make(map[[sha256.Size]byte]int)}
		recorded[row.WindowLocal] = r
	}
	r.messages[sha256.Sum256(data)]++ // a lower revision has other bytes: it does no harm
	return nil
}
