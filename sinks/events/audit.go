package events

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/pubsub"
)

var _ sinks.Auditor = (*Sink)(nil)

// rowsTold is what the row events of a window come to.
type rowsTold struct {
	start, end time.Time
	revision   int64     // the highest
	observedAt time.Time // the latest
	cells      map[sinks.RowKey]*cellTold
}

// cellTold is what the row events of one (window, agent, code) come to.
type cellTold struct {
	sum         int64 // of their deltas
	last        int64 // the count told by the one with the latest observed_at, then revision
	at          time.Time
	revision    int64
	description *string // likewise
}

// gone reports whether a row is told by no reading.
func (c *cellTold) gone() bool { return c.sum == 0 && c.last == 0 }

// auditing is one pass over the row events of an operation.
type auditing struct {
	operation string
	until     uint64 // what stands later in the stream is left out
	days      map[string]*mender
	ids       map[string]bool
}

// Audit implements [sinks.Auditor]. It reads the stream as it stood at one
// moment, in which every batch is whole.
//
// Consumers can read a count in three ways, and those are compared: the sum of
// the deltas, the latest row event, and the window event, which is also what
// the sink itself believes. Where row events expire only the last is read.
func (s *Sink) Audit(ctx context.Context, operation string, days []string) (map[string]*sinks.Audited, error) {
	until, err := s.moment(ctx)
	if err != nil {
		return nil, err
	}
	a := &auditing{
		operation: operation, until: until,
		days: make(map[string]*mender, len(days)), ids: make(map[string]bool),
	}
	for _, day := range days {
		m := &mender{sink: s, key: sinks.Key{Operation: operation, Day: day}, rows: make(map[string]*rowsTold), expire: s.rowTTL != ""}
		if err := checkKey(m.key); err != nil {
			return nil, err
		}
		if m.state, err = s.stateAt(ctx, m.key, a.until); err != nil {
			return nil, err
		}
		if m.day, err = s.loadDay(ctx, m.key); err != nil {
			return nil, err
		}
		a.days[day] = m
	}
	if s.rowTTL == "" {
		if err := s.upTo(ctx, "chat7.events."+operation+".row.>", a.until, a.add); err != nil {
			return nil, err
		}
	}
	all := make(map[string]*sinks.Audited, len(days))
	for day, m := range a.days {
		all[day] = m.audited()
	}
	return all, nil
}

// moment is the sequence of a message after which every batch is whole. The
// server stores the messages of a batch together, but shows them one by one.
func (s *Sink) moment(ctx context.Context) (uint64, error) {
	stream, err := s.js.Stream(ctx, schemas.EventsStream)
	if err != nil {
		return 0, fmt.Errorf("looking at stream %s: %w", schemas.EventsStream, err)
	}
	seq := stream.CachedInfo().State.LastSeq
	if seq == 0 {
		return 0, nil
	}
	m, err := s.at(ctx, seq)
	for tries := 0; err == nil && m != nil && m.open && tries < 1000; tries++ {
		var next *rawMessage
		if next, err = s.at(ctx, seq+1); next != nil {
			m, seq, tries = next, seq+1, 0
		} else {
			time.Sleep(time.Millisecond) // it is being stored right now
		}
	}
	return seq, err
}

// stateAt is the state of a day's windows, read anew: what is cached says
// what the stream once held.
func (s *Sink) stateAt(ctx context.Context, key sinks.Key, until uint64) (*state, error) {
	fold := folder{state: newState()}
	err := s.upTo(ctx, schemas.WindowSubject(key.Operation, key.Day), until, func(m *pubsub.Stored) error {
		return fold.add(&rawMessage{subject: m.Subject, seq: m.Sequence, id: m.Header.Get(jetstream.MsgIDHeader), data: m.Data})
	})
	return fold.state, err
}

// upTo gives fn the messages on a subject up to a sequence of the stream.
func (s *Sink) upTo(ctx context.Context, subject string, until uint64, fn func(*pubsub.Stored) error) error {
	last, err := s.last(ctx, subject)
	if last == nil || err != nil {
		return err
	}
	return pubsub.Read(ctx, s.js, schemas.EventsStream, subject, 1, last.seq, func(m *pubsub.Stored) error {
		if m.Sequence > until {
			return nil
		}
		return fn(m)
	})
}

// maxRevision is the highest revision that can be told above.
const maxRevision = 1 << 53

