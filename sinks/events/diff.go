package events

import (
	"fmt"
	"slices"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
)

// maxBatch is how many messages the server takes in one atomic batch.
const maxBatch = 1000

// moved is a row whose count changed.
type moved struct {
	row      schemas.Row // as it now is; of a vanished row, as it was, with 0 interactions
	previous int64
	// The window is fromNew rows of the new state followed by the old one's
	// from row fromOld on, once this row and those before it are told.
	fromNew, fromOld int
}

// compare finds the rows whose count differs, and those that are to be told
// again although it does not; both sides are sorted.
func compare(old, now []schemas.Row, again map[sinks.RowKey]bool) []moved {
	var diff []moved
	i, j := 0, 0
	for i < len(old) || j < len(now) {
		order := 0
		switch {
		case i == len(old):
			order = 1
		case j == len(now):
			order = -1
		default:
			order = old[i].Compare(now[j])
		}
		switch {
		case order < 0: // vanished
			gone := old[i]
			i++
			previous := gone.Interactions
			gone.Interactions = 0
			diff = append(diff, moved{gone, previous, j, i})
		case order > 0: // new
			j++
			diff = append(diff, moved{now[j-1], 0, j, i})
		default:
			i, j = i+1, j+1
			if old[i-1].Interactions != now[j-1].Interactions || again[sinks.RowKey{Agent: now[j-1].Agent, Code: now[j-1].Code}] {
				diff = append(diff, moved{now[j-1], old[i-1].Interactions, j, i})
			}
		}
	}
	return diff
}

// same reports whether what is told of a window is all that w says.
func (t *told) same(w *schemas.Window) bool {
	return t.observedAt.Equal(w.ObservedAt) && t.says(w)
}

// says is same but for when the window was observed. Descriptions are labels
// that the source edits at will: they are told with what else changes, and make
// no revision.
func (t *told) says(w *schemas.Window) bool {
	return t.method == w.Method &&
		t.rejected == int64(len(w.Rejects)) && t.dropped == w.Dropped &&
		slices.EqualFunc(t.rows, w.Rows, func(a, b schemas.Row) bool {
			return a.Agent == b.Agent && a.Code == b.Code && a.Interactions == b.Interactions
		})
}

// change is one revision of a window: its messages go into one batch, the
// last of them a window event.
type change struct {
	local  string
	after  *told // what is told once the batch is in
	events []event
	rows   int  // row events among them
	bytes  int  // of all data
	last   bool // the window is then told whole
}

// tell yields the changes that bring a window from old, nil for never told,
// to w, whose rows are sorted. Several are needed when its rows do not fit one batch.
func (e *encoder) tell(key sinks.Key, old *told, w *schemas.Window, limits limits, yield func(*change) error) error {
	if old == nil {
		return e.tellDiff(key, nil, w, compare(nil, w.Rows, nil), w.Revision, limits, yield)
	}
	return e.tellDiff(key, old.rows, w, compare(old.rows, w.Rows, nil), max(w.Revision, old.revision+1), limits, yield)
}

// tellDiff yields the changes, from a revision on, that tell diff and bring a
// window from old rows to w.
func (e *encoder) tellDiff(key sinks.Key, oldRows []schemas.Row, w *schemas.Window, diff []moved, revision int64, limits limits, yield func(*change) error) error {
	for {
		// One message is left for a day event.
		n := min(len(diff), limits.messages-2)
		var (
			c       *change
			windows []event
			err     error
		)
		for {
			c, windows, err = e.windowAfter(key, oldRows, w, diff[:n], n == len(diff), revision, limits)
			if err != nil {
				return err
			}
			if n+len(windows) < limits.messages {
				break
			}
			if n = min(n-1, limits.messages-1-len(windows)); n < 1 {
				return &sinks.Error{
					Op:   fmt.Sprintf("telling window %s of %s", w.Local, key),
					Hint: "a window of this size needs a shorter `window` for its operation",
					Err:  fmt.Errorf("its %d rows take %d events of a batch's %d", len(w.Rows), len(windows), limits.messages),
				}
			}
		}
		if err := e.rowEvents(c, key, w, diff[:n], revision); err != nil {
			return err
		}
		c.events = append(c.events, windows...)
		for i := range c.events {
			c.bytes += len(c.events[i].data)
		}
		if err := yield(c); err != nil {
			return err
		}
		if diff = diff[n:]; len(diff) == 0 {
			return nil
		}
		revision++
	}
}

