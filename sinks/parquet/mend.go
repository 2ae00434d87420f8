package parquet

import (
	"context"
	"fmt"

	"wolkpipe/sinks"
	"wolkpipe/sinks/lake"
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
	want, err := lake.Project(day)
	if err != nil {
		return change, fmt.Errorf("the day %s cannot be kept: %w", day.Key, err)
	}
	if len(want) == 0 {
		return change, nil // nothing is known
	}
	rows, lines := lake.Mended(m.found, want, h.rows.records, h.windows.records)
	newRows, newLines := due(h.rows, rows), due(h.windows, lines)
	replaced := lake.Differing(h.rows.records, rows)
	if newRows {
		if err := put(ctx, h.sink.store, lake.Rows, h.rows, rows); err != nil {
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
		if err := put(ctx, h.sink.store, lake.Windows, h.windows, lines); err != nil {
			return change, err
		}
		change.Writes++
		for local := range lake.Differing(h.windows.records, lines) {
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

// due reports whether an object has to be written. One that is not there and
// would hold nothing is not made.
func due[R lake.Record[R]](o object[R], records []R) bool {
	return o.damage != nil || lake.Differ(o.records, records)
}
