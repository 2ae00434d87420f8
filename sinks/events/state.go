package events

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
)

// told is what the stream says of a window. It is not changed once made.
type told struct {
	start, end   time.Time
	revision     int64
	observedAt   time.Time
	method       schemas.Method
	rejected     int64
	dropped      int64
	interactions int64
	rows         []schemas.Row // sorted by Row.Compare
}

// state is what the stream says of a day. It is shared by the cache and
// whoever loaded it, and not changed once made: see clone.
type state struct {
	seq          uint64 // of the last message on the window subject: the guard; 0 for none
	id           string // of that message
	windows      map[string]*told
	rows         int64 // over all windows
	interactions int64 // over all windows
}

func newState() *state { return &state{windows: map[string]*told{}} }

// clone is a copy that may be changed.
func (s *state) clone() *state {
	c := *s
	c.windows = maps.Clone(s.windows)
	return &c
}

// put makes t what is told of a window.
func (s *state) put(local string, t *told) {
	if old := s.windows[local]; old != nil {
		s.rows -= int64(len(old.rows))
		s.interactions -= old.interactions
	}
	s.rows += int64(len(t.rows))
	s.interactions += t.interactions
	s.windows[local] = t
}

// weight is how much memory s takes, in rows.
func (s *state) weight() int { return int(s.rows) + len(s.windows) + 1 }

// dayTold is the last day event.
type dayTold struct {
	seq      uint64 // of its message; 0 for none
	revision int64
	state    schemas.State // "" for none
}

// folder builds a state from the messages of a window subject, in their order.
type folder struct {
	state *state
	parts []schemas.Row // of the window event under way
	next  int           // the part that it wants next; 0 for none under way
	local string
	rev   int64
}

// add takes the next message. A window whose parts are not all there is left
// as it was: batches are atomic, so a part can only be missing because
// somebody deleted it.
func (f *folder) add(m *rawMessage) error {
	f.state.seq, f.state.id = m.seq, m.id
	var e schemas.Event[json.RawMessage]
	if err := json.Unmarshal(m.data, &e); err != nil {
		return undecodable(m, err)
	}
	if e.Type != schemas.TypeWindow {
		return nil // of a later version; its own sink answers for it
	}
	var d schemas.WindowData
	if err := json.Unmarshal(e.Data, &d); err != nil {
		return undecodable(m, err)
	}
	switch {
	case d.Part == 1:
		f.parts, f.next, f.local, f.rev = d.Rows, 2, d.WindowLocal, d.Revision
	case d.Part == f.next && d.WindowLocal == f.local && d.Revision == f.rev:
		f.parts = append(f.parts, d.Rows...)
		f.next++
	default:
		f.next = 0
	}
	if f.next == 0 || d.Part != d.Parts {
		return nil
	}
	rows := f.parts
	f.parts, f.next = nil, 0
	slices.SortFunc(rows, schemas.Row.Compare)
	f.state.put(d.WindowLocal, &told{
		start: d.WindowStart, end: d.WindowEnd, revision: d.Revision, observedAt: d.ObservedAt, method: d.Method,
		rejected: d.RejectedRows, dropped: d.DroppedRows,
		interactions: total(rows), rows: rows,
	})
	return nil
}

// decodeDay reads a day event.
func decodeDay(m *rawMessage) (dayTold, error) {
	var e schemas.Event[schemas.DayData]
	if err := json.Unmarshal(m.data, &e); err != nil {
		return dayTold{}, undecodable(m, err)
	}
	return dayTold{seq: m.seq, revision: e.Data.Revision, state: e.Data.State}, nil
}

func undecodable(m *rawMessage, err error) error {
	return &sinks.Error{
		Op:   fmt.Sprintf("reading message %d of stream %s, on %s", m.seq, schemas.EventsStream, m.subject),
		Hint: fmt.Sprintf("it is not an event of this pipeline: take it out with `nats stream rmm %s %d`", schemas.EventsStream, m.seq),
		Err:  err,
	}
}

func total(rows []schemas.Row) int64 {
	var n int64
	for i := range rows {
		n += rows[i].Interactions
	}
	return n
}
