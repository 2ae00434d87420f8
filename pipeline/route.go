package pipeline

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"

	"wolkpipe/pipeline/broker"
	"wolkpipe/pipeline/journal"
	"wolkpipe/pipeline/trace"
	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/pubsub"
)

// waiting is how many hints of one sink may wait at once. It is more than the
// days that one failing operation can have, so that it does not stall others.
const waiting = 4096

// poisonSubject is where hints go whose message of the journal cannot be read.
const poisonSubject = "chat7.poison.journal"

// route makes the router: one handler for each sink, fed with the headers of
// the journal's messages through a durable consumer of the sink's own.
func (p *Pipeline) route() (*message.Router, error) {
	// What the router tells of its own coming and going is of no use to an operator.
	log := watermill.NewSlogLoggerWithLevelMapping(p.o.Log, map[slog.Level]slog.Level{slog.LevelInfo: slog.LevelDebug})
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: drainTime}, log)
	if err != nil {
		return nil, fmt.Errorf("making the router: %w", err)
	}
	publisher := pubsub.NewPublisher(p.js, pubsub.PublisherOptions{})
	poison, err := middleware.PoisonQueueWithFilter(publisher, poisonSubject, isPoison)
	if err != nil {
		return nil, fmt.Errorf("making the router: %w", err)
	}
	router.AddMiddleware(
		poison,
		middleware.Retry{
			MaxRetries: math.MaxInt32, InitialInterval: 200 * time.Millisecond, MaxInterval: time.Minute,
			Multiplier: 2, RandomizationFactor: 0.5,
			ShouldRetry: func(r middleware.RetryParams) bool { return !isPoison(r.Err) },
		}.Middleware,
		middleware.Recoverer,
	)
	for _, w := range p.workers {
		subscriber := pubsub.NewSubscriber(p.js, pubsub.SubscriberOptions{
			SourceFor: func(string) pubsub.Source {
				return pubsub.Source{Stream: schemas.JournalStream, Durable: w.durable()}
			},
			HeadersOnly: true, Concurrency: waiting, CloseTimeout: drainTime, Logger: p.o.Log,
		})
		router.AddConsumerHandler(w.durable(), schemas.JournalStream, subscriber, p.handler(w))
	}
	return router, nil
}

// handler takes a message of the journal as a hint for a sink.
func (p *Pipeline) handler(w *worker) message.NoPublishHandlerFunc {
	return func(msg *message.Message) error {
		key, err := journal.ParseSubject(msg.Metadata.Get(pubsub.ReceivedSubjectKey))
		if err != nil {
			return &poisonError{err}
		}
		seq, err := strconv.ParseUint(msg.Metadata.Get(pubsub.ReceivedSequenceKey), 10, 64)
		if err != nil {
			return &poisonError{fmt.Errorf("a message of the journal has no sequence: %w", err)}
		}
		windows, _ := strconv.Atoi(msg.Metadata.Get(journal.WindowsHeader))
		ctx := trace.Extract(msg.Context(), msg.Metadata)
		err = w.hint(ctx, sinks.Key{Operation: key.Operation, Day: key.Day.String()}, seq, windows)
		if err != nil {
			return err
		}
		return p.unreadable(msg, key, seq)
	}
}

// unreadable reports a message of the journal that cannot be read. The rest
// of its day has been given to the sink.
func (p *Pipeline) unreadable(msg *message.Message, key journal.Key, seq uint64) error {
	day, err := p.journal.Day(msg.Context(), key)
	if err != nil {
		return err
	}
	for _, bad := range day.Bad {
		if bad.Seq == seq {
			p.o.Log.Error("a message of the journal cannot be read and is put aside; its windows are asked for again",
				"operation", key.Operation, "day", key.Day.String(), "sequence", seq, "stream", broker.PoisonStream, "error", bad.Err)
			return &poisonError{bad.Err}
		}
	}
	return nil
}

// poisonError is of a message that no retry helps.
type poisonError struct{ err error }

func (e *poisonError) Error() string { return e.err.Error() }
func (e *poisonError) Unwrap() error { return e.err }

func isPoison(err error) bool {
	var e *poisonError
	return errors.As(err, &e)
}
