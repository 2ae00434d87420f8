package pubsub_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/sinks/pubsub"
)

// receive waits for a message that has to come.
func receive(t *testing.T, messages <-chan *message.Message) *message.Message {
	t.Helper()
	select {
	case m, ok := <-messages:
		if !ok {
			t.Fatal("the channel was closed")
		}
		return m
	case <-time.After(20 * time.Second):
		t.Fatal("no message")
	}
	return nil
}

// none checks that no message comes for a while.
func none(t *testing.T, messages <-chan *message.Message, while time.Duration) {
	t.Helper()
	select {
	case m, ok := <-messages:
		if ok {
			t.Fatalf("message %s came", m.UUID)
		}
	case <-time.After(while):
	}
}

// subscribe subscribes to the test's stream by the durable consumer "all".
func subscribe(t *testing.T, js jetstream.JetStream, o pubsub.SubscriberOptions) (*pubsub.Subscriber, <-chan *message.Message) {
	t.Helper()
	if o.SourceFor == nil {
		o.SourceFor = func(topic string) pubsub.Source { return pubsub.Source{Stream: topic, Durable: "all"} }
	}
	if o.CloseTimeout == 0 {
		o.CloseTimeout = 100 * time.Millisecond
	}
	s := pubsub.NewSubscriber(js, o)
	t.Cleanup(func() { _ = s.Close() })
	messages, err := s.Subscribe(context.Background(), t.Name())
	if err != nil {
		t.Fatal(err)
	}
	return s, messages
}

func publish(t *testing.T, js jetstream.JetStream, messages ...*message.Message) {
	t.Helper()
	if err := pubsub.NewPublisher(js, pubsub.PublisherOptions{}).Publish(t.Name(), messages...); err != nil {
		t.Fatal(err)
	}
}

const shortWait = 300 * time.Millisecond

// A handler may take longer than AckWait: the message stays its own.
func TestALongHandlerKeepsItsMessage(t *testing.T) {
	js := connect(t, shared)
	makeStream(t, js, t.Name())
	publish(t, js, batch("a", 1)...)
	o := pubsub.SubscriberOptions{AckWait: shortWait, Concurrency: 2}
	_, first := subscribe(t, js, o)
	m := receive(t, first)
	_, second := subscribe(t, connect(t, shared), o)
	select {
	case <-first:
		t.Fatal("the message came again to its own subscriber")
	default:
	}
	none(t, second, 5*shortWait)
	if !m.Ack() {
		t.Fatal("ack refused")
	}
	acked(t, js, 1)
}

// acked waits until the durable consumer's messages up to n are acked.
func acked(t *testing.T, js jetstream.JetStream, n uint64) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		c, err := js.Consumer(t.Context(), t.Name(), "all")
		if err != nil {
			t.Fatal(err)
		}
		if floor := c.CachedInfo().AckFloor.Stream; floor == n {
			return
		} else if time.Now().After(end) {
			t.Fatalf("acked up to %d, want %d", floor, n)
		}
	}
}

// A handler whose process shows no sign of life loses its message, and its
// late ack does no harm.
func TestASilentHandlerLosesItsMessage(t *testing.T) {
	js := connect(t, shared)
	makeStream(t, js, t.Name())
	publish(t, js, batch("a", 1)...)
	o := pubsub.SubscriberOptions{AckWait: shortWait}
	silent := connect(t, shared)
	_, first := subscribe(t, silent, o)
	held := receive(t, first)
	silent.Conn().Close()
	_, second := subscribe(t, js, o)
	again := receive(t, second)
	if again.UUID != held.UUID || again.Metadata.Get(pubsub.DeliveredKey) != "2" {
		t.Errorf("message %s, delivery %s, came in place of %s", again.UUID, again.Metadata.Get(pubsub.DeliveredKey), held.UUID)
	}
	held.Ack()
	again.Ack()
	acked(t, js, 1)
}

func TestMessagesWaitingAreKeptAlive(t *testing.T) {
	js := connect(t, shared)
	makeStream(t, js, t.Name())
	const n = 10
	publish(t, js, batch("a", n)...)
	_, messages := subscribe(t, js, pubsub.SubscriberOptions{AckWait: shortWait, Concurrency: n})
	time.Sleep(4 * shortWait) // nobody takes them
	for i := range n {
		m := receive(t, messages)
		if m.UUID != fmt.Sprintf("a-%d", i) || m.Metadata.Get(pubsub.DeliveredKey) != "1" {
			t.Errorf("message %d is %s, delivery %s", i, m.UUID, m.Metadata.Get(pubsub.DeliveredKey))
		}
		m.Ack()
	}
	acked(t, js, n)
}

func TestConcurrencyIsALimit(t *testing.T) {
	js := connect(t, shared)
	makeStream(t, js, t.Name())
	publish(t, js, batch("a", 20)...)
	_, messages := subscribe(t, js, pubsub.SubscriberOptions{Concurrency: 3})
	held := []*message.Message{receive(t, messages), receive(t, messages), receive(t, messages)}
	none(t, messages, 200*time.Millisecond)
	held[1].Ack()
	held[1] = receive(t, messages)
	none(t, messages, 200*time.Millisecond)
	c, err := js.Consumer(t.Context(), t.Name(), "all")
	if err != nil {
		t.Fatal(err)
	}
	if info := c.CachedInfo(); info.NumAckPending != 3 {
		t.Errorf("%d messages are pending, want 3", info.NumAckPending)
	}
	for _, m := range held {
		m.Nack()
	}
}

