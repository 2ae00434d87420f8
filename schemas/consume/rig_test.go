package consume_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/pipeline/broker"
	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/events"
	"wolkpipe/sinks/quarantine"
	"wolkpipe/sinks/sinktest"
)

var day = sinks.Key{Operation: "ventas", Day: "2026-11-01"}

// rig is the embedded server as `wolkpipe run` starts it, with the sinks that
// tell events and rejects, and a journal for them to follow.
type rig struct {
	t          testing.TB
	url        string
	js         jetstream.JetStream // wolkpipe's own
	source     *sinktest.Source
	events     *events.Sink
	quarantine sinks.Sink
	disorderly map[string]int64 // what disorder comes to
}

func newRig(t testing.TB) *rig {
	t.Helper()
	dir := t.TempDir()
	server, err := broker.Start(t.Context(), broker.Options{Dir: dir, Listen: "127.0.0.1:0", Anonymous: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	nc, err := server.Connect("test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if err := broker.EnsureStreams(t.Context(), js, broker.Streams{}); err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, url: server.URL(), js: js, source: sinktest.NewSource()}
	if r.events, err = events.Open(t.Context(), events.Options{JetStream: js}); err != nil {
		t.Fatal(err)
	}
	if r.quarantine, err = quarantine.Open(t.Context(), quarantine.Options{JetStream: js}); err != nil {
		t.Fatal(err)
	}
	return r
}

// tell lets the journal learn of windows, and the sinks follow it.
func (r *rig) tell(state schemas.State, windows ...schemas.Window) {
	r.t.Helper()
	r.source.SetState(day, state)
	r.source.Observe(day, windows...)
	for _, sink := range []sinks.Sink{r.events, r.quarantine} {
		if _, _, err := sinks.Converge(r.t.Context(), sink, r.source, day); err != nil {
			r.t.Fatal(err)
		}
	}
}

// lose deletes the nth row event, and mends what is then wrong.
func (r *rig) lose(n int) {
	r.t.Helper()
	stream, err := r.js.Stream(r.t.Context(), schemas.EventsStream)
	if err != nil {
		r.t.Fatal(err)
	}
	row := r.stored(schemas.EventsStream, "chat7.events.*.row.>")[n]
	about, err := row.Metadata()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := stream.DeleteMsg(r.t.Context(), about.Sequence.Stream); err != nil {
		r.t.Fatal(err)
	}
	if _, err := sinks.Mend(r.t.Context(), r.events, r.source, day.Operation, []string{day.Day}); err != nil {
		r.t.Fatal(err)
	}
}

// stored are the messages of a stream.
func (r *rig) stored(stream, filter string) (all []jetstream.Msg) {
	r.t.Helper()
	consumer, err := r.js.OrderedConsumer(r.t.Context(), stream, jetstream.OrderedConsumerConfig{FilterSubjects: []string{filter}})
	if err != nil {
		r.t.Fatal(err)
	}
	info, err := consumer.Info(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		r.t.Fatal(err)
	}
	defer messages.Stop()
	for uint64(len(all)) < info.NumPending {
		m, err := messages.Next(jetstream.NextMaxWait(30 * time.Second))
		if err != nil {
			r.t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

// end tells a last row, after which a consumer has read everything: events
// come in their order.
func (r *rig) end(code string) {
	r.t.Helper()
	id, event, err := schemas.NewRow(schemas.RowData{
		Operation: "end", Day: day.Day, WindowLocal: local(0), Code: code, Interactions: 1, Delta: 1, Revision: 1, ObservedAt: time.Now(), Cause: schemas.Live,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.publish(schemas.RowSubject("end", code), id, event)
}

// disorder tells events as no order of a stream should have them: what came
// before once more, and of keys of their own the latest not at the end.
func (r *rig) disorder() {
	r.t.Helper()
	r.disorderly = map[string]int64{}
	second := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	for code, told := range map[string][]struct {
		micros, revision, interactions int64
	}{
		"of one moment":     {{0, 1, 4}, {0, 2, 6}, {0, 1, 4}},
		"late":              {{900_000, 1, 5}, {800_000, 7, 9}},
		"microseconds":      {{123_456, 1, 3}, {123_457, 1, 8}, {123_456, 9, 3}},
		"a whole second":    {{500_000, 3, 2}, {0, 4, 1}},
		"tenths":            {{500_001, 1, 6}, {500_000, 4, 1}},
		"of another second": {{1_000_000, 1, 7}, {999_999, 4, 1}},
	} {
		for i, e := range told {
			id, event, err := schemas.NewRow(schemas.RowData{
				Operation: "disorder", Day: day.Day, WindowLocal: local(0), Code: code, Interactions: e.interactions, Delta: e.interactions,
				Revision: e.revision, ObservedAt: second.Add(time.Duration(e.micros) * time.Microsecond), Cause: schemas.Live,
			})
			if err != nil {
				r.t.Fatal(err)
			}
			r.publish(schemas.RowSubject("disorder", code), fmt.Sprint(id, i), event)
			r.disorderly[code] = max(r.disorderly[code], e.interactions)
		}
	}
	r.disorderly["late"] = 5
	for i, m := range r.stored(schemas.EventsStream, "chat7.events.ventas.row.*")[:9] {
		r.publish(m.Subject(), fmt.Sprint("again ", i), m.Data())
	}
}

// again makes the stream anew, as an operator does who lost it: everything is
// told once more, under sequences that were others' before.
func (r *rig) again() {
	r.t.Helper()
	old := r.stored(schemas.EventsStream, schemas.EventsSubjects)
	about, err := old[len(old)-1].Metadata()
	if err != nil {
		r.t.Fatal(err)
	}
	last := about.Sequence.Stream
	if err := r.js.DeleteStream(r.t.Context(), schemas.EventsStream); err != nil {
		r.t.Fatal(err)
	}
	// The server may still be removing the old one's files.
	for err := errors.New("not made yet"); err != nil; err = broker.EnsureStreams(r.t.Context(), r.js, broker.Streams{}) {
		if r.t.Context().Err() != nil {
			r.t.Fatal(err)
		}
	}
	if r.events, err = events.Open(r.t.Context(), events.Options{JetStream: r.js}); err != nil {
		r.t.Fatal(err)
	}
	r.disorderly = nil
	r.tell(schemas.Settled)
	for i := range last { // the new stream is the longer one
		r.publish("chat7.events.ventas.of_tomorrow", fmt.Sprint("longer ", i), []byte("{}"))
	}
	r.end("end 4")
}

func (r *rig) publish(subject, id string, event []byte) {
	r.t.Helper()
	m := nats.NewMsg(subject)
	m.Data = bytes.Clone(event)
	m.Header.Set(jetstream.MsgIDHeader, id)
	m.Header.Set("Content-Type", schemas.ContentType)
	if _, err := r.js.PublishMsg(r.t.Context(), m); err != nil {
		r.t.Fatal(err)
	}
}

func local(i int) string { return fmt.Sprintf("2026-11-01T%02d:%02d:00", i/12, i%12*5) }

// window is the ith window of the day, with a row for each count that is not 0.
func window(i int, counts ...int64) schemas.Window {
	start := time.Date(2026, 11, 1, i/12, i%12*5, 0, 0, time.FixedZone("", -5*3600))
	w := schemas.Window{Local: local(i), Start: start, End: start.Add(5 * time.Minute), Method: schemas.Direct, Cause: schemas.Live}
	description := "Pago & “más”"
	for j, n := range counts {
		row := schemas.Row{Agent: []string{"", "Ana", "COM-José Ñuñez"}[j%3], Code: []string{"", "0012", "TIMEOUTCHAT", "Venta cerrada. *>"}[j%4], Interactions: n}
		if j%2 == 1 {
			row.Description = &description
		}
		if n > 0 {
			w.Rows = append(w.Rows, row)
		}
	}
	if len(w.Rows) == 0 {
		w.Method = schemas.Empty
	}
	return w
}

// truth is what each code comes to.
func (r *rig) truth() map[string]int64 {
	sums := map[string]int64{}
	maps.Copy(sums, r.disorderly)
	for _, w := range r.source.Windows(day) {
		for _, row := range w.Rows {
			sums[row.Code] += row.Interactions
		}
	}
	return sums
}
