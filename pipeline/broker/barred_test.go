package broker

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/schemas"
)

var allStreams = map[string]string{ // a subject of each
	schemas.EventsStream:     schemas.RowSubject("ventas", "forged"),
	schemas.JournalStream:    schemas.JournalSubject("ventas", "2026-11-02"),
	schemas.QuarantineStream: schemas.QuarantineSubject("ventas", "2026-11-02"),
	PoisonStream:             "chat7.poison.ventas",
}

// asker sends requests that must not be answered. Their answers are looked for
// once, at the end.
type asker struct {
	nc      *nats.Conn
	answers *nats.Subscription
	asked   []string
}

func newAsker(t *testing.T, nc *nats.Conn) *asker {
	t.Helper()
	answers, err := nc.SubscribeSync(nats.NewInbox() + ".*")
	if err != nil {
		t.Fatal(err)
	}
	return &asker{nc: nc, answers: answers}
}

func (a *asker) ask(t *testing.T, subject, body string) {
	t.Helper()
	reply := strings.TrimSuffix(a.answers.Subject, "*") + fmt.Sprint(len(a.asked))
	if err := a.nc.PublishRequest(subject, reply, []byte(body)); err != nil {
		t.Fatal(err)
	}
	a.asked = append(a.asked, subject)
}

// unanswered fails the test for every answer that was not a refusal to route.
func (a *asker) unanswered(t *testing.T) {
	t.Helper()
	settle(t, a.nc)
	for {
		m, err := a.answers.NextMsg(100 * time.Millisecond)
		if err != nil {
			return
		}
		if m.Header.Get("Status") != "503" { // no responders
			t.Errorf("request %s of %d was answered: %s", m.Subject, len(a.asked), m.Data)
			for i, subject := range a.asked {
				if strings.HasSuffix(m.Subject, fmt.Sprintf(".%d", i)) {
					t.Errorf("it was %s", subject)
				}
			}
		}
	}
}

// settle waits until what nc sent has been worked off: the answer to what is
// asked last follows all others.
func settle(t *testing.T, nc *nats.Conn) {
	t.Helper()
	if _, err := nc.Request(apiPrefix+"CONSUMER.INFO."+schemas.EventsStream+".none", nil, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond) // deliveries have no end to wait for
}

// unmoved does something as anybody, and checks that no stream took a message.
func unmoved(t *testing.T, act func(t *testing.T, nc *nats.Conn, subject string)) {
	t.Helper()
	s, owner := public(t)
	nc, _ := asAnybody(t, s)
	before := map[string]uint64{}
	for stream := range allStreams {
		before[stream] = count(t, owner, stream)
	}
	for _, subject := range allStreams {
		act(t, nc, subject)
	}
	settle(t, nc)
	for stream, n := range before {
		if now := count(t, owner, stream); now != n {
			t.Errorf("stream %s took %d messages", stream, now-n)
		}
	}
}

func TestAnybodyCannotPublish(t *testing.T) {
	unmoved(t, func(t *testing.T, nc *nats.Conn, subject string) {
		if err := nc.Publish(subject, []byte("forged")); err != nil {
			t.Fatal(err)
		}
	})
}

