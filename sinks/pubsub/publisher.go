package pubsub

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// MaxBatch is the number of messages that one call may publish, which is the
// server's own limit.
const MaxBatch = 1000

// firstAnswer bounds the wait for the server's answer to a batch's first
// message, which a cancelled context does not end.
const firstAnswer = 5 * time.Second

// PublisherOptions are the settings of a Publisher.
type PublisherOptions struct {
	// SubjectFor gives the subject of a topic's messages that do not name
	// their own with [SubjectKey]; nil: the topic is the subject.
	SubjectFor func(topic string) string

	// NoMessageID leaves out the message id, which is the message's UUID.
	// The server remembers ids for the stream's duplicate window.
	NoMessageID bool
}

// Publisher is Watermill's message.Publisher on JetStream.
type Publisher struct {
	js         jetstream.JetStream
	subjectFor func(string) string
	noID       bool

	mu     sync.RWMutex // held for reading by publications under way
	closed bool
}

var _ message.Publisher = (*Publisher)(nil)

// NewPublisher makes a publisher on js, whose connection stays the caller's.
func NewPublisher(js jetstream.JetStream, o PublisherOptions) *Publisher {
	if o.SubjectFor == nil {
		o.SubjectFor = func(topic string) string { return topic }
	}
	return &Publisher{js: js, subjectFor: o.SubjectFor, noID: o.NoMessageID}
}

// Publish is [Publisher.PublishBatch] under the context of the first message.
func (p *Publisher) Publish(topic string, messages ...*message.Message) error {
	if len(messages) == 0 {
		return nil
	}
	_, err := p.PublishBatch(messages[0].Context(), topic, messages...)
	return err
}

// PublishBatch stores messages in their order, all of them or none, and waits
// until they are stored; several need a stream with atomic publishing, the
// same for all. It gives the stream sequence of the last one; those of the
// others go before it without a gap.
//
// Without a deadline ctx has the JetStream context's default time-out.
//
// A single message whose id the stream remembers counts as stored, and the
// sequence is that of the first one; in a batch it is [ErrDuplicate].
func (p *Publisher) PublishBatch(ctx context.Context, topic string, messages ...*message.Message) (last uint64, err error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	switch {
	case p.closed:
		return 0, fmt.Errorf("publishing to %s: publisher: %w", topic, ErrClosed)
	case len(messages) == 0:
		return 0, errors.New("publishing to " + topic + ": no messages")
	case len(messages) > MaxBatch:
		return 0, fmt.Errorf("publishing to %s: %w: a batch of %d messages: at most %d", topic, ErrTooLarge, len(messages), MaxBatch)
	case ctx.Err() != nil: // nothing was sent
		return 0, fmt.Errorf("publishing to %s: %w", topic, context.Cause(ctx))
	}
	out := make([]*nats.Msg, len(messages))
	for i, m := range messages {
		// All are checked before the first is sent: a batch that is broken
		// off stays open on the server for a while.
		if out[i], err = p.natsMsg(topic, m); err != nil {
			return 0, fmt.Errorf("publishing to %s: %w", topic, err)
		}
	}
	if last, err = p.send(ctx, out); err != nil {
		return 0, fmt.Errorf("publishing %d messages, the first to %s: %w", len(out), out[0].Subject, classify(err))
	}
	return last, nil
}

func (p *Publisher) send(ctx context.Context, messages []*nats.Msg) (uint64, error) {
	if len(messages) == 1 {
		ack, err := p.js.PublishMsg(ctx, messages[0])
		if err != nil {
			return 0, err
		}
		return ack.Sequence, nil
	}
	wait := firstAnswer
	if deadline, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(deadline))
	}
	ack, err := jetstreamext.PublishMsgBatch(ctx, p.js, messages,
		jetstreamext.BatchFlowControl{AckFirst: true, AckTimeout: wait})
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}

// Close waits for publications under way and refuses later ones.
func (p *Publisher) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	return nil
}
