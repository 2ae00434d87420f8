package events

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
)

// The front of the stream is cut off, at each message of a history.
func TestTruncated(t *testing.T) {
	for i := 1; i < 30; i += 2 {
		url, js := newStream(t)
		r := newRig(t, url, js, "ventas")
		if err := r.stream().Purge(t.Context(), jetstream.WithPurgeSequence(uint64(i+1))); err != nil {
			t.Fatal(err)
		}
		s := openSink(t, url)
		if differences, _ := r.audit(s); len(differences) == 0 {
			t.Errorf("nothing differs without the first %d messages", i)
		}
		r.mended(s)
		r.goesOn(s)
	}
}

// A window that the journal does not have stays as its window event has it.
func TestUnknownToTheJournal(t *testing.T) {
	url, js := newStream(t)
	r := newRig(t, url, js, "ventas")
	s := openSink(t, url)
	extra := window(9, 4, 4)
	more := theDay(extra)
	more.State = schemas.Settled
	commitTo(t, load(t, s), more)
	_, found := r.audit(s)
	day, _, _ := r.source.Day(t.Context(), r.key)
	if got := sinks.Unknown(day, found); len(got) != 1 || got[0] != extra.Local {
		t.Errorf("unknown are %q", got)
	}
	seq := readAll(t, js)[len(r.seqs)].seq
	r.remove(seq)
	if differences, _ := r.audit(s); kinds(differences) != "stray" {
		t.Errorf("%q differ", differences)
	}
	if _, err := sinks.Mend(t.Context(), s, r.source, "ventas", []string{r.key.Day}); err != nil {
		t.Fatal(err)
	}
	after := consume(t, js, "ventas", 1<<62)
	after.holds(t, "ventas", append(r.source.Windows(r.key), extra))
	if left, _ := r.audit(s); len(left) > 0 {
		t.Errorf("there differ %q", left)
	}
	// Of a day that the journal lacks nothing is touched.
	r.source = nil
	if change, err := found.Mend(t.Context(), &sinks.Day{Key: r.key}); err != nil || change != (sinks.Change{}) {
		t.Errorf("a day without windows gives %+v, %v", change, err)
	}
}

// The journal lost an observation that was told: what is mended has no older
// time, and is told as settled later.
func TestTheJournalIsOlder(t *testing.T) {
	url, js := newStream(t)
	s := openSink(t, url)
	commitTo(t, load(t, s), theDay(again(window(0, 5), 9)))
	r := &rig{t: t, url: url, js: js, key: testKey}
	r.source = newSourceOf(r.key, window(0, 3), window(1, 1))
	r.converge(s)
	if differences, _ := r.audit(s); kinds(differences) != "counted recorded" {
		t.Errorf("%q differ", differences)
	}
	r.mended(s)
	r.source.SetState(r.key, schemas.Settled)
	r.converge(s)
	if left, _ := r.audit(s); len(left) > 0 {
		t.Errorf("a settled day differs in %q", left)
	}
}

// A process that mends forgets what it remembered of the stream, also where
// nothing is to be told: stream and journal have lost the same.
func TestMendForgets(t *testing.T) {
	url, js := newStream(t)
	s := openSink(t, url)
	r := &rig{t: t, url: url, js: js, key: testKey, source: newSourceOf(testKey, window(0, 3), window(1, 1))}
	r.converge(s)
	commitTo(t, load(t, s), theDay(again(window(0, 5), 9)))
	lost := readAll(t, js)[len(r.ofType(".>"))-2:]
	r.observe(window(2, 1))
	r.converge(s)
	r.remove(lost[0].seq, lost[1].seq)
	r.mended(s)
	r.goesOn(s)
}