// add takes the next row event.
func (a *auditing) add(m *pubsub.Stored) error {
	var e schemas.Event[json.RawMessage]
	if err := json.Unmarshal(m.Data, &e); err != nil {
		return a.undecodable(m, err)
	}
	if e.Type != schemas.TypeRow {
		return nil // of a later version
	}
	var d schemas.RowData
	if err := json.Unmarshal(e.Data, &d); err != nil {
		return a.undecodable(m, err)
	}
	day, _, _ := strings.Cut(d.WindowLocal, "T")
	of := a.days[day]
	if of == nil {
		return nil
	}
	if _, err := time.Parse("2006-01-02T15:04:05", d.WindowLocal); err != nil || e.ID == "" || d.Operation != a.operation ||
		m.Subject != schemas.RowSubject(d.Operation, d.Code) || d.Revision > maxRevision {
		return a.undecodable(m, errors.New("its subject, id, window or revision is not that of a row event"))
	}
	of.expire = of.expire || m.Header.Get(jetstream.MsgTTLHeader) != ""
	if a.ids[e.ID] {
		return nil
	}
	a.ids[e.ID] = true
	of.add(&d)
	return nil
}

func (a *auditing) undecodable(m *pubsub.Stored, err error) error {
	return undecodable(&rawMessage{subject: m.Subject, seq: m.Sequence}, err)
}

// add counts a row event.
func (m *mender) add(d *schemas.RowData) {
	w := m.rows[d.WindowLocal]
	if w == nil {
		w = &rowsTold{start: d.WindowStart, end: d.WindowEnd, cells: make(map[sinks.RowKey]*cellTold)}
		m.rows[d.WindowLocal] = w
	}
	w.revision = max(w.revision, d.Revision)
	if d.ObservedAt.After(w.observedAt) {
		w.observedAt = d.ObservedAt
	}
	key := sinks.RowKey{Agent: d.Agent, Code: d.Code}
	c := w.cells[key]
	if c == nil {
		c = new(cellTold)
		w.cells[key] = c
	}
	c.sum += d.Delta
	if d.ObservedAt.After(c.at) || d.ObservedAt.Equal(c.at) && d.Revision >= c.revision {
		c.last, c.at, c.revision, c.description = d.Interactions, d.ObservedAt, d.Revision, d.Description
	}
}

// audited is what was found of a day.
func (m *mender) audited() *sinks.Audited {
	found := &sinks.Audited{
		Key: m.key, Windows: make(map[string]*sinks.AuditedWindow), Mender: m,
		Readings: []sinks.Reading{sinks.Told}, TellsForward: true,
	}
	if m.expire {
		found.RowsExpire, m.rows = true, nil
	} else {
		found.Readings = []sinks.Reading{sinks.Told, sinks.Deltas, sinks.Latest}
	}
	counts := func(local string, key sinks.RowKey) []int64 {
		w := found.Windows[local]
		if w == nil {
			w = &sinks.AuditedWindow{Rows: make(map[sinks.RowKey][]int64)}
			found.Windows[local] = w
		}
		if w.Rows[key] == nil {
			w.Rows[key] = make([]int64, len(found.Readings))
		}
		return w.Rows[key]
	}
	for local, t := range m.state.windows {
		w := &sinks.AuditedWindow{Rows: make(map[sinks.RowKey][]int64, len(t.rows)), Record: &sinks.Record{
			Start: t.start, End: t.end, ObservedAt: t.observedAt, Method: t.method, State: m.day.state,
			RowCount: int64(len(t.rows)), Interactions: t.interactions, Rejected: t.rejected, Dropped: t.dropped,
		}}
		found.Windows[local] = w
		for _, r := range t.rows {
			counts(local, sinks.RowKey{Agent: r.Agent, Code: r.Code})[0] += r.Interactions
		}
		if m.rows[local].newer(t) {
			w.Flaws = append(w.Flaws, "its window event is older than its rows: a later one is lost")
		}
	}
	for local, w := range m.rows {
		for key, c := range w.cells {
			if !c.gone() {
				n := counts(local, key)
				n[1], n[2] = c.sum, c.last
			}
		}
	}
	return found
}

// newer reports whether row events tell of a window what no window event does.
func (w *rowsTold) newer(t *told) bool {
	return w != nil && (t == nil || w.revision > t.revision || w.observedAt.After(t.observedAt))
}
