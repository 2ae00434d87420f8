package events

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/schemas"
	"wolkpipe/sinks/sinktest"
)

// reading is what a consumer makes of an operation's events that stand in the
// stream, whatever their history: unlike auditAll it takes damage as it is.
type reading struct {
	sums    map[cell]int64
	latest  map[cell]latest
	windows map[string]schemas.WindowData
	revs    map[string]int64     // highest of a window
	seen    map[string]time.Time // latest of a window
	ids     map[string]bool
	last    uint64
}

// consume reads an operation's events. It fails unless those after seq go
// forward: no id twice, revisions up, and times not back.
func consume(t testing.TB, js jetstream.JetStream, operation string, seq uint64) reading {
	t.Helper()
	r := reading{map[cell]int64{}, map[cell]latest{}, map[string]schemas.WindowData{}, map[string]int64{}, map[string]time.Time{}, map[string]bool{}, 0}
	forward := func(m *received, local string, revision int64, at time.Time, closes bool) {
		if m.seq > seq && (revision < r.revs[local] || closes && revision <= r.windows[local].Revision || at.Before(r.seen[local])) {
			t.Errorf("message %d: window %s of revision %d at %v, after %d at %v", m.seq, local, revision, at, r.revs[local], r.seen[local])
		}
		r.revs[local] = max(r.revs[local], revision)
		if at.After(r.seen[local]) {
			r.seen[local] = at
		}
	}
	for _, m := range readAll(t, js, "chat7.events."+operation+".>") {
		e := decode[schemas.Event[json.RawMessage]](t, m.data)
		r.last = m.seq
		if r.ids[e.ID] {
			if m.seq > seq {
				t.Errorf("message %d has an id that is there before", m.seq)
			}
			continue
		}
		r.ids[e.ID] = true
		switch e.Type {
		case schemas.TypeRow:
			d := decode[schemas.RowData](t, e.Data)
			c := cell{operation, d.WindowLocal, d.Agent, d.Code}
			if m.seq > seq && d.Previous != r.sums[c] {
				t.Errorf("message %d: %v from %d, the sum is %d", m.seq, c, d.Previous, r.sums[c])
			}
			forward(&m, d.WindowLocal, d.Revision, d.ObservedAt, false)
			r.sums[c] += d.Delta
			if l := r.latest[c]; d.ObservedAt.After(l.at) || d.ObservedAt.Equal(l.at) && d.Revision > l.revision {
				r.latest[c] = latest{d.ObservedAt, d.Revision, d.Interactions, d.Description}
			}
		case schemas.TypeWindow:
			d := decode[schemas.WindowData](t, e.Data)
			forward(&m, d.WindowLocal, d.Revision, d.ObservedAt, true)
			if slices.ContainsFunc(d.Rows, func(r schemas.Row) bool { return r.Interactions == 0 }) && m.seq > seq {
				t.Errorf("message %d: window %s has a row of no count", m.seq, d.WindowLocal)
			}
			r.windows[d.WindowLocal] = d
		}
	}
	return r
}

// holds fails unless every way to read the events is what the journal says.
func (r *reading) holds(t testing.TB, operation string, want []schemas.Window) {
	t.Helper()
	wanted := map[cell]int64{}
	for _, w := range want {
		told, ok := r.windows[w.Local]
		var rows []schemas.Window
		if ok {
			rows = []schemas.Window{{Local: w.Local, Rows: told.Rows}}
		}
		if d := sinktest.Diff([]schemas.Window{w}, rows); d != "" {
			t.Errorf("the window event (wanted -, told +):\n%s", d)
		}
		for _, row := range w.Rows {
			wanted[cell{operation, w.Local, row.Agent, row.Code}] = row.Interactions
		}
	}
	for c, n := range wanted {
		if r.sums[c] != n || r.latest[c].interactions != n {
			t.Errorf("%v: %d by the sum, %d by the latest, should be %d", c, r.sums[c], r.latest[c].interactions, n)
		}
	}
	for c, n := range r.sums {
		if wanted[c] == 0 && (n != 0 || r.latest[c].interactions != 0) {
			t.Errorf("%v: %d by the sum, %d by the latest, should be gone", c, n, r.latest[c].interactions)
		}
	}
}
