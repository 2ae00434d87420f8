package events

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
)

// message of the stream, as a consumer gets it.
type received struct {
	subject string
	seq     uint64
	header  map[string][]string
	data    []byte
}

func (m *received) get(header string) string {
	if v := m.header[header]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// readAll reads the stream as a consumer does that knows NATS alone.
func readAll(t testing.TB, js jetstream.JetStream, filters ...string) []received {
	t.Helper()
	consumer, err := js.OrderedConsumer(t.Context(), schemas.EventsStream, jetstream.OrderedConsumerConfig{FilterSubjects: filters})
	if err != nil {
		t.Fatal(err)
	}
	info, err := consumer.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all []received
	if info.NumPending == 0 {
		return nil
	}
	messages, err := consumer.Messages()
	if err != nil {
		t.Fatal(err)
	}
	defer messages.Stop()
	for {
		m, err := messages.Next(jetstream.NextMaxWait(20 * time.Second))
		if err != nil {
			t.Fatal(err)
		}
		meta, err := m.Metadata()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, received{m.Subject(), meta.Sequence.Stream, m.Headers(), m.Data()})
		if meta.NumPending == 0 {
			return all
		}
	}
}

// cell is what a count belongs to.
type cell struct{ operation, local, agent, code string }

// latest is the row event that says a cell's count by observed_at, then revision.
type latest struct {
	at           time.Time
	revision     int64
	interactions int64
	description  *string
}

// audit is what a consumer makes of the whole stream.
type audit struct {
	sums    map[cell]int64
	latest  map[cell]latest
	windows map[[2]string]schemas.WindowData // by operation and window, parts joined
	days    map[sinks.Key]schemas.DayData
	rows    int // row events
	told    int // window events, parts counted as one
	dayEvts int
}

// auditor reads events and keeps the laws of the stream.
type auditor struct {
	t   testing.TB
	a   audit
	ids map[string]uint64

	batch   string         // its id
	pending map[cell]int64 // counts told by rows whose window event is still to come
	part    int            // last part of the window event under way
	open    schemas.WindowData
}

// auditAll reads the stream, or those subjects of it, and fails where it breaks a law: an id
// twice, revisions that do not go up, a `previous` that is not the count told
// before, a window event that is not after its rows in their batch or does not
// say what the rows add up to, two ways to read a count that disagree.
func auditAll(t testing.TB, js jetstream.JetStream, filters ...string) audit {
	t.Helper()
	o := &auditor{t: t, ids: map[string]uint64{}, pending: map[cell]int64{}, a: audit{
		sums: map[cell]int64{}, latest: map[cell]latest{},
		windows: map[[2]string]schemas.WindowData{}, days: map[sinks.Key]schemas.DayData{},
	}}
	for _, m := range readAll(t, js, filters...) {
		o.read(&m)
	}
	if len(o.pending) > 0 {
		t.Errorf("the stream ends with %d rows without a window event", len(o.pending))
	}
	o.compare()
	return o.a
}

func (o *auditor) read(m *received) {
	var e schemas.Event[json.RawMessage]
	if err := json.Unmarshal(m.data, &e); err != nil {
		o.t.Fatalf("message %d is not an event: %v", m.seq, err)
	}
	if before := o.ids[e.ID]; before != 0 {
		o.t.Errorf("event %s is in the stream twice: messages %d and %d", e.ID, before, m.seq)
	}
	o.ids[e.ID] = m.seq
	if m.get("Nats-Msg-Id") != e.ID || m.get("Content-Type") != schemas.ContentType {
		o.t.Errorf("message %d has the headers %v", m.seq, m.header)
	}
	if batch := m.get("Nats-Batch-Id"); batch != o.batch || batch == "" {
		if len(o.pending) > 0 {
			o.t.Errorf("message %d: the batch before ended with rows without a window event", m.seq)
		}
		o.batch = batch
	}
	switch e.Type {
	case schemas.TypeRow:
		o.row(m, decode[schemas.RowData](o.t, e.Data), &e)
	case schemas.TypeWindow:
		o.window(m, decode[schemas.WindowData](o.t, e.Data), &e)
	case schemas.TypeDay:
		o.day(m, decode[schemas.DayData](o.t, e.Data), &e)
	default:
		o.t.Errorf("message %d has the type %s", m.seq, e.Type)
	}
}

