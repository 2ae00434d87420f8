package pubsub

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go/jetstream"
)

// Source is what a topic is read from.
type Source struct {
	Stream  string   // defaults to the topic
	Durable string   // the durable consumer; empty: one of this subscription's own
	Filter  []string // subjects; empty: all of the stream
}

// SubscriberOptions are the settings of a Subscriber.
type SubscriberOptions struct {
	// SourceFor gives what a topic is read from; nil: the stream of that
	// name, by a consumer of the subscription's own.
	SourceFor func(topic string) Source

	HeadersOnly   bool                    // messages come without payload, with [SizeKey]
	DeliverPolicy jetstream.DeliverPolicy // where a new consumer begins; default: at the first message
	MaxAckPending int                     // of the consumer, over all its subscribers; 0: no limit

	// Concurrency is how many messages a subscription has at a time that
	// are neither acked nor nacked; 0 means 1. Messages are handed out in
	// the order in which the server delivers them. With 1, DoubleAck, a
	// NackDelay of 0 and a single subscription that is the stream's order,
	// nacked messages included.
	Concurrency int

	// AckWait is how long the server waits for a sign of life before it
	// delivers a message again; 0 means 30 s.
	AckWait time.Duration

	// NackDelay is how long after a nack a message comes again, by how often
	// it was delivered, from 1; nil: 100 ms, doubling up to 30 s.
	NackDelay func(delivered uint64) time.Duration

	// DoubleAck waits for the server to confirm an ack or nack before its
	// place goes to the next message.
	DoubleAck bool

	// CloseTimeout is how long Close, or the end of Subscribe's context,
	// waits for messages that handlers work on; 0 means 20 s.
	CloseTimeout time.Duration

	// Provision gives the stream that SubscribeInitialize makes for a topic;
	// nil: streams are made by others.
	Provision func(topic string) jetstream.StreamConfig

	Logger *slog.Logger // nil: slog.Default()
}

// Subscriber is Watermill's message.Subscriber on JetStream.
type Subscriber struct {
	js jetstream.JetStream
	o  SubscriberOptions

	closing chan struct{} // closed by Close
	once    sync.Once
	mu      sync.Mutex     // between Subscribe and Close
	running sync.WaitGroup // subscriptions
}

var (
	_ message.Subscriber           = (*Subscriber)(nil)
	_ message.SubscribeInitializer = (*Subscriber)(nil)
)

// NewSubscriber makes a subscriber on js, whose connection stays the caller's.
func NewSubscriber(js jetstream.JetStream, o SubscriberOptions) *Subscriber {
	if o.SourceFor == nil {
		o.SourceFor = func(string) Source { return Source{} }
	}
	o.Concurrency = max(o.Concurrency, 1)
	if o.MaxAckPending == 0 {
		o.MaxAckPending = -1
	}
	if o.AckWait == 0 {
		o.AckWait = 30 * time.Second
	}
	if o.NackDelay == nil {
		o.NackDelay = backOff
	}
	if o.CloseTimeout == 0 {
		o.CloseTimeout = 20 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return &Subscriber{js: js, o: o, closing: make(chan struct{})}
}

// backOff doubles from 100 ms up to 30 s.
func backOff(delivered uint64) time.Duration {
	const first, last = 100 * time.Millisecond, 30 * time.Second
	return min(first<<min(delivered-1, 10), last)
}

// Subscribe delivers a topic's messages until ctx ends or the subscriber is
// closed; the channel is closed then. The consumer is made if it is missing,
// and brought to the subscriber's settings.
//
// A message is delivered again after a nack, and when its handler's process
// shows no sign of life for AckWait. Messages have a context of their own,
// which ends with their ack or nack, with ctx, and CloseTimeout after Close.
func (s *Subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isClosed() {
		return nil, fmt.Errorf("subscribing to %s: subscriber: %w", topic, ErrClosed)
	}
	source := s.source(topic)
	consumer, err := s.consumer(ctx, source, source.Durable)
	if err != nil {
		return nil, err
	}
	sub := newSubscription(ctx, s, source)
	s.running.Add(1)
	go func() {
		defer s.running.Done()
		sub.run(consumer)
	}()
	return sub.out, nil
}

// SubscribeInitialize makes the topic's stream, where the option Provision is
// set, and its durable consumer.
func (s *Subscriber) SubscribeInitialize(topic string) error {
	ctx := context.Background() // the default time-out holds
	if s.o.Provision != nil {
		if _, err := s.js.CreateOrUpdateStream(ctx, s.o.Provision(topic)); err != nil {
			return fmt.Errorf("making the stream of topic %s: %w", topic, err)
		}
	}
	source := s.source(topic)
	if source.Durable == "" {
		return nil
	}
	_, err := s.consumer(ctx, source, source.Durable)
	return err
}

func (s *Subscriber) source(topic string) Source {
	source := s.o.SourceFor(topic)
	if source.Stream == "" {
		source.Stream = topic
	}
	return source
}

// ephemeralLife is how long the server keeps a consumer without a name whose
// subscriber is gone: longer than an outage that a subscription should outlive.
const ephemeralLife = 5 * time.Minute

// consumer makes or finds the source's consumer; name is that of an earlier
// one without a durable's, or empty.
func (s *Subscriber) consumer(ctx context.Context, source Source, name string) (jetstream.Consumer, error) {
	config := jetstream.ConsumerConfig{
		Name: name, Durable: source.Durable, FilterSubjects: source.Filter,
		DeliverPolicy: s.o.DeliverPolicy, HeadersOnly: s.o.HeadersOnly,
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: s.o.AckWait,
		MaxAckPending: s.o.MaxAckPending, MaxDeliver: -1,
	}
	if source.Durable == "" {
		config.InactiveThreshold = ephemeralLife
	}
	consumer, err := s.js.CreateOrUpdateConsumer(ctx, source.Stream, config)
	if err != nil {
		return nil, fmt.Errorf("making consumer %q of stream %s: %w", source.Durable, source.Stream, err)
	}
	return consumer, nil
}

func (s *Subscriber) isClosed() bool {
	select {
	case <-s.closing:
		return true
	default:
		return false
	}
}

// Close takes no more messages, gives back those that no handler has, and
// waits up to CloseTimeout for the others to be acked or nacked. After that
// their contexts end, and the server delivers them again after AckWait.
func (s *Subscriber) Close() error {
	s.mu.Lock()
	s.once.Do(func() { close(s.closing) })
	s.mu.Unlock()
	s.running.Wait()
	return nil
}
