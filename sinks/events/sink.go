package events

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/pubsub"
)

// Options say where events go.
type Options struct {
	JetStream jetstream.JetStream // of the account that has CHAT7_EVENTS
	Publisher Publisher           // nil: one of the sink's own, on JetStream
	RowTTL    time.Duration       // after which row events expire; 0: never. Other events never do

	// Now tells the time, so that an observation told from the future, which
	// somebody made up, does not keep later ones out for ever. Nil: it does.
	Now func() time.Time
}

// Sink tells days to CHAT7_EVENTS. It is safe for concurrent use.
type Sink struct {
	reader
	publisher Publisher
	rowTTL    string           // "" for none
	now       func() time.Time // nil for none
	limits    limits
	days      *cache
	encoders  sync.Pool // of *encoder
}

// limits bound what goes into one batch.
type limits struct {
	messages int // in a batch
	bytes    int // of data in a batch of several changes
	event    int // of a window event; a larger one is split
}

var defaultLimits = limits{messages: maxBatch, bytes: 4 << 20, event: maxWindowEvent}

// cacheWeight bounds the decoded states that are kept, in rows and windows:
// some 50 MB, or a hundred days of 5,000 rows.
const cacheWeight = 1 << 19

// Open checks that the stream is there and takes what the sink publishes. A
// stream that does not is a *sinks.Error, which names the mend.
func Open(ctx context.Context, o Options) (*Sink, error) {
	if o.RowTTL < 0 || o.RowTTL%time.Second != 0 {
		return nil, fmt.Errorf("row_ttl %v is not 0 or a number of whole seconds", o.RowTTL)
	}
	if err := check(ctx, o); err != nil {
		return nil, err
	}
	s := &Sink{reader: reader{o.JetStream}, publisher: o.Publisher, now: o.Now, limits: defaultLimits, days: newCache(cacheWeight)}
	if s.publisher == nil {
		s.publisher = pubsub.NewPublisher(o.JetStream, pubsub.PublisherOptions{})
	}
	if o.RowTTL > 0 {
		s.rowTTL = o.RowTTL.String()
	}
	s.encoders.New = func() any { return new(encoder) }
	return s, nil
}

func check(ctx context.Context, o Options) error {
	stream, err := o.JetStream.Stream(ctx, schemas.EventsStream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return &sinks.Error{
			Op: "opening the events sink", Err: err,
			Hint: "`wolkpipe run` creates the stream " + schemas.EventsStream + " when it starts: look for its error there",
		}
	}
	if err != nil {
		return fmt.Errorf("looking for stream %s: %w", schemas.EventsStream, err)
	}
	config := stream.CachedInfo().Config
	if !config.AllowAtomicPublish {
		return unfit("atomic batches are off", "allow them with `nats stream edit "+schemas.EventsStream+" --allow-batch`")
	}
	if o.RowTTL > 0 && !config.AllowMsgTTL {
		return unfit("row_ttl is set, and messages with a time to live are off", "allow them with `nats stream edit "+schemas.EventsStream+" --allow-msg-ttl`")
	}
	// A window event and its headers have room in twice its data.
	if limit := o.JetStream.Conn().MaxPayload(); limit < 2*maxWindowEvent {
		return unfit(fmt.Sprintf("the server takes messages of %d bytes, events may have %d", limit, 2*maxWindowEvent),
			fmt.Sprintf("set max_payload to %d or more on every NATS server", 2*maxWindowEvent))
	}
	return nil
}

func unfit(what, hint string) error {
	return &sinks.Error{Op: "opening stream " + schemas.EventsStream, Hint: hint, Err: errors.New(what)}
}

// Close releases nothing: the connection is the caller's.
func (s *Sink) Close() error { return nil }

var operationName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)

// Load implements [sinks.Sink]. What it gives is not for concurrent use.
func (s *Sink) Load(ctx context.Context, key sinks.Key) (sinks.Held, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	state, err := s.load(ctx, key)
	if err != nil {
		return nil, err
	}
	day, err := s.loadDay(ctx, key)
	if err != nil {
		return nil, err
	}
	return &held{sink: s, key: key, state: state, day: day}, nil
}

func checkKey(key sinks.Key) error {
	if !operationName.MatchString(key.Operation) {
		return fmt.Errorf("operation %q is not a name of the form [a-z][a-z0-9_-]{0,62}", key.Operation)
	}
	if _, err := time.Parse(time.DateOnly, key.Day); err != nil {
		return fmt.Errorf("day %q is not of the form 2006-01-02", key.Day)
	}
	return nil
}

// loadDay gives what is told of a day besides its windows.
func (s *Sink) loadDay(ctx context.Context, key sinks.Key) (dayTold, error) {
	m, err := s.last(ctx, schemas.DaySubject(key.Operation, key.Day))
	if m == nil || err != nil {
		return dayTold{}, err
	}
	return decodeDay(m)
}

// load gives the state of a day's windows, from the cache as far as that is
// still the beginning of what the stream holds.
func (s *Sink) load(ctx context.Context, key sinks.Key) (*state, error) {
	subject := schemas.WindowSubject(key.Operation, key.Day)
	last, err := s.last(ctx, subject)
	if err != nil {
		return nil, err
	}
	if last == nil {
		s.days.drop(key)
		return newState(), nil
	}
	from := newState()
	if cached := s.days.get(key); cached != nil {
		if cached.seq == last.seq && cached.id == last.id {
			return cached, nil
		}
		stands, err := s.stands(ctx, cached, subject, last)
		if err != nil {
			return nil, err
		}
		if stands {
			from = cached.clone()
		}
	}
	fold := folder{state: from}
	if err := s.between(ctx, subject, from.seq+1, last.seq, fold.add); err != nil {
		return nil, err
	}
	s.days.put(key, from)
	return from, nil
}

// stands reports whether the last message that a state was made of is still
// in the stream: purged or made anew, the stream holds another there, or none.
func (s *Sink) stands(ctx context.Context, cached *state, subject string, last *rawMessage) (bool, error) {
	if cached.seq == 0 || cached.seq >= last.seq {
		return false, nil
	}
	m, err := s.at(ctx, cached.seq)
	return m != nil && m.subject == subject && m.id == cached.id, err
}