// A client names the subject of the answer, which no permission covers.
func TestAnybodyCannotHaveAnswersStored(t *testing.T) {
	unmoved(t, func(t *testing.T, nc *nats.Conn, subject string) {
		for _, service := range publicServices() {
			to := service.subject
			for _, wild := range []string{".*", ".>"} {
				if len(to) > 2 && to[len(to)-2:] == wild {
					to = to[:len(to)-1] + "x"
				}
			}
			if err := nc.PublishRequest(to, subject, nil); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestAnybodyCannotHavePullsStored(t *testing.T) {
	unmoved(t, func(t *testing.T, nc *nats.Conn, subject string) {
		consumer, err := on(t, nc).CreateConsumer(t.Context(), schemas.EventsStream, jetstream.ConsumerConfig{AckPolicy: jetstream.AckExplicitPolicy})
		if err != nil {
			t.Fatal(err)
		}
		next := apiPrefix + "CONSUMER.MSG.NEXT." + schemas.EventsStream + "." + consumer.CachedInfo().Name
		if err := nc.PublishRequest(next, subject, []byte(`{"batch":3}`)); err != nil {
			t.Fatal(err)
		}
		m, err := consumer.Next()
		if err != nil {
			t.Fatal(err)
		}
		if err := nc.PublishRequest(m.Reply(), subject, []byte("+NXT")); err != nil {
			t.Fatal(err)
		}
	})
}

func TestAnybodyCannotHavePushesStored(t *testing.T) {
	const create = apiPrefix + "CONSUMER.CREATE." + schemas.EventsStream
	unmoved(t, func(t *testing.T, nc *nats.Conn, subject string) {
		for _, body := range []string{
			`{"stream_name":"CHAT7_EVENTS","config":{"deliver_subject":"` + subject + `","ack_policy":"none"}}`,
			`{"stream_name":"CHAT7_EVENTS","Config":{"Deliver_Subject":"` + subject + `","ack_policy":"none"}}`,
			`{"stream_name":"CHAT7_EVENTS","config":{"deliver_subject":"_INBOX.x","deliver_subject":"` + subject + `","ack_policy":"none"}}`,
			`{"stream_name":"CHAT7_EVENTS","config":{"deliver_subject":"_INBOX.x","DELIVER_SUBJECT":"` + subject + `","ack_policy":"none"}}`,
			`{"stream_name":"CHAT7_JOURNAL","config":{"deliver_subject":"_INBOX.x","ack_policy":"none"}}`,
			`{"stream_name":"CHAT7_EVENTS","config":{"deliver_subject":"_INBOX.x","direct":true,"ack_policy":"none"}}`,
			`{"stream_name":"CHAT7_EVENTS","config":{"durable_name":"d","deliver_subject":"` + subject + `","ack_policy":"none"}}`,
		} {
			for _, to := range []string{create, create + ".d.chat7.events.>", apiPrefix + "CONSUMER.DURABLE.CREATE." + schemas.EventsStream + ".d"} {
				m, err := nc.Request(to, []byte(body), 5*time.Second)
				if err != nil {
					t.Fatal(err)
				}
				var answer server.ApiResponse
				if err := json.Unmarshal(m.Data, &answer); err != nil || answer.Error == nil {
					t.Errorf("%s with %s was not refused: %s", to, body, m.Data)
				}
			}
		}
	})
}

// A traced message has its trace published to a subject that it names.
func TestAnybodyCannotHaveTracesStored(t *testing.T) {
	unmoved(t, func(t *testing.T, nc *nats.Conn, subject string) {
		m := nats.NewMsg(apiPrefix + "STREAM.INFO." + schemas.EventsStream)
		m.Header.Set("Nats-Trace-Dest", subject)
		m.Reply = nats.NewInbox()
		if err := nc.PublishMsg(m); err != nil {
			t.Fatal(err)
		}
	})
}

func TestAnybodyIsBarred(t *testing.T) {
	s, owner := public(t)
	service, err := owner.Conn().Subscribe("wolkpipe.>", func(m *nats.Msg) { _ = m.Respond([]byte("done")) })
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = service.Unsubscribe() }()
	if err := owner.Conn().Flush(); err != nil {
		t.Fatal(err)
	}
	const bucket = "CHAT7_LEASES"
	leases, err := owner.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: bucket})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := leases.PutString(t.Context(), "x", "secret"); err != nil {
		t.Fatal(err)
	}
	nc, _ := asAnybody(t, s)
	a := newAsker(t, nc)
	for _, subject := range []string{
		"wolkpipe.backfill", "wolkpipe.cancel", "wolkpipe.public.STREAM.NAMES", "$SRV.INFO.wolkpipe",
		apiPrefix + "STREAM.LIST", apiPrefix + "STREAM.CREATE.MINE",
		apiPrefix + "CONSUMER.LIST." + schemas.EventsStream,
		"wolkpipe.status", "$SRV.PING", "$SRV.STATS.wolkpipe", "wolkpipe.public.INFO", "wolkpipe.public.CONSUMER.CREATE." + schemas.EventsStream,
		apiPrefix + "ACCOUNT.PURGE.wolkpipe", apiPrefix + "META.LEADER.STEPDOWN", apiPrefix + "SERVER.REMOVE",
		"$SYS.REQ.SERVER.PING", "$SYS.REQ.SERVER.PING.CONNZ", "$SYS.REQ.ACCOUNT.PING.CONNZ", "$SYS.REQ.USER.INFO", "$SYS.REQ.CLAIMS.LIST",
		"$KV." + bucket + ".x", "$JS.ACK." + schemas.JournalStream + ".a.1.1.1.1.1", "$JS.FC." + schemas.JournalStream + ".a",
	} {
		a.ask(t, subject, "{}")
	}
	// A bucket is a stream by another name.
	all := map[string]string{"KV_" + bucket: "$KV." + bucket + ".x"}
	maps.Copy(all, allStreams)
	for stream, subject := range all {
		// By sequence, by subject, and the subject as part of the request's.
		a.ask(t, apiPrefix+"DIRECT.GET."+stream, `{"seq":1}`)
		a.ask(t, apiPrefix+"DIRECT.GET."+stream, `{"multi_last":["`+subject+`"]}`)
		a.ask(t, apiPrefix+"DIRECT.GET."+stream+"."+subject, "")
		a.ask(t, apiPrefix+"STREAM.PEER.REMOVE."+stream, `{"peer":"x"}`)
		a.ask(t, apiPrefix+"CONSUMER.LEADER.STEPDOWN."+stream+".a", "")
		a.ask(t, apiPrefix+"CONSUMER.PAUSE."+stream+".a", `{"pause_until":"2100-01-01T00:00:00Z"}`)
		a.ask(t, apiPrefix+"CONSUMER.UNPIN."+stream+".a", `{"group":"a"}`)
		a.ask(t, apiPrefix+"CONSUMER.RESET."+stream+".a", `{"seq":1}`)
		for _, verb := range []string{"DELETE", "PURGE", "UPDATE", "CREATE", "MSG.GET", "MSG.DELETE", "SNAPSHOT", "RESTORE", "LEADER.STEPDOWN"} {
			a.ask(t, apiPrefix+"STREAM."+verb+"."+stream, `{"seq":1,"name":"`+stream+`","subjects":["`+subject+`"]}`)
		}
		if stream == schemas.EventsStream {
			continue
		}
		a.ask(t, apiPrefix+"STREAM.INFO."+stream, "")
		for _, to := range []string{"CONSUMER.CREATE." + stream, "CONSUMER.CREATE." + stream + ".a", "CONSUMER.DURABLE.CREATE." + stream + ".a",
			"CONSUMER.MSG.NEXT." + stream + ".a", "CONSUMER.DELETE." + stream + ".a", "CONSUMER.INFO." + stream + ".a", "CONSUMER.NAMES." + stream} {
			a.ask(t, apiPrefix+to, `{"stream_name":"`+stream+`","config":{"durable_name":"a","ack_policy":"none"}}`)
		}
	}
	a.unanswered(t)
	if n := count(t, owner, schemas.JournalStream); n != 1 {
		t.Errorf("the journal has %d messages, want 1", n)
	}
	if lease, err := leases.Get(t.Context(), "x"); err != nil || string(lease.Value()) != "secret" || lease.Revision() != 1 {
		t.Errorf("the lease is %v, %v", lease, err)
	}
}

// What the owner is answered, the journal included, goes over inboxes.
func TestAnybodyCannotListen(t *testing.T) {
	s, owner := public(t)
	nc, violations := asAnybody(t, s)
	heard := make(chan string, 100)
	for _, subject := range []string{inboxPrefix + ">", schemas.EventsSubjects} {
		if _, err := nc.Subscribe(subject, func(m *nats.Msg) { heard <- m.Subject }); err != nil {
			t.Fatal(err)
		}
	}
	denied := []string{schemas.JournalSubjects, schemas.QuarantineSubjects, "wolkpipe.>", "$JS.>", "$KV.>", "$SYS.>", "_R_.>", ">"}
	for _, subject := range denied {
		if _, err := nc.SubscribeSync(subject); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	for range denied {
		select {
		case err := <-violations:
			if !errors.Is(err, nats.ErrPermissionViolation) {
				t.Error(err)
			}
		case <-within(t).Done():
			t.Fatal("a subscription was not refused")
		}
	}
	journal, err := owner.Stream(t.Context(), schemas.JournalStream)
	if err != nil {
		t.Fatal(err)
	}
	consumer, err := journal.OrderedConsumer(t.Context(), jetstream.OrderedConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := consumer.Next(); err != nil {
		t.Fatal(err)
	}
	tell(t, owner, 1)
	select {
	case subject := <-heard:
		if want := schemas.RowSubject("ventas", "0"); subject != want {
			t.Errorf("heard %s before %s", subject, want)
		}
	case <-within(t).Done():
		t.Fatal("heard nothing")
	}
}