// windowAfter makes the change after which diff is told, and its window
// events, which it does not yet put into it.
func (e *encoder) windowAfter(key sinks.Key, old []schemas.Row, w *schemas.Window, diff []moved, last bool, revision int64, limits limits) (*change, []event, error) {
	rows := w.Rows
	if !last {
		at := diff[len(diff)-1]
		rows = slices.Concat(w.Rows[:at.fromNew], old[at.fromOld:])
		// Of old rows there are some of no count where a stream is mended.
		rows = slices.DeleteFunc(rows, func(r schemas.Row) bool { return r.Interactions == 0 })
	}
	after := &told{
		start: w.Start, end: w.End, revision: revision, observedAt: w.ObservedAt, method: w.Method,
		rejected: int64(len(w.Rejects)), dropped: w.Dropped,
		interactions: total(rows), rows: rows,
	}
	events, err := e.window(&schemas.WindowData{
		Operation: key.Operation, Day: key.Day,
		WindowStart: w.Start, WindowEnd: w.End, WindowLocal: w.Local,
		Revision: revision, Method: w.Method, ObservedAt: w.ObservedAt.UTC(), Cause: w.Cause,
		RowCount: int64(len(rows)), Interactions: after.interactions,
		RejectedRows: after.rejected, DroppedRows: after.dropped, Rows: rows,
	}, limits.event)
	if err != nil {
		return nil, nil, err
	}
	subject := schemas.WindowSubject(key.Operation, key.Day)
	for i := range events {
		events[i].subject = subject
	}
	return &change{local: w.Local, after: after, rows: len(diff), last: last}, events, nil
}

// rowEvents puts the row events of diff into c.
func (e *encoder) rowEvents(c *change, key sinks.Key, w *schemas.Window, diff []moved, revision int64) error {
	c.events = make([]event, 0, len(diff)+1)
	for i := range diff {
		m := &diff[i]
		ev, err := e.row(&schemas.RowData{
			Operation: key.Operation, Day: key.Day,
			WindowStart: w.Start, WindowEnd: w.End, WindowLocal: w.Local,
			Agent: m.row.Agent, Code: m.row.Code, Description: m.row.Description,
			Interactions: m.row.Interactions, Previous: m.previous, Delta: m.row.Interactions - m.previous,
			Revision: revision, ObservedAt: w.ObservedAt.UTC(), Cause: w.Cause,
		})
		if err != nil {
			return err
		}
		ev.subject = schemas.RowSubject(key.Operation, m.row.Code)
		c.events = append(c.events, ev)
	}
	return nil
}

// ordered is w with its rows sorted, which they should be. A key that stands
// twice is refused: its differences could not be told rightly.
func ordered(w *schemas.Window) (*schemas.Window, error) {
	if !slices.IsSortedFunc(w.Rows, schemas.Row.Compare) {
		sorted := *w
		sorted.Rows = slices.SortedFunc(slices.Values(w.Rows), schemas.Row.Compare)
		w = &sorted
	}
	for i := 1; i < len(w.Rows); i++ {
		if w.Rows[i-1].Compare(w.Rows[i]) == 0 {
			return nil, fmt.Errorf("window %s has two rows of agent %q and code %q: add them up", w.Local, w.Rows[i].Agent, w.Rows[i].Code)
		}
	}
	return w, nil
}
