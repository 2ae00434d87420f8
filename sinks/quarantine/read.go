package quarantine

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/pubsub"
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

// read gives what the subject holds up to the guard, by window.
func (h *held) read(ctx context.Context) (map[string]*record, error) {
	recorded := make(map[string]*record)
	err := pubsub.Read(ctx, h.sink.js, schemas.QuarantineStream, h.subject, 1, h.guard, func(m *pubsub.Stored) error {
		if err := add(recorded, m.Data); err != nil {
			return &sinks.Error{
				Op: fmt.Sprintf("reading message %d of stream %s", m.Sequence, schemas.QuarantineStream), Err: err,
				Hint: fmt.Sprintf("it is not wolkpipe's: delete it with `nats stream rmm %s %d`", schemas.QuarantineStream, m.Sequence),
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return recorded, nil
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