// Where row events expire, window events alone are compared and mended.
func TestMendWithRowTTL(t *testing.T) {
	url, js := newStream(t)
	r := newRig(t, url, js, "ventas")
	s, err := Open(t.Context(), Options{JetStream: connect(t, url), RowTTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	r.purge(".row.>")
	if differences, found := r.audit(s); len(differences) > 0 || !found.RowsExpire || len(found.Readings) != 1 {
		t.Errorf("%q differ, read by %q", differences, found.Readings)
	}
	r.remove(r.ofType(".window.>")...)
	if differences, _ := r.audit(s); kinds(differences) != "counted missing" {
		t.Errorf("%q differ", differences)
	}
	if _, err := sinks.Mend(t.Context(), s, r.source, "ventas", []string{r.key.Day}); err != nil {
		t.Fatal(err)
	}
	if left, _ := r.audit(s); len(left) > 0 {
		t.Errorf("there differ %q", left)
	}
	if change := r.converge(s); change != (sinks.Change{}) {
		t.Errorf("then it tells %+v", change)
	}
	// A sink without row_ttl does not take what will expire for a proof.
	plain := openSink(t, url)
	r.remove(r.ofType(".row.>")[0])
	if differences, found := r.audit(plain); len(differences) > 0 || !found.RowsExpire {
		t.Errorf("%q differ", differences)
	}
}

// A message that nobody can read is an error that names its mend.
func TestAuditOfStrangeMessages(t *testing.T) {
	url, js := newStream(t)
	for i, event := range []string{
		"no JSON", `{"type":"wolkpipe.chat_7.row.v1","data":7}`,
		`{"type":"wolkpipe.chat_7.row.v1","data":{"window_local":"2026-11-01T00:00:00"}}`,
		`{"type":"wolkpipe.chat_7.row.v1","id":"1","data":{"operation":"op3","window_local":"2026-11-01T00:00:00","cod_act":"2"}}`,
		`{"type":"wolkpipe.chat_7.row.v1","id":"2","data":{"operation":"op4","window_local":"2026-11-01T24:00:00","cod_act":"0"}}`,
		`{"type":"wolkpipe.chat_7.row.v1","id":"2","data":{"operation":"op5","window_local":"2026-11-01T23:00:00","cod_act":"0","revision":9007199254740993}}`,
	} {
		r := newRig(t, url, js, fmt.Sprint("op", i))
		s := openSink(t, url)
		r.forge(schemas.RowSubject(r.key.Operation, "0"), fmt.Sprint("strange", i), []byte(event))
		seq := readAll(t, js, "chat7.events."+r.key.Operation+".>")[len(r.seqs)].seq
		_, err := s.Audit(t.Context(), r.key.Operation, []string{r.key.Day})
		var mend *sinks.Error
		if !errors.As(err, &mend) || !strings.HasSuffix(mend.Hint, fmt.Sprintf("`nats stream rmm CHAT7_EVENTS %d`", seq)) {
			t.Errorf("%s gives %v", event, err)
		}
		r.remove(seq)
		r.forge(schemas.RowSubject(r.key.Operation, "0"), fmt.Sprint("later", i), []byte(`{"type":"wolkpipe.chat_7.row.v2","data":{}}`))
		r.mended(s)
	}
}

// Many rows of one window are mended in several batches; wherever that is cut
// short, or its answers are lost, it goes on from there.
func TestMendIsCutShort(t *testing.T) {
	url, js := newStream(t)
	for cut := range 12 {
		r := &rig{t: t, url: url, js: js, key: sinks.Key{Operation: fmt.Sprint("op", cut), Day: testKey.Day}}
		r.source = newSourceOf(r.key, window(0, 1, 2, 3, 4, 5, 6, 7, 8, 9), window(1), window(2, 1, 1))
		r.converge(openSink(t, url))
		rows := r.ofType(".row.>")
		r.remove(rows[:7]...)
		stray := window(7)
		for i := range 5 {
			r.forgeRow(stray, fmt.Sprint("Nobody ", i), 4, 1, now())
		}
		r.forgeRow(window(0), "Nobody", 4, 1, now()) // sum 0, and not by the latest
		r.forgeRow(window(0), "Nobody", -4, 1, now())
		before := consume(t, js, r.key.Operation, 1<<62)
		s := openSink(t, url)
		s.limits.messages = 4
		left := cut / 2
		tamper(s, func(publish func() (uint64, error), _ []*message.Message) (uint64, error) {
			if left--; left >= 0 {
				return publish()
			}
			if cut%2 == 1 {
				_, _ = publish()
			}
			return 0, errInjected
		})
		if _, err := sinks.Mend(t.Context(), s, r.source, r.key.Operation, []string{r.key.Day}); !errors.Is(err, errInjected) {
			t.Fatalf("cut after %d batches, Mend gives %v", cut/2, err)
		}
		consume(t, js, r.key.Operation, before.last)
		left = 1 << 30
		r.mended(s)
	}
}
