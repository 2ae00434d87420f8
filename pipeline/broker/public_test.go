package broker

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/schemas"
)

const told = 20

// public starts a server that lets anybody in, with events in it.
func public(t *testing.T) (*Server, jetstream.JetStream) {
	s := begin(t, Options{Listen: "127.0.0.1:0", Anonymous: true})
	js := asOwner(t, s)
	tell(t, js, told)
	if _, err := js.Publish(t.Context(), schemas.JournalSubject("ventas", "2026-11-01"), []byte("secret")); err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), schemas.QuarantineSubject("ventas", "2026-11-01"), []byte("secret")); err != nil {
		t.Fatal(err)
	}
	return s, js
}

func TestAnybodyPulls(t *testing.T) {
	s, owner := public(t)
	nc, violations := asAnybody(t, s)
	js := on(t, nc)
	stream, err := js.Stream(t.Context(), schemas.EventsStream)
	if err != nil {
		t.Fatal(err)
	}
	if n := stream.CachedInfo().State.Msgs; n != told {
		t.Errorf("the stream's info tells %d messages, want %d", n, told)
	}

	makers := map[string]func() (jetstream.Consumer, error){
		"ordered": func() (jetstream.Consumer, error) {
			return js.OrderedConsumer(t.Context(), schemas.EventsStream, jetstream.OrderedConsumerConfig{FilterSubjects: []string{schemas.EventsSubjects}})
		},
		"ephemeral": func() (jetstream.Consumer, error) {
			return stream.CreateConsumer(t.Context(), jetstream.ConsumerConfig{AckPolicy: jetstream.AckExplicitPolicy})
		},
		"durable": func() (jetstream.Consumer, error) {
			return js.CreateOrUpdateConsumer(t.Context(), schemas.EventsStream, jetstream.ConsumerConfig{
				Durable: "mine", FilterSubject: "chat7.events.ventas.>", AckPolicy: jetstream.AckExplicitPolicy})
		},
	}
	for name, make := range makers {
		t.Run(name, func(t *testing.T) {
			consumer, err := make()
			if err != nil {
				t.Fatal(err)
			}
			it, err := consumer.Messages()
			if err != nil {
				t.Fatal(err)
			}
			defer it.Stop()
			for i := range told {
				m, err := it.Next(jetstream.NextContext(within(t)))
				if err != nil {
					t.Fatalf("message %d: %v", i, err)
				}
				if string(m.Data()) != fmt.Sprint(i) {
					t.Fatalf("message %d is %q", i, m.Data())
				}
				if name == "ordered" {
					continue
				}
				if err := m.DoubleAck(within(t)); err != nil {
					t.Fatalf("ack: %v", err)
				}
			}
			if name == "ordered" {
				return
			}
			info, err := consumer.Info(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if info.AckFloor.Stream != told {
				t.Errorf("acked up to %d, want %d", info.AckFloor.Stream, told)
			}
			if err := js.DeleteConsumer(t.Context(), schemas.EventsStream, info.Name); err != nil {
				t.Error(err)
			}
		})
	}
	tell(t, owner, 1)
	quietly(t, violations)
}

func TestAnybodyIsPushedTo(t *testing.T) {
	s, _ := public(t)
	nc, violations := asAnybody(t, s)
	js, err := nc.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	for name, opts := range map[string][]nats.SubOpt{
		"ordered":   {nats.OrderedConsumer()},
		"ephemeral": {nats.AckExplicit()},
		"durable":   {nats.Durable("pushed"), nats.AckExplicit(), nats.EnableFlowControl(), nats.IdleHeartbeat(time.Second)},
		"again":     {nats.Durable("pushed"), nats.AckExplicit(), nats.EnableFlowControl(), nats.IdleHeartbeat(time.Second)},
	} {
		t.Run(name, func(t *testing.T) {
			// The stream is found by its subjects.
			sub, err := js.SubscribeSync("chat7.events.ventas.>", opts...)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = sub.Unsubscribe() }()
			for i := range told {
				m, err := sub.NextMsgWithContext(within(t))
				if err != nil {
					t.Fatalf("message %d: %v", i, err)
				}
				if string(m.Data) != fmt.Sprint(i) {
					t.Fatalf("message %d is %q", i, m.Data)
				}
				if name != "ordered" {
					if err := m.AckSync(nats.Context(within(t))); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	}
	quietly(t, violations)
}

func TestAnybodySubscribes(t *testing.T) {
	s, owner := public(t)
	nc, _ := asAnybody(t, s)
	sub, err := nc.SubscribeSync(schemas.EventsSubjects)
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	tell(t, owner, 1)
	m, err := sub.NextMsgWithContext(within(t))
	if err != nil {
		t.Fatal(err)
	}
	if want := schemas.RowSubject("ventas", "0"); m.Subject != want {
		t.Errorf("subject %q, want %q", m.Subject, want)
	}
}

func TestAnybodySeesOneStream(t *testing.T) {
	s, _ := public(t)
	nc, _ := asAnybody(t, s)
	names := on(t, nc).StreamNames(t.Context())
	var all []string
	for name := range names.Name() {
		all = append(all, name)
	}
	if len(all) != 1 || all[0] != schemas.EventsStream || names.Err() != nil {
		t.Errorf("streams %v, error %v", all, names.Err())
	}
	// Clients ask for it to see whether there is JetStream at all.
	info, err := on(t, nc).AccountInfo(t.Context())
	if err != nil || info.Streams != 1 || info.Store != 0 || info.Consumers != 0 || info.API.Total != 0 {
		t.Errorf("account info %+v, error %v", info, err)
	}
}

// quietly fails the test for every violation of permissions so far.
func quietly(t *testing.T, violations <-chan error) {
	t.Helper()
	for {
		select {
		case err := <-violations:
			t.Errorf("the server complained: %v", err)
		default:
			return
		}
	}
}
