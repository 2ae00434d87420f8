package quarantine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/pubsub"
)

var _ sinks.Forgetter = (*Sink)(nil)

// Forget implements [sinks.Forgetter]: it destroys the messages whose row
// names an agent. Those of a window whose rows still do are told again when
// the sink converges next.
func (s *Sink) Forget(ctx context.Context, p sinks.Past) (int, error) {
	subject := "chat7.quarantine." + p.Operation + ".*"
	last, err := s.stream.GetLastMsgForSubject(ctx, subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading the last message on %s: %w", subject, err)
	}
	var gone []uint64
	err = pubsub.Read(ctx, s.js, schemas.QuarantineStream, subject, 1, last.Sequence, func(m *pubsub.Stored) error {
		var row schemas.QuarantineRow
		if json.Unmarshal(m.Data, &row) == nil && p.Raw(row.Raw) {
			gone = append(gone, m.Sequence)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return pubsub.Destroy(ctx, s.js, schemas.QuarantineStream, gone)
}
