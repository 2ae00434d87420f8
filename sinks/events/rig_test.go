package events

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/sinktest"
)

// rig is one operation's journal and events.
type rig struct {
	t      testing.TB
	url    string
	js     jetstream.JetStream
	key    sinks.Key
	source *sinktest.Source
	seqs   []uint64 // of the operation's messages
}

// newRig tells a history of four windows: counts that rise, fall and come
// back, rows that vanish, a window that was empty and one that becomes so.
func newRig(t testing.TB, url string, js jetstream.JetStream, operation string) *rig {
	r := &rig{t: t, url: url, js: js, key: sinks.Key{Operation: operation, Day: testKey.Day}, source: sinktest.NewSource()}
	s := openSink(t, url)
	for _, step := range [][]schemas.Window{
		{window(0, 3, 2), window(1), window(2, 6)},
		{window(0, 5, 2), window(3, 1, 1, 1)},
		{window(0, 8, 2), window(1, 7)},
		{window(0, 5), window(2)},
		{window(0, 3, 2, 4), window(3, 1, 2, 1)},
	} {
		r.observe(step...)
		r.converge(s)
	}
	r.source.SetState(r.key, schemas.Settled)
	r.converge(s)
	for _, m := range readAll(t, js, "chat7.events."+operation+".>") {
		r.seqs = append(r.seqs, m.seq)
	}
	return r
}

func (r *rig) observe(windows ...schemas.Window) {
	for i := range windows {
		windows[i].Revision, windows[i].ObservedAt = 0, time.Time{}
	}
	r.source.Observe(r.key, windows...)
}

func (r *rig) converge(s *Sink) sinks.Change {
	r.t.Helper()
	change, _, err := sinks.Converge(r.t.Context(), s, r.source, r.key)
	if err != nil {
		r.t.Fatal(err)
	}
	return change
}

// audit gives what differs, and the audit.
func (r *rig) audit(s *Sink) ([]sinks.Difference, *sinks.Audited) {
	r.t.Helper()
	found, err := s.Audit(r.t.Context(), r.key.Operation, []string{r.key.Day})
	if err != nil {
		r.t.Fatal(err)
	}
	day, _, err := r.source.Day(r.t.Context(), r.key)
	if err != nil {
		r.t.Fatal(err)
	}
	return sinks.Differences(day, found[r.key.Day]), found[r.key.Day]
}

// mended mends what is damaged, and fails unless everything is right then and
// stays so.
func (r *rig) mended(s *Sink) sinks.Change {
	r.t.Helper()
	before := consume(r.t, r.js, r.key.Operation, 1<<62)
	changes, err := sinks.Mend(r.t.Context(), s, r.source, r.key.Operation, []string{r.key.Day})
	if err != nil {
		r.t.Fatal(err)
	}
	after := consume(r.t, r.js, r.key.Operation, before.last)
	after.holds(r.t, r.key.Operation, r.source.Windows(r.key))
	if left, _ := r.audit(s); len(left) > 0 {
		r.t.Errorf("after mending there differ %q", left)
	}
	again, err := sinks.Mend(r.t.Context(), s, r.source, r.key.Operation, []string{r.key.Day})
	if err != nil || len(again) > 0 {
		r.t.Errorf("mending again gives %+v, %v", again, err)
	}
	for name, worker := range map[string]*Sink{"the same": s, "another": openSink(r.t, r.url)} {
		if change := r.converge(worker); change != (sinks.Change{}) {
			r.t.Errorf("then %s process tells %+v", name, change)
		}
	}
	return changes[r.key.Day]
}

// goesOn fails unless what the journal learns next is told and right.
func (r *rig) goesOn(s *Sink) {
	r.t.Helper()
	before := consume(r.t, r.js, r.key.Operation, 1<<62)
	for _, step := range [][]schemas.Window{{window(0, 1, 1, 4), window(1)}, {window(0, 9), window(4, 2)}} {
		r.source.SetState(r.key, schemas.Provisional)
		r.observe(step...)
		r.converge(s)
	}
	if left, _ := r.audit(s); len(left) > 0 {
		r.t.Errorf("later there differ %q", left)
	}
	after := consume(r.t, r.js, r.key.Operation, before.last)
	after.holds(r.t, r.key.Operation, r.source.Windows(r.key))
}

func (r *rig) stream() jetstream.Stream {
	r.t.Helper()
	stream, err := r.js.Stream(r.t.Context(), schemas.EventsStream)
	if err != nil {
		r.t.Fatal(err)
	}
	return stream
}

func (r *rig) remove(seqs ...uint64) {
	r.t.Helper()
	stream := r.stream()
	for _, seq := range seqs {
		if err := stream.DeleteMsg(r.t.Context(), seq); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *rig) purge(filter string) {
	r.t.Helper()
	awaitForgotten(r.t.(*testing.T), r.js)
	if err := r.stream().Purge(r.t.Context(), jetstream.WithPurgeSubject("chat7.events."+r.key.Operation+filter)); err != nil {
		r.t.Fatal(err)
	}
}

// forge publishes an event that is not the sink's.
func (r *rig) forge(subject, id string, event []byte) {
	r.t.Helper()
	m := nats.NewMsg(subject)
	m.Data = event
	m.Header.Set(jetstream.MsgIDHeader, id)
	if _, err := r.js.PublishMsg(r.t.Context(), m); err != nil {
		r.t.Fatal(err)
	}
}

// forgeRow forges a row event of a window.
func (r *rig) forgeRow(w schemas.Window, agent string, delta int64, revision int64, at time.Time) {
	r.t.Helper()
	id, event, err := schemas.NewRow(schemas.RowData{
		Operation: r.key.Operation, Day: r.key.Day, WindowStart: w.Start, WindowEnd: w.End, WindowLocal: w.Local,
		Agent: agent, Code: "0", Interactions: delta, Delta: delta, Revision: revision, ObservedAt: at, Cause: schemas.Live,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.forge(schemas.RowSubject(r.key.Operation, "0"), id, event)
}

// ofType are the sequences of the events of a type, in their order.
func (r *rig) ofType(filter string) (seqs []uint64) {
	for _, m := range readAll(r.t, r.js, "chat7.events."+r.key.Operation+filter) {
		seqs = append(seqs, m.seq)
	}
	return seqs
}

// newSourceOf is a journal of those windows, as they are.
func newSourceOf(key sinks.Key, windows ...schemas.Window) *sinktest.Source {
	source := sinktest.NewSource()
	source.Observe(key, windows...)
	return source
}
