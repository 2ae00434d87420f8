package events

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
)

// mender mends a day of the stream. It implements [sinks.Mender].
type mender struct {
	sink   *Sink
	key    sinks.Key
	state  *state
	day    dayTold
	rows   map[string]*rowsTold // by window; nil where row events expire
	expire bool
}

// Mend implements [sinks.Mender]. It tells, in the usual batches and under
// the usual guard, a row event for each row that some reading has wrong,
// with the present sum as `previous`, and the window event after them. Both
// have a revision above all that were told of the window and no earlier time,
// so that also those who keep the latest observation take it up. A row whose
// sum is right and whose latest event is not is told with the delta 0.
//
// A window that the journal does not have is mended to its own window event.
// Where it has none, its rows are told to be gone.
func (m *mender) Mend(ctx context.Context, day *sinks.Day) (sinks.Change, error) {
	if day.Key != m.key {
		return sinks.Change{}, fmt.Errorf("mending %s by what was audited of %s", day.Key, m.key)
	}
	if len(day.Windows) == 0 {
		return sinks.Change{}, nil
	}
	enc := m.sink.encoders.Get().(*encoder)
	defer m.sink.encoders.Put(enc)
	c := &commit{ctx: ctx, sink: m.sink, offered: day, enc: enc, state: m.state.clone(), day: m.day}
	// What the cache has may be what the stream lost.
	defer m.sink.days.drop(m.key)
	if err := (&mending{mender: m, commit: c, newest: newestOf(day)}).run(); err != nil {
		return c.change, fmt.Errorf("mending the events of %s: %w", m.key, err)
	}
	return c.change, nil
}

// mending is one Mend under way.
type mending struct {
	*mender
	commit *commit
	newest time.Time
	anchor *told // what will be told of the journal's first window
}

func (m *mending) run() error {
	day := m.commit.offered
	known := make(map[string]bool, len(day.Windows))
	for i := range day.Windows {
		w, err := ordered(&day.Windows[i])
		if err == nil {
			err = m.window(w)
		}
		if err != nil {
			return err
		}
		known[w.Local] = true
	}
	for _, local := range slices.Sorted(maps.Keys(m.state.windows)) {
		if !known[local] {
			if err := m.window(m.state.windows[local].window(local)); err != nil {
				return err
			}
			known[local] = true
		}
	}
	var strays []event
	for _, local := range slices.Sorted(maps.Keys(m.rows)) {
		if !known[local] {
			var err error
			if strays, err = m.strays(strays, local, m.rows[local]); err != nil {
				return err
			}
		}
	}
	if err := m.tellStrays(strays); err != nil {
		return err
	}
	return m.commit.finish(m.newest)
}

// window is a window as its window event has it.
func (t *told) window(local string) *schemas.Window {
	return &schemas.Window{
		Local: local, Start: t.start, End: t.end, Revision: t.revision, Method: t.method, Cause: schemas.Repair,
		ObservedAt: t.observedAt, Rows: t.rows, Rejects: make([]schemas.Reject, t.rejected), Dropped: t.dropped,
	}
}

// window tells what brings every reading of a window to w, if anything does.
func (m *mending) window(w *schemas.Window) error {
	old, rows := m.state.windows[w.Local], m.rows[w.Local]
	now, revision := *w, w.Revision
	raise := func(rev int64, at time.Time) {
		revision = max(revision, rev+1)
		if at.After(now.ObservedAt) {
			now.ObservedAt = at
		}
	}
	var was []schemas.Row // what the rows come to before
	var again map[sinks.RowKey]bool
	if old != nil {
		raise(old.revision, old.observedAt)
		was = old.rows
	}
	damaged := rows.newer(old)
	if !m.expire {
		was, again = rows.come(w)
		damaged = damaged || len(again) > 0 || old != nil && len(compare(old.rows, was, nil)) > 0
	}
	if rows != nil {
		raise(rows.revision, rows.observedAt)
	}
	diff := compare(was, w.Rows, again)
	if m.anchor == nil {
		m.anchor = old // of the first window of all
	}
	if len(diff) == 0 && !damaged && old != nil && old.same(&now) {
		return nil
	}
	if damaged {
		now.Cause = schemas.Repair
	}
	first := w.Local == m.commit.offered.Windows[0].Local
	return m.commit.enc.tellDiff(m.key, was, &now, diff, revision, m.sink.limits, func(next *change) error {
		if first {
			m.anchor = next.after
		}
		return m.commit.add(next, m.newest)
	})
}

// come is what row events come to, sorted: the sums, of rows that any reading
// has. again are the rows of w whose sum alone is right.
func (w *rowsTold) come(to *schemas.Window) (sums []schemas.Row, again map[sinks.RowKey]bool) {
	if w == nil {
		return nil, nil
	}
	want := make(map[sinks.RowKey]int64, len(to.Rows))
	for _, r := range to.Rows {
		want[sinks.RowKey{Agent: r.Agent, Code: r.Code}] = r.Interactions
	}
	again = make(map[sinks.RowKey]bool)
	for key, c := range w.cells {
		if !c.gone() {
			sums = append(sums, schemas.Row{Agent: key.Agent, Code: key.Code, Description: c.description, Interactions: c.sum})
		}
		if n := want[key]; c.sum == n && c.last != n {
			again[key] = true
		}
	}
	slices.SortFunc(sums, schemas.Row.Compare)
	return sums, again
}

// strays appends the events that tell the rows of a window that nobody knows
// to be gone.
func (m *mending) strays(events []event, local string, w *rowsTold) ([]event, error) {
	window := &schemas.Window{Local: local, Start: w.start, End: w.end, ObservedAt: w.observedAt, Cause: schemas.Repair}
	sums, _ := w.come(window)
	c := new(change)
	if err := m.commit.enc.rowEvents(c, m.key, window, compare(sums, nil, nil), w.revision+1); err != nil {
		return nil, err
	}
	return append(events, c.events...), nil
}

// tellStrays tells row events that have no window event of their own. They go
// before that of the journal's first window, told once more for their sake:
// without it the guard would let a second mending through.
func (m *mending) tellStrays(strays []event) error {
	first := &m.commit.offered.Windows[0]
	for chunk := range slices.Chunk(strays, max(1, m.sink.limits.messages/2)) {
		w := m.anchor.window(first.Local)
		err := m.commit.enc.tellDiff(m.key, w.Rows, w, nil, w.Revision+1, m.sink.limits, func(next *change) error {
			m.anchor = next.after
			next.events = append(slices.Clip(chunk), next.events...)
			next.rows += len(chunk)
			for _, ev := range chunk {
				next.bytes += len(ev.data)
			}
			return m.commit.add(next, m.newest)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
