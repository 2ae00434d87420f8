package pubsub

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Stored is a message as a stream keeps it.
type Stored struct {
	Subject  string
	Sequence uint64
	Header   nats.Header
	Data     []byte
}

// stall is how long a read may go without a message before it is given up.
const stall = 10 * time.Second

// Read gives fn the stored messages on a subject from sequence from to
// sequence to, which must be that of one of them, in order and without a gap.
// The replica that serves the read may lag behind: it is waited for, up to
// 10 s. fn's errors end the read and come back as they are.
func Read(ctx context.Context, js jetstream.JetStream, stream, subject string, from, to uint64, fn func(*Stored) error) error {
	for from <= to {
		last, err := readFrom(ctx, js, stream, subject, from, to, iterate, fn)
		var own *callbackError
		if errors.As(err, &own) {
			return own.err
		}
		if err != nil {
			return fmt.Errorf("reading %s of stream %s from %d to %d: %w", subject, stream, from, to, err)
		}
		from = last + 1
	}
	return nil
}

// callbackError is what a caller's function returned.
type callbackError struct{ err error }

func (e *callbackError) Error() string { return e.err.Error() }

// readFrom gives the sequence up to which no message is missing: to, or less
// when the client dropped one. It does so silently when its buffer overflows,
// and a consumer that acknowledges nothing does not deliver it again.
func readFrom(ctx context.Context, js jetstream.JetStream, stream, subject string, from, to uint64,
	iterate func(jetstream.Consumer) (jetstream.MessagesContext, error), fn func(*Stored) error,
) (last uint64, err error) {
	consumer, err := js.CreateConsumer(ctx, stream, jetstream.ConsumerConfig{
		FilterSubject: subject,
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: from,
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
		_ = js.DeleteConsumer(ctx, stream, consumer.CachedInfo().Name)
	}()
	messages, err := iterate(consumer)
	if err != nil {
		return 0, err
	}
	defer messages.Stop()
	last = from - 1
	for n := uint64(1); ; n++ {
		m, at, err := nextStored(ctx, messages)
		switch {
		case err != nil:
			return 0, err
		case at.Consumer != n:
			return last, nil // one or more were dropped after last
		case at.Stream > to:
			return to, nil
		}
		if err := fn(&Stored{m.Subject(), at.Stream, m.Headers(), m.Data()}); err != nil {
			return 0, &callbackError{err}
		}
		if last = at.Stream; last == to {
			return last, nil
		}
	}
}

// iterate reads through a consumer, with a bound on what is under way.
func iterate(c jetstream.Consumer) (jetstream.MessagesContext, error) {
	return c.Messages(jetstream.PullMaxMessagesWithBytesLimit(500, 8<<20))
}

// nextStored waits for a message for as long as a read may stall.
func nextStored(ctx context.Context, messages jetstream.MessagesContext) (m jetstream.Msg, at jetstream.SequencePair, err error) {
	waiting, cancel := context.WithTimeout(ctx, stall)
	defer cancel()
	m, err = messages.Next(jetstream.NextContext(waiting))
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return nil, at, fmt.Errorf("no message came for %v: the stream moved, or its replica lags", stall)
	}
	if err != nil {
		return nil, at, err
	}
	meta, err := m.Metadata()
	if err != nil {
		return nil, at, err
	}
	return m, meta.Sequence, nil
}
