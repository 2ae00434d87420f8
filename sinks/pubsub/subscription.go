package pubsub

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go/jetstream"
)

// A request for messages is open for requestLife, then renewed; without a
// sign of it for twice the heartbeat it is taken as lost.
const requestLife, requestHeartbeat = 30 * time.Second, 5 * time.Second

// drainTime bounds the wait for a server that does not answer when a
// subscription stops.
const drainTime = 2 * time.Second

const (
	firstPause = 100 * time.Millisecond // after an error of the server
	lastPause  = 5 * time.Second
)

// subscription is one call of Subscribe.
//
// run asks the server for as many messages as there are free slots, attend
// keeps each of them alive from its arrival until its slot is free again, and
// deliver hands them out in their order.
type subscription struct {
	*Subscriber
	source Source
	out    chan *message.Message

	ctx       context.Context // of messages
	cancel    context.CancelFunc
	taking    context.Context // ends, before ctx, when no more is to be taken or handed out
	stop      context.CancelFunc
	slots     chan struct{}  // holds a token for each message not acked or nacked
	queue     chan *delivery // taken and not handed out
	pending   sync.WaitGroup // attended messages
	abandoned chan struct{}  // closed when handlers had their time to finish
}

func newSubscription(ctx context.Context, s *Subscriber, source Source) *subscription {
	sub := &subscription{
		Subscriber: s, source: source, out: make(chan *message.Message),
		slots: make(chan struct{}, s.o.Concurrency), queue: make(chan *delivery, s.o.Concurrency),
		abandoned: make(chan struct{}),
	}
	sub.ctx, sub.cancel = context.WithCancel(ctx)
	sub.taking, sub.stop = context.WithCancel(sub.ctx)
	return sub
}

// run takes messages until the subscription is told to stop, and returns when
// all are done with.
func (s *subscription) run(consumer jetstream.Consumer) {
	go func() {
		select {
		case <-s.closing:
			s.stop()
		case <-s.taking.Done():
		}
	}()
	delivered := make(chan struct{})
	go func() {
		defer close(delivered)
		s.deliver()
	}()

	pause := firstPause
	for !s.stopped() {
		err := s.take(consumer)
		if err == nil {
			pause = firstPause
			continue
		}
		s.o.Logger.Warn("reading a stream", "stream", s.source.Stream, "consumer", s.source.Durable, "retry", pause, "error", err)
		s.wait(pause)
		pause = min(2*pause, lastPause)
		if s.stopped() {
			break
		}
		// It may be gone; by its name, one that is still there stays as it is.
		if c, err := s.consumer(s.taking, s.source, consumer.CachedInfo().Name); err == nil {
			consumer = c
		}
	}

	close(s.queue)
	<-delivered
	close(s.out)
	s.finish()
	if s.source.Durable == "" {
		s.forget(consumer)
	}
}

func (s *subscription) stopped() bool { return s.taking.Err() != nil }

func (s *subscription) wait(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.taking.Done():
	}
}

// take asks for as many messages as there are free slots, at least one.
func (s *subscription) take(consumer jetstream.Consumer) error {
	free := 0
	select {
	case s.slots <- struct{}{}:
		free = 1
	case <-s.taking.Done():
		return nil
	}
	for full := false; !full && free < s.o.Concurrency; {
		select {
		case s.slots <- struct{}{}:
			free++
		default:
			full = true
		}
	}
	left, err := s.receive(consumer, free)
	for range left {
		<-s.slots
	}
	return err
}

// receive takes n messages, fewer when the subscription is told to stop or
// the server fails, and gives how many it did not take.
func (s *subscription) receive(consumer jetstream.Consumer, n int) (left int, err error) {
	messages, err := consumer.Messages(jetstream.StopAfter(n), jetstream.PullMaxMessages(n),
		jetstream.PullExpiry(requestLife), jetstream.PullHeartbeat(requestHeartbeat))
	if err != nil {
		return n, err
	}
	defer messages.Stop()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	defer context.AfterFunc(s.taking, func() {
		messages.Drain() // what the server has sent is still taken, to be given back
		time.AfterFunc(drainTime, cancel)
	})()
	for ; n > 0; n-- {
		msg, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			if s.stopped() {
				err = nil
			}
			return n, err
		}
		d := s.attend(msg)
		if d == nil {
			return n, nil
		}
		s.queue <- d // holds as many as there are slots
	}
	return 0, nil
}

// deliver hands messages out in the order of their arrival.
func (s *subscription) deliver() {
	for d := range s.queue {
		select {
		case <-s.taking.Done():
			close(d.unwanted)
			continue
		default:
		}
		select {
		case s.out <- d.wm:
		case <-s.taking.Done():
			close(d.unwanted)
		}
	}
}

// finish waits for messages under work, as long as CloseTimeout allows.
func (s *subscription) finish() {
	done := make(chan struct{})
	go func() {
		s.pending.Wait()
		close(done)
	}()
	timer := time.NewTimer(s.o.CloseTimeout)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
	s.cancel()
	close(s.abandoned)
	<-done
}

// forget removes a consumer that nobody else can use.
func (s *subscription) forget(consumer jetstream.Consumer) {
	ctx, cancel := context.WithTimeout(context.Background(), firstAnswer)
	defer cancel()
	name := consumer.CachedInfo().Name
	err := s.js.DeleteConsumer(ctx, s.source.Stream, name)
	if err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
		s.o.Logger.Debug("removing a consumer; the server will", "stream", s.source.Stream, "consumer", name, "error", err)
	}
}
