package parquet

import (
	"context"
	"fmt"
	"slices"

	"wolkpipe/sinks"
)

// asideFolder takes what does not belong into the folder of a day. It stands
// beside the datasets, and nothing in it has a name that queries look for.
const asideFolder = "set_aside/"

// mender mends a day. It implements [sinks.Mender].
type mender struct {
	held    *held
	found   *sinks.Audited
	foreign []string // objects in the day's folders that are not the sink's
}

// Mend implements [sinks.Mender]. The objects then hold the journal's
// windows and those that the lake alone has whole, and nothing else. Foreign
// objects are moved to the folder set_aside, for a person to look at.
func (m *mender) Mend(ctx context.Context, day *sinks.Day) (sinks.Change, error) {
	var change sinks.Change
	h := m.held
	if day.Key != h.key {
		return change, fmt.Errorf("the day is of %s, what was audited of %s", day.Key, h.key)
	}
	want, err := project(day)
	if err != nil {
		return change, fmt.Errorf("the day %s cannot be kept: %w", day.Key, err)
	}
	if len(want) == 0 {
		return change, nil // nothing is known
	}
	rows, lines := m.records(want)
	newRows, newLines := due(h.rows, rows), due(h.windows, lines)
	replaced := differing(h.rows.records, rows)
	if newRows {
		if err := put(ctx, h.sink.store, rowCodec, h.rows, rows); err != nil {
			return change, err
		}
		change.Writes++
		for i := range rows {
			if replaced[rows[i].WindowLocal] {
				change.Rows++
			}
		}
		change.Windows = len(replaced)
	}
	if newLines {
		if err := put(ctx, h.sink.store, windowCodec, h.windows, lines); err != nil {
			return change, err
		}
		change.Writes++
		for local := range differing(h.windows.records, lines) {
			if !replaced[local] {
				change.Windows++
			}
		}
	}
	// Last, so that what is set aside was not the only trace of a day.
	for _, name := range m.foreign {
		if err := h.sink.setAside(ctx, name); err != nil {
			return change, fmt.Errorf("setting %s aside: %w", name, err)
		}
		change.Writes++
	}
	return change, nil
}

// setAside moves an object away, under a name that no other content has and
// that ends as no dataset's objects do.
func (s *Sink) setAside(ctx context.Context, name string) error {
	data, guard, err := s.store.get(ctx, name)
	if err != nil || guard == "" {
		return err
	}
	to := asideFolder + name + "." + contentGuard(data)[:16]
	if err := s.store.move(ctx, name, to); err != nil {
		return err
	}
	s.log.Warn("an object that does not belong into the lake was set aside", "object", name, "to", to)
	return nil
}

// records are the two objects as they should be.
func (m *mender) records(want []window) (rows []RowRecord, lines []WindowRecord) {
	known := make(map[WallClock]bool, len(want))
	for i := range want {
		known[want[i].local] = true
		rows, lines = append(rows, want[i].rows...), append(lines, want[i].line[0])
	}
	kept := func(local WallClock) bool {
		w := m.found.Windows[local.String()]
		return !known[local] && w.Record != nil && w.Whole()
	}
	for _, r := range m.held.rows.records {
		if kept(r.WindowLocal) {
			rows = append(rows, r)
		}
	}
	for _, l := range m.held.windows.records {
		if kept(l.WindowLocal) {
			lines = append(lines, l)
		}
	}
	slices.SortFunc(rows, RowRecord.compare)
	slices.SortFunc(lines, WindowRecord.compare)
	return rows, lines
}

// due reports whether an object has to be written. One that is not there and
// would hold nothing is not made.
func due[R record[R]](o object[R], records []R) bool {
	return o.damage != nil || differ(o.records, records)
}

// differing are the windows whose records differ. Both sides are sorted.
func differing[R record[R]](old, now []R) map[WallClock]bool {
	windows := make(map[WallClock]bool)
	for len(old) > 0 || len(now) > 0 {
		var local WallClock
		switch {
		case len(old) == 0:
			local = now[0].local()
		case len(now) == 0:
			local = old[0].local()
		default:
			local = min(old[0].local(), now[0].local())
		}
		var ofOld, ofNow []R
		_, ofOld, old = cut(old, local)
		_, ofNow, now = cut(now, local)
		if differ(ofOld, ofNow) {
			windows[local] = true
		}
	}
	return windows
}
