package pubsub_test

import (
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"

	"wolkpipe/sinks/pubsub"
)

// suiteOptions are those of a subscriber in a consumer group.
func suiteOptions(group string) pubsub.SubscriberOptions {
	return pubsub.SubscriberOptions{
		SourceFor: func(topic string) pubsub.Source { return pubsub.Source{Stream: topic, Durable: group} },
		Provision: provision,
		AckWait:   5 * time.Second,
		NackDelay: func(uint64) time.Duration { return 0 },
		DoubleAck: true,
		// One handler of the suite never answers.
		CloseTimeout: 500 * time.Millisecond,
	}
}

func construct(o func(group string) pubsub.SubscriberOptions) (tests.PubSubConstructor, tests.ConsumerGroupPubSubConstructor) {
	inGroup := func(t *testing.T, group string) (message.Publisher, message.Subscriber) {
		js := connect(t, shared)
		return pubsub.NewPublisher(js, pubsub.PublisherOptions{}), pubsub.NewSubscriber(js, o(group))
	}
	return func(t *testing.T) (message.Publisher, message.Subscriber) { return inGroup(t, "all") }, inGroup
}

// TestOrdered: one message at a time, confirmed, and one subscription keep the order.
func TestOrdered(t *testing.T) {
	one, group := construct(suiteOptions)
	tests.TestPubSub(t, tests.Features{
		ConsumerGroups: true, Persistent: true,
		GuaranteedOrder: true, GuaranteedOrderWithSingleSubscriber: true,
		ForceShort: true, // the other suite has the numbers
	}, one, group)
}

// TestConcurrent: several messages at a time, acks not confirmed.
func TestConcurrent(t *testing.T) {
	one, group := construct(func(group string) pubsub.SubscriberOptions {
		o := suiteOptions(group)
		o.Concurrency, o.DoubleAck = 32, false
		return o
	})
	tests.TestPubSub(t, tests.Features{ConsumerGroups: true, Persistent: true}, one, group)
}

// TestEphemeral: without a durable consumer, every subscription reads it all.
func TestEphemeral(t *testing.T) {
	one, _ := construct(func(string) pubsub.SubscriberOptions { return suiteOptions("") })
	tests.TestNewSubscriberReceivesOldMessages(t, tests.TestContext{
		TestID:   tests.NewTestID(),
		Features: tests.Features{NewSubscriberReceivesOldMessages: true, Persistent: true},
	}, one)
}
