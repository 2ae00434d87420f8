package pubsub

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go/jetstream"
)

// A request for messages is open for this long, and so is a subscription at
// most after it was told to stop: broken off, a request would lose what the
// server is sending, until AckWait.
const requestLife = time.Second

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

	ctx     context.Context    // of messages
	cancel  context.CancelFunc // ends ctx
	stop    chan struct{}      // closed when no more is to be taken or handed out
	slots   chan struct{}      // holds a token for each message not acked or nacked
	queue   chan *delivery     // taken and not handed out
	pending sync.WaitGroup     // attended messages

	abandoned chan struct{} // closed when handlers had their time to finish
}

func newSubscription(s *Subscriber, ctx context.Context, source Source) *subscription {
	sub := &subscription{
		Subscriber: s, source: source, out: make(chan *message.Message), stop: make(chan struct{}),
		slots: make(chan struct{}, s.o.Concurrency), queue: make(chan *delivery, s.o.Concurrency),
		abandoned: make(chan struct{}),
	}
	sub.ctx, sub.cancel = context.WithCancel(ctx)
	return sub
}

// run takes messages until the subscription is told to stop, and returns when
// all are done with.
func (s *subscription) run(consumer jetstream.Consumer) {
	go func() {
		select {
		case <-s.closing:
		case <-s.ctx.Done():
		}
		close(s.stop)
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
		if lost(err) && !s.stopped() {
			// By its name, which leaves one that is still there as it is.
			if c, err := s.consumer(s.ctx, s.source, consumer.CachedInfo().Name); err == nil {
				consumer = c
			}
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

func (s *subscription) stopped() bool {
	select {
	case <-s.stop:
		return true
	default:
		return false
	}
}

func (s *subscription) wait(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.stop:
	}
}

// take asks for as many messages as there are free slots, at least one.
func (s *subscription) take(consumer jetstream.Consumer) error {
	free := 0
	select {
	case s.slots <- struct{}{}:
		free = 1
	case <-s.stop:
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
	batch, err := consumer.Fetch(free, jetstream.FetchMaxWait(requestLife))
	if err == nil {
		for msg := range batch.Messages() {
			if d := s.attend(msg); d != nil {
				s.queue <- d // holds as many as there are slots
				free--
			}
		}
		err = batch.Error()
	}
	for range free {
		<-s.slots
	}
	return err
}

// deliver hands messages out in the order of their arrival.
func (s *subscription) deliver() {
	for d := range s.queue {
		select {
		case <-s.stop:
			close(d.unwanted)
			continue
		default:
		}
		select {
		case s.out <- d.wm:
		case <-s.stop:
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
