package events

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/ThreeDotsLabs/watermill/message"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/pubsub"
)

// Publisher is Watermill's, with what the sink needs to know besides.
type Publisher interface {
	message.Publisher

	// PublishBatch publishes messages as one atomic batch, one alone under
	// its guard, and gives the stream sequence of the last one; those of the
	// others go before it without a gap. A guard or a known id that refuses
	// them is a [pubsub.ErrConflict].
	PublishBatch(ctx context.Context, topic string, messages ...*message.Message) (last uint64, err error)
}

// publish publishes a batch and gives the sequence of its last message.
func (s *Sink) publish(ctx context.Context, batch []*message.Message) (uint64, error) {
	seq, err := s.publisher.PublishBatch(ctx, schemas.EventsStream, batch...)
	if errors.Is(err, pubsub.ErrConflict) {
		return 0, fmt.Errorf("%w: %w", sinks.ErrConflict, err)
	}
	return seq, err
}

// message makes the message of an event.
func (s *Sink) message(ev *event) *message.Message {
	m := message.NewMessage(ev.id, ev.data)
	m.Metadata[pubsub.SubjectKey] = ev.subject
	m.Metadata["Content-Type"] = schemas.ContentType
	return m
}

// expire gives a row event its time to live.
func (s *Sink) expire(m *message.Message) {
	if s.rowTTL != "" {
		m.Metadata[pubsub.TTLKey] = s.rowTTL
	}
}

// expect makes m's batch conditional on the last sequence of a subject.
func expect(m *message.Message, subject string, seq uint64) {
	m.Metadata[pubsub.ExpectSequenceKey] = strconv.FormatUint(seq, 10)
	m.Metadata[pubsub.ExpectSubjectKey] = subject
}
