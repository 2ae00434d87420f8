package pubsub_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"wolkpipe/sinks/pubsub"
)

// batch makes n messages with ids of their own; the first has the metadata.
func batch(name string, n int, metadata ...string) []*message.Message {
	messages := make([]*message.Message, n)
	for i := range messages {
		id := fmt.Sprintf("%s-%d", name, i)
		messages[i] = message.NewMessage(id, []byte(id))
	}
	for i := 0; i < len(metadata); i += 2 {
		messages[0].Metadata.Set(metadata[i], metadata[i+1])
	}
	return messages
}

// length is how many messages a stream holds.
func length(t testing.TB, stream jetstream.Stream) uint64 {
	t.Helper()
	info, err := stream.Info(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return info.State.Msgs
}

func TestABatchIsStoredInOrder(t *testing.T) {
	js := connect(t, shared)
	stream := makeStream(t, js, t.Name())
	p := pubsub.NewPublisher(js, pubsub.PublisherOptions{SubjectFor: func(topic string) string { return topic + ".default" }})
	messages := batch("a", pubsub.MaxBatch, pubsub.SubjectKey, t.Name()+".own", "other", "ñandú, 1")
	last, err := p.PublishBatch(t.Context(), t.Name(), messages...)
	if err != nil {
		t.Fatal(err)
	}
	if last != pubsub.MaxBatch {
		t.Errorf("last sequence %d, want %d", last, pubsub.MaxBatch)
	}
	for _, i := range []int{0, 1, pubsub.MaxBatch - 1} {
		m, err := stream.GetMsg(t.Context(), uint64(i+1))
		if err != nil {
			t.Fatal(err)
		}
		subject := t.Name() + ".default"
		if i == 0 {
			subject = t.Name() + ".own"
		}
		if string(m.Data) != messages[i].UUID || m.Subject != subject || m.Header.Get("Nats-Msg-Id") != messages[i].UUID {
			t.Errorf("message %d is %q on %s with %v", i, m.Data, m.Subject, m.Header)
		}
		if i == 0 && (m.Header.Get("other") != "ñandú, 1" || m.Header.Get(pubsub.SubjectKey) != "") {
			t.Errorf("headers %v", m.Header)
		}
	}
}

// Nothing of a batch is stored unless all of it is.
func TestABatchIsRefusedWhole(t *testing.T) {
	js := connect(t, shared)
	stream := makeStream(t, js, t.Name())
	other := makeStream(t, js, t.Name()+"2")
	p := pubsub.NewPublisher(js, pubsub.PublisherOptions{})
	limit := int(js.Conn().MaxPayload())
	if err := p.Publish(t.Name(), batch("known", 1)...); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(m []*message.Message)
		want   error
		not    error
	}{
		"guard on the first": {func(m []*message.Message) { m[0].Metadata.Set(pubsub.ExpectSequenceKey, "7") }, pubsub.ErrWrongLastSequence, nil},
		"guard on another subject": {func(m []*message.Message) {
			m[0].Metadata.Set(pubsub.ExpectSequenceKey, "7")
			m[0].Metadata.Set(pubsub.ExpectSubjectKey, t.Name()+".x")
		}, pubsub.ErrWrongLastSequence, nil},
		"guard on a later one": {func(m []*message.Message) { m[2].Metadata.Set(pubsub.ExpectSequenceKey, "1") }, pubsub.ErrWrongLastSequence, nil},
		"an id that is known":  {func(m []*message.Message) { m[2].UUID = "known-0" }, pubsub.ErrDuplicate, nil},
		"an id twice":          {func(m []*message.Message) { m[2].UUID = m[1].UUID }, pubsub.ErrDuplicate, nil},
		"too large a message":  {func(m []*message.Message) { m[2].Payload = make([]byte, limit) }, pubsub.ErrTooLarge, nil},
		"too large a subject": {func(m []*message.Message) {
			m[2].Metadata.Set(pubsub.SubjectKey, t.Name()+"."+strings.Repeat("x", 5000))
		}, pubsub.ErrTooLarge, nil},
		"another stream":        {func(m []*message.Message) { m[2].Metadata.Set(pubsub.SubjectKey, t.Name()+"2") }, pubsub.ErrTransient, pubsub.ErrUnknown},
		"no stream":             {func(m []*message.Message) { m[3].Metadata.Set(pubsub.SubjectKey, "nobody.home") }, pubsub.ErrTransient, pubsub.ErrUnknown},
		"no stream at first":    {func(m []*message.Message) { m[0].Metadata.Set(pubsub.SubjectKey, "nobody.home") }, pubsub.ErrTransient, pubsub.ErrUnknown},
		"a line end":            {func(m []*message.Message) { m[1].Metadata.Set("x", "a\nNats-Rollup: all") }, nil, pubsub.ErrTransient},
		"a broken key":          {func(m []*message.Message) { m[1].Metadata.Set("x y:", "a") }, nil, pubsub.ErrTransient},
		"a broken subject":      {func(m []*message.Message) { m[1].Metadata.Set(pubsub.SubjectKey, t.Name()+".a b") }, nil, pubsub.ErrTransient},
		"a broken last subject": {func(m []*message.Message) { m[3].Metadata.Set(pubsub.SubjectKey, t.Name()+"..") }, nil, pubsub.ErrConflict},
		"a wrong TTL":           {func(m []*message.Message) { m[1].Metadata.Set(pubsub.TTLKey, "soon") }, nil, pubsub.ErrTransient},
	} {
		t.Run(name, func(t *testing.T) {
			messages := batch(name, 4)
			c.change(messages)
			topic, _, _ := strings.Cut(t.Name(), "/")
			err := p.Publish(topic, messages...)
			if err == nil {
				t.Fatal("no error")
			}
			if c.want != nil && !errors.Is(err, c.want) || c.not != nil && errors.Is(err, c.not) {
				t.Errorf("error %v, want %v and not %v", err, c.want, c.not)
			}
			if n := length(t, stream) + length(t, other); n != 1 {
				t.Errorf("the streams hold %d messages, want 1", n)
			}
		})
	}
	if err := p.Publish(t.Name(), batch("after", 3)...); err != nil {
		t.Errorf("a good batch after broken ones: %v", err)
	}
}

