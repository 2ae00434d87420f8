// Package quarantine owns the sink of rejected rows: the rows of the source
// that could not be read surely, told to operators on the JetStream stream
// CHAT7_QUARANTINE as one JSON message each ([schemas.QuarantineRow]), on the
// subject of their operation's day.
//
// The stream is the sink's state. Of each window the rejects of the highest
// revision count; when a window's current revision has rejects, the sink adds
// those that are not there. A revision without rejects tells nothing, so what
// an earlier one told stays until an operator purges it: the window's event
// says with rejected_rows 0 that it is history. Purging what still counts
// brings it back.
//
// All messages of a day are under one guard, the last sequence of their
// subject. The rejects of a window's revision appear at once where one batch
// holds them, 1000 messages or 4 MiB, else one batch after another; what an
// interruption cut short is completed by the next commit.
package quarantine

import (
	"context"
	"errors"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/pubsub"
)

// Options say where rejected rows go.
type Options struct {
	JetStream jetstream.JetStream // of the account that has CHAT7_QUARANTINE
	Publisher Publisher           // nil: one of the sink's own, on JetStream, without message ids
}

// Publisher stores the messages of one call as an atomic batch, one alone
// under its guard, and gives the stream sequence of the last. A guard that
// refuses them is a [pubsub.ErrConflict].
type Publisher interface {
	PublishBatch(ctx context.Context, topic string, messages ...*message.Message) (last uint64, err error)
}

// Sink tells rejected rows. It is safe for concurrent use.
type Sink struct {
	js        jetstream.JetStream
	stream    jetstream.Stream
	publisher Publisher
}

// Open checks that the stream is there and takes what the sink publishes. A
// stream that does not is a [*sinks.Error], which names the mend.
func Open(ctx context.Context, o Options) (*Sink, error) {
	const op = "opening stream " + schemas.QuarantineStream
	stream, err := o.JetStream.Stream(ctx, schemas.QuarantineStream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, &sinks.Error{Op: op, Err: err, Hint: "`wolkpipe run` creates it when it starts: look for its error there"}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	if !stream.CachedInfo().Config.AllowAtomicPublish {
		return nil, &sinks.Error{
			Op: op, Err: errors.New("atomic batches are off"),
			Hint: "allow them with `nats stream edit " + schemas.QuarantineStream + " --allow-batch`",
		}
	}
	if limit := o.JetStream.Conn().MaxPayload(); limit < 2*maxMessage {
		return nil, &sinks.Error{
			Op: op, Err: fmt.Errorf("the server takes messages of %d bytes, a rejected row may have %d", limit, 2*maxMessage),
			Hint: fmt.Sprintf("set max_payload to %d or more on every NATS server", 2*maxMessage),
		}
	}
	s := &Sink{js: o.JetStream, stream: stream, publisher: o.Publisher}
	if s.publisher == nil {
		// An id that the server remembers would refuse a whole batch, and the
		// guard does all that ids could do.
		s.publisher = pubsub.NewPublisher(o.JetStream, pubsub.PublisherOptions{NoMessageID: true})
	}
	return s, nil
}

// Close releases nothing: the connection is the caller's.
func (s *Sink) Close() error { return nil }

// Load implements [sinks.Sink]. It reads the guard alone: most days have no
// rejects, and what the stream holds is only needed where there are some.
//
// A replica that lags may answer. What it does not know yet cannot be left out
// of a commit for it, and published again it is refused by the guard.
func (s *Sink) Load(ctx context.Context, key sinks.Key) (sinks.Held, error) {
	subject := schemas.QuarantineSubject(key.Operation, key.Day)
	last, err := s.stream.GetLastMsgForSubject(ctx, subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return &held{s, key, subject, 0}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the last message on %s: %w", subject, err)
	}
	return &held{s, key, subject, last.Sequence}, nil
}

type held struct {
	sink    *Sink
	key     sinks.Key
	subject string
	guard   uint64 // sequence of the last message on subject, 0 for none
}

// Commit implements [sinks.Held]. The Change counts the windows of which
// rejects were told, the messages, and the batches.
func (h *held) Commit(ctx context.Context, day *sinks.Day) (sinks.Change, error) {
	var change sinks.Change
	if day.Key != h.key {
		return change, fmt.Errorf("committing %s on what was loaded of %s", day.Key, h.key)
	}
	missing, err := h.missing(ctx, day)
	if err != nil {
		return change, err
	}
	last := ""
	for _, batch := range batches(missing) {
		seq, err := h.publish(ctx, batch)
		if err != nil {
			return change, err
		}
		h.guard = seq
		change.Writes++
		change.Rows += len(batch)
		for _, m := range batch {
			if m.window != last { // those of a window stand together
				change.Windows++
			}
			last = m.window
		}
	}
	return change, nil
}

// missing are the messages of day's rejects that the stream does not have up
// to the guard, those of a window together, in the order of the day.
func (h *held) missing(ctx context.Context, day *sinks.Day) ([]reject, error) {
	var recorded map[string]*record
	var missing []reject
	for i := range day.Windows {
		w := &day.Windows[i]
		if len(w.Rejects) == 0 {
			continue
		}
		if recorded == nil {
			var err error
			if recorded, err = h.read(ctx); err != nil {
				return nil, err
			}
		}
		there := recorded[w.Local]
		if there != nil && there.revision > w.Revision {
			continue // an older fold than one that was told
		}
		for _, r := range w.Rejects {
			data, err := encode(day.Operation, w, r)
			if err != nil {
				return nil, err
			}
			if there == nil || !there.take(data) { // a lower revision has other bytes
				missing = append(missing, reject{w.Local, data})
			}
		}
	}
	return missing, nil
}
