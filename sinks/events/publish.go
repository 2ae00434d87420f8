package events

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
)

type message = *nats.Msg

// publishFunc publishes messages as one atomic batch and gives the sequence
// of the last one.
type publishFunc func(ctx context.Context, batch []message) (uint64, error)

func (s *Sink) message(ev *event) message {
	m := nats.NewMsg(ev.subject)
	m.Data = ev.data
	m.Header.Set(jetstream.MsgIDHeader, ev.id)
	m.Header.Set("Content-Type", schemas.ContentType)
	return m
}

// expire gives a row event its time to live.
func (s *Sink) expire(m message) {
	if s.rowTTL > 0 {
		m.Header.Set(jetstream.MsgTTLHeader, s.rowTTL.String())
	}
}

// expect makes m's batch conditional on the last sequence of a subject.
func expect(m message, subject string, seq uint64) {
	m.Header.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(seq, 10))
	m.Header.Set(jetstream.ExpectedLastSubjSeqSubjHeader, subject)
}

func publisher(js jetstream.JetStream) publishFunc {
	return func(ctx context.Context, batch []message) (uint64, error) {
		if len(batch) == 1 {
			ack, err := js.PublishMsg(ctx, batch[0], jetstream.WithRetryAttempts(0))
			if err != nil {
				return 0, refused(err)
			}
			if ack.Duplicate {
				return 0, fmt.Errorf("%w: the message is there", sinks.ErrConflict)
			}
			return ack.Sequence, nil
		}
		ack, err := jetstreamext.PublishMsgBatch(ctx, js, batch)
		if err != nil {
			return 0, refused(err)
		}
		return ack.Sequence, nil
	}
}

func refused(err error) error {
	var api *jetstream.APIError
	if errors.As(err, &api) {
		switch api.ErrorCode {
		case 10071, 10158, 10164, 10201:
			return fmt.Errorf("%w: %w", sinks.ErrConflict, err)
		}
	}
	return err
}