func TestTooManyMessages(t *testing.T) {
	js := connect(t, shared)
	stream := makeStream(t, js, t.Name())
	err := pubsub.NewPublisher(js, pubsub.PublisherOptions{}).Publish(t.Name(), batch("a", pubsub.MaxBatch+1)...)
	if !errors.Is(err, pubsub.ErrTooLarge) || !strings.Contains(err.Error(), "at most 1000") {
		t.Errorf("error %v", err)
	}
	if n := length(t, stream); n != 0 {
		t.Errorf("the stream holds %d messages", n)
	}
}

// Of two that read the same state, one wins, whatever it publishes.
func TestTheGuardLetsOneIn(t *testing.T) {
	js := connect(t, shared)
	stream := makeStream(t, js, t.Name())
	p := pubsub.NewPublisher(js, pubsub.PublisherOptions{NoMessageID: true})
	for round, size := range []int{1, 5} {
		state := length(t, stream)
		const rivals = 8
		errs := make(chan error, rivals)
		for i := range rivals {
			go func() {
				errs <- p.Publish(t.Name(), batch(fmt.Sprintf("%d-%d", round, i), size, pubsub.ExpectSequenceKey, fmt.Sprint(state))...)
			}()
		}
		won := 0
		for range rivals {
			switch err := <-errs; {
			case err == nil:
				won++
			case !errors.Is(err, pubsub.ErrConflict):
				t.Errorf("error %v", err)
			}
		}
		if n := length(t, stream) - state; won != 1 || n != uint64(size) {
			t.Errorf("%d of %d rivals with %d messages won, %d were stored", won, rivals, size, n)
		}
	}
}

func TestASingleKnownMessageCountsAsStored(t *testing.T) {
	js := connect(t, shared)
	stream := makeStream(t, js, t.Name())
	p := pubsub.NewPublisher(js, pubsub.PublisherOptions{})
	for range 2 {
		last, err := p.PublishBatch(t.Context(), t.Name(), batch("a", 1)...)
		if err != nil || last != 1 {
			t.Errorf("sequence %d, error %v", last, err)
		}
	}
	if n := length(t, stream); n != 1 {
		t.Errorf("the stream holds %d messages, want 1", n)
	}
}

func TestTooManyOpenBatches(t *testing.T) {
	js := connect(t, shared)
	makeStream(t, js, t.Name())
	open := 0
	for ; open < 100; open++ { // the server allows 50
		b, err := jetstreamext.NewBatchPublisher(js)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Add(t.Name(), nil); err != nil {
			break
		}
	}
	if open == 100 {
		t.Fatal("the server takes any number of open batches")
	}
	err := pubsub.NewPublisher(js, pubsub.PublisherOptions{}).Publish(t.Name(), batch("a", 2)...)
	if !errors.Is(err, pubsub.ErrTooManyBatches) || !errors.Is(err, pubsub.ErrTransient) || errors.Is(err, pubsub.ErrUnknown) {
		t.Errorf("error %v", err)
	}
}

func TestAContextThatEnds(t *testing.T) {
	js := connect(t, shared)
	stream := makeStream(t, js, t.Name())
	p := pubsub.NewPublisher(js, pubsub.PublisherOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	messages := batch("a", 2)
	messages[0].SetContext(ctx)
	if err := p.Publish(t.Name(), messages...); !errors.Is(err, context.Canceled) || errors.Is(err, pubsub.ErrUnknown) {
		t.Errorf("a context that had ended: %v", err)
	}
	if n := length(t, stream); n != 0 {
		t.Errorf("the stream holds %d messages", n)
	}

	// Somebody takes the subject and never answers.
	sub, err := js.Conn().SubscribeSync("silent")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	for n := range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		_, err := p.PublishBatch(ctx, "silent", batch("a", n+1)...)
		cancel()
		if !errors.Is(err, pubsub.ErrUnknown) || !errors.Is(err, pubsub.ErrTransient) {
			t.Errorf("%d messages that nobody answers: %v", n+1, err)
		}
	}
}

func TestAPublisherThatIsClosed(t *testing.T) {
	p := pubsub.NewPublisher(connect(t, shared), pubsub.PublisherOptions{})
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := p.Publish("x", batch("a", 1)...); !errors.Is(err, pubsub.ErrClosed) {
		t.Errorf("error %v", err)
	}
}