// With one message at a time, a nacked one comes again before the next.
func TestOrderOutlivesNacks(t *testing.T) {
	js := connect(t, shared)
	makeStream(t, js, t.Name())
	const n = 20
	publish(t, js, batch("a", n)...)
	_, messages := subscribe(t, js, pubsub.SubscriberOptions{DoubleAck: true, NackDelay: func(uint64) time.Duration { return 0 }})
	for i := range n {
		for attempt := range 3 {
			m := receive(t, messages)
			if want := fmt.Sprintf("a-%d", i); m.UUID != want || m.Metadata.Get(pubsub.DeliveredKey) != fmt.Sprint(attempt+1) {
				t.Fatalf("message %s, delivery %s, want %s, %d", m.UUID, m.Metadata.Get(pubsub.DeliveredKey), want, attempt+1)
			}
			if attempt < 2 {
				m.Nack()
			} else {
				m.Ack()
			}
		}
	}
}

func TestWhatAHandlerSees(t *testing.T) {
	js := connect(t, shared)
	makeStream(t, js, t.Name())
	payload := bytes.Repeat([]byte("x"), 1000)
	sent := message.NewMessage("id", payload)
	sent.Metadata = message.Metadata{"kind": "test", pubsub.SubjectKey: t.Name() + ".a.b", pubsub.ExpectSequenceKey: "0", pubsub.TTLKey: "1h"}
	publish(t, js, sent)
	publish(t, js, message.NewMessage("filtered", nil))
	for name, o := range map[string]pubsub.SubscriberOptions{
		"whole": {}, "headers": {HeadersOnly: true},
	} {
		topic := t.Name()
		o.SourceFor = func(string) pubsub.Source { return pubsub.Source{Stream: topic, Filter: []string{topic + ".>"}} }
		_, messages := subscribe(t, js, o)
		m := receive(t, messages)
		want := message.Metadata{"kind": "test", pubsub.ReceivedSubjectKey: topic + ".a.b", pubsub.ReceivedSequenceKey: "1", pubsub.DeliveredKey: "1"}
		if name == "headers" {
			want[pubsub.SizeKey] = "1000"
			payload = nil
		} else {
			payload = sent.Payload
		}
		if m.UUID != "id" || !bytes.Equal(m.Payload, payload) || fmt.Sprint(m.Metadata) != fmt.Sprint(want) {
			t.Errorf("%s: message %s of %d bytes with %v, want %v", name, m.UUID, len(m.Payload), m.Metadata, want)
		}
		m.Ack()
		none(t, messages, 50*time.Millisecond)
	}
}

// Close lets handlers finish, and gives back what none has.
func TestCloseWaitsForHandlers(t *testing.T) {
	js := connect(t, shared)
	makeStream(t, js, t.Name())
	publish(t, js, batch("a", 5)...)
	s, messages := subscribe(t, js, pubsub.SubscriberOptions{
		Concurrency: 5, CloseTimeout: 20 * time.Second, NackDelay: func(uint64) time.Duration { return 0 },
	})
	m := receive(t, messages)
	closed := make(chan error)
	go func() { closed <- s.Close() }()
	for late := range messages { // handed out while it was closing
		late.Nack()
	}
	select {
	case err := <-closed:
		t.Fatalf("Close did not wait: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	if m.Context().Err() != nil {
		t.Error("the context of a message under work ended")
	}
	m.Ack()
	if err := <-closed; err != nil {
		t.Error(err)
	}
	acked(t, js, 1)
	if _, err := s.Subscribe(t.Context(), t.Name()); !errors.Is(err, pubsub.ErrClosed) {
		t.Errorf("subscribing after Close: %v", err)
	}
	// At once, long before AckWait.
	_, messages = subscribe(t, js, pubsub.SubscriberOptions{Concurrency: 5})
	for range 4 {
		receive(t, messages).Ack()
	}
	acked(t, js, 5)
}

// A subscriber closes in bounded time without a server, and a subscription
// outlives the loss of its consumer.
func TestWithoutAServer(t *testing.T) {
	s, err := startServer(t.TempDir(), server.RANDOM_PORT)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Shutdown()
	js := connect(t, s)
	makeStream(t, js, t.Name())
	sub, messages := subscribe(t, js, pubsub.SubscriberOptions{})
	publish(t, js, batch("a", 1)...)
	receive(t, messages).Ack()
	acked(t, js, 1)
	if err := js.DeleteConsumer(t.Context(), t.Name(), "all"); err != nil {
		t.Fatal(err)
	}
	publish(t, js, batch("b", 1)...)
	if m := receive(t, messages); m.UUID != "a-0" { // a new consumer begins anew
		t.Errorf("message %s", m.UUID)
	} else {
		m.Ack()
	}
	s.Shutdown()
	s.WaitForShutdown()
	done := make(chan struct{})
	go func() { _ = sub.Close(); close(done) }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("Close hangs without a server")
	}
}

func TestSubscribingToNothing(t *testing.T) {
	s := pubsub.NewSubscriber(connect(t, shared), pubsub.SubscriberOptions{})
	if _, err := s.Subscribe(t.Context(), "missing"); !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Errorf("error %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
