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
func (h *held) read(ctx context.Context) (recorded map[string]*record, err error) {
	recorded = make(map[string]*record)
	if h.guard == 0 {
		return recorded, nil
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("reading %s of stream %s up to %d: %w", h.subject, schemas.QuarantineStream, h.guard, err)
		}
	}()
	consumer, err := h.sink.js.CreateConsumer(ctx, schemas.QuarantineStream, jetstream.ConsumerConfig{
		FilterSubject: h.subject, DeliverPolicy: jetstream.DeliverAllPolicy,
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, Replicas: 1,
		InactiveThreshold: time.Minute,
	})
	if err != nil {
		return nil, err
	}
	defer func() {
		// Should this fail, the server forgets the consumer after a minute.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = h.sink.js.DeleteConsumer(ctx, schemas.QuarantineStream, consumer.CachedInfo().Name)
	}()
	messages, err := consumer.Messages(jetstream.PullMaxMessagesWithBytesLimit(500, 8<<20))
	if err != nil {
		return nil, err
	}
	defer messages.Stop()
	for {
		seq, data, err := next(ctx, messages)
		if err != nil {
			return nil, err
		}
		if seq <= h.guard {
			if err := add(recorded, data); err != nil {
				return nil, &sinks.Error{
					Op: fmt.Sprintf("reading message %d of stream %s", seq, schemas.QuarantineStream), Err: err,
					Hint: fmt.Sprintf("it is not wolkpipe's: delete it with `nats stream rmm %s %d`", schemas.QuarantineStream, seq),
				}
			}
		}
		if seq >= h.guard {
			return recorded, nil
		}
	}
}

// next waits for a message for as long as a read may stall: the replica that
// serves the read may lag behind, or the message of the guard be purged.
func next(ctx context.Context, messages jetstream.MessagesContext) (seq uint64, data []byte, err error) {
	waiting, cancel := context.WithTimeout(ctx, stall)
	defer cancel()
	m, err := messages.Next(jetstream.NextContext(waiting))
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return 0, nil, fmt.Errorf("no message came for %v: the stream was purged, or its replica lags", stall)
	}
	if err != nil {
		return 0, nil, err
	}
	meta, err := m.Metadata()
	if err != nil {
		return 0, nil, err
	}
	return meta.Sequence.Stream, m.Data(), nil
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
	if r.revision == row.Revision {
		r.messages[sha256.Sum256(data)]++
	}
	return nil
}
