package pubsub_test

import (
	"fmt"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	"github.com/nats-io/nats-server/v2/server"

	"wolkpipe/sinks/pubsub"
)

// suiteOptions are those of a subscriber in a consumer group.
func suiteOptions(group string) pubsub.SubscriberOptions {
	return pubsub.SubscriberOptions{
		SourceFor: func(topic string) pubsub.Source { return pubsub.Source{Stream: topic, Durable: group} },
		Provision: provision,
		AckWait:   5 * time.Second,
		NackDelay: func(uint64) time.Duration { return 0 },
		// One handler of the suite never answers.
		CloseTimeout: 500 * time.Millisecond,
	}
}

func construct(s func() *server.Server, o func(group string) pubsub.SubscriberOptions) (tests.PubSubConstructor, tests.ConsumerGroupPubSubConstructor) {
	inGroup := func(t *testing.T, group string) (message.Publisher, message.Subscriber) {
		js := connect(t, s())
		return pubsub.NewPublisher(js, pubsub.PublisherOptions{}), pubsub.NewSubscriber(js, o(group))
	}
	return func(t *testing.T) (message.Publisher, message.Subscriber) { return inGroup(t, "all") }, inGroup
}

// TestOrdered: one message at a time, and one subscription, keep the order.
func TestOrdered(t *testing.T) {
	one, group := construct(func() *server.Server { return shared }, suiteOptions)
	tests.TestPubSub(t, tests.Features{
		ConsumerGroups: true, Persistent: true,
		GuaranteedOrder: true, GuaranteedOrderWithSingleSubscriber: true,
	}, one, group)
}

// TestConcurrent: several messages at a time, acks confirmed.
func TestConcurrent(t *testing.T) {
	one, group := construct(func() *server.Server { return shared }, func(group string) pubsub.SubscriberOptions {
		o := suiteOptions(group)
		o.Concurrency, o.DoubleAck = 32, true
		return o
	})
	tests.TestPubSub(t, tests.Features{ConsumerGroups: true, Persistent: true}, one, group)
}

// TestEphemeral: without a durable consumer, every subscription reads it all.
func TestEphemeral(t *testing.T) {
	one, _ := construct(func() *server.Server { return shared }, func(string) pubsub.SubscriberOptions { return suiteOptions("") })
	tests.TestNewSubscriberReceivesOldMessages(t, tests.TestContext{
		TestID:   tests.NewTestID(),
		Features: tests.Features{NewSubscriberReceivesOldMessages: true, Persistent: true},
	}, one)
}

// TestServerRestarts: nothing is lost when the server is restarted under load.
func TestServerRestarts(t *testing.T) {
	dir := t.TempDir()
	s, err := startServer(dir, server.RANDOM_PORT)
	if err != nil {
		t.Fatal(err)
	}
	port := s.Addr().(*net.TCPAddr).Port
	var mu sync.Mutex
	running := func() *server.Server {
		mu.Lock()
		defer mu.Unlock()
		return s
	}
	// The suite restarts a server by a command.
	restart := make(chan os.Signal, 1)
	signal.Notify(restart, syscall.SIGUSR1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range restart {
			mu.Lock()
			s.Shutdown()
			s.WaitForShutdown()
			if s, err = startServer(dir, port); err != nil {
				t.Error(err)
			}
			mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		signal.Stop(restart)
		close(restart)
		<-done
		running().Shutdown()
	})
	one, _ := construct(running, func(group string) pubsub.SubscriberOptions {
		o := suiteOptions(group)
		o.Concurrency = 100
		return o
	})
	tests.TestReconnect(t, tests.TestContext{
		TestID: tests.NewTestID(),
		Features: tests.Features{
			Persistent:            true,
			RestartServiceCommand: []string{"kill", "-USR1", fmt.Sprint(os.Getpid())},
		},
	}, one)
}