func decode[T any](t testing.TB, data []byte) T {
	var v T
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func (o *auditor) row(m *received, d schemas.RowData, e *schemas.Event[json.RawMessage]) {
	o.a.rows++
	c := cell{d.Operation, d.WindowLocal, d.Agent, d.Code}
	if want := schemas.RowSubject(d.Operation, d.Code); m.subject != want || e.Subject != d.WindowLocal {
		o.t.Errorf("message %d: a row of code %q on %s, want %s", m.seq, d.Code, m.subject, want)
	}
	if d.Previous != o.a.sums[c] || d.Delta != d.Interactions-d.Previous || d.Delta == 0 {
		o.t.Errorf("message %d: %+v: %d was told, now %d from %d by %d", m.seq, c, o.a.sums[c], d.Interactions, d.Previous, d.Delta)
	}
	if known := o.a.windows[[2]string{d.Operation, d.WindowLocal}].Revision; d.Revision <= known {
		o.t.Errorf("message %d: %+v: revision %d after %d", m.seq, c, d.Revision, known)
	}
	o.a.sums[c] += d.Delta
	o.pending[c] = d.Revision
	if l := o.a.latest[c]; d.ObservedAt.After(l.at) || d.ObservedAt.Equal(l.at) && d.Revision > l.revision {
		o.a.latest[c] = latest{d.ObservedAt, d.Revision, d.Interactions, d.Description}
	}
}

func (o *auditor) window(m *received, d schemas.WindowData, _ *schemas.Event[json.RawMessage]) {
	if want := schemas.WindowSubject(d.Operation, d.Day); m.subject != want {
		o.t.Errorf("message %d: a window on %s, want %s", m.seq, m.subject, want)
	}
	if len(m.data) > maxWindowEvent {
		o.t.Errorf("message %d: a window event of %d bytes", m.seq, len(m.data))
	}
	if d.Part == 1 {
		o.open = d
	} else {
		o.open.Rows = append(o.open.Rows, d.Rows...)
	}
	if d.Part != o.part+1 || d.Revision != o.open.Revision || d.WindowLocal != o.open.WindowLocal {
		o.t.Errorf("message %d: part %d of %d after %d", m.seq, d.Part, d.Parts, o.part)
	}
	if o.part = d.Part; d.Part < d.Parts {
		return
	}
	o.part = 0
	o.a.told++
	key := [2]string{d.Operation, d.WindowLocal}
	before, known := o.a.windows[key]
	if known && (d.Revision <= before.Revision || d.ObservedAt.Before(before.ObservedAt)) {
		o.t.Errorf("message %d: window %s: revision %d observed %v after %d observed %v", m.seq, d.WindowLocal, d.Revision, d.ObservedAt, before.Revision, before.ObservedAt)
	}
	for c, revision := range o.pending {
		if c.operation == d.Operation && c.local == d.WindowLocal {
			if revision != d.Revision {
				o.t.Errorf("message %d: a row of revision %d, a window event of %d", m.seq, revision, d.Revision)
			}
			delete(o.pending, c)
		}
	}
	var sum int64
	for _, r := range o.open.Rows {
		sum += r.Interactions
		if told := o.a.sums[cell{d.Operation, d.WindowLocal, r.Agent, r.Code}]; told != r.Interactions || told == 0 {
			o.t.Errorf("message %d: window %s says %d of %q %q, its rows add up to %d", m.seq, d.WindowLocal, r.Interactions, r.Agent, r.Code, told)
		}
	}
	if d.RowCount != int64(len(o.open.Rows)) || d.Interactions != sum {
		o.t.Errorf("message %d: window %s says %d rows, %d interactions; holds %d, %d", m.seq, d.WindowLocal, d.RowCount, d.Interactions, len(o.open.Rows), sum)
	}
	o.a.windows[key] = o.open
}

func (o *auditor) day(m *received, d schemas.DayData, _ *schemas.Event[json.RawMessage]) {
	o.a.dayEvts++
	key := sinks.Key{Operation: d.Operation, Day: d.Day}
	if before, known := o.a.days[key]; known && (d.Revision <= before.Revision || d.State == before.State) {
		o.t.Errorf("message %d: day %s: %s revision %d after %s revision %d", m.seq, key, d.State, d.Revision, before.State, before.Revision)
	}
	o.a.days[key] = d
}

// compare holds the three ways to read the stream against each other.
func (o *auditor) compare() {
	said := map[cell]int64{}
	for key, w := range o.a.windows {
		for _, r := range w.Rows {
			said[cell{key[0], key[1], r.Agent, r.Code}] = r.Interactions
		}
	}
	for c, sum := range o.a.sums {
		if sum != said[c] || sum != o.a.latest[c].interactions {
			o.t.Errorf("%+v: the deltas sum to %d, the last row event says %d, the window %d", c, sum, o.a.latest[c].interactions, said[c])
		}
	}
	for c := range said {
		if _, ok := o.a.sums[c]; !ok {
			o.t.Errorf("%+v is in a window and was never told", c)
		}
	}
}

// contents is a day as the sums of the stream's deltas have it.
func (a *audit) contents(key sinks.Key) []schemas.Window {
	var windows []schemas.Window
	for _, d := range a.windows {
		if d.Operation != key.Operation || d.Day != key.Day {
			continue
		}
		w := schemas.Window{
			Local: d.WindowLocal, Start: d.WindowStart, End: d.WindowEnd, Revision: d.Revision,
			Method: d.Method, Cause: d.Cause, ObservedAt: d.ObservedAt, Dropped: d.DroppedRows,
		}
		for _, r := range d.Rows {
			w.Rows = append(w.Rows, schemas.Row{
				Agent: r.Agent, Code: r.Code, Description: r.Description,
				Interactions: a.sums[cell{key.Operation, d.WindowLocal, r.Agent, r.Code}],
			})
		}
		windows = append(windows, w)
	}
	slices.SortFunc(windows, byLocal)
	return windows
}

// windowsOnly is a day as its window events alone have it, at any time.
func windowsOnly(t testing.TB, js jetstream.JetStream, key sinks.Key) []schemas.Window {
	last := map[string]schemas.Window{}
	for _, m := range readAll(t, js, schemas.WindowSubject(key.Operation, key.Day)) {
		d := decode[schemas.Event[schemas.WindowData]](t, m.data).Data
		last[d.WindowLocal] = schemas.Window{Local: d.WindowLocal, Rows: d.Rows}
	}
	return slices.SortedFunc(maps.Values(last), byLocal)
}

func byLocal(a, b schemas.Window) int { return cmp.Compare(a.Local, b.Local) }

func (c cell) String() string {
	return fmt.Sprintf("%s %s %q %q", c.operation, c.local, strings.ToValidUTF8(c.agent, "?"), c.code)
}
