package iceberg

import (
	"context"
	"fmt"

	"wolkpipe/sinks"
	"wolkpipe/sinks/lake"
)

// Audit implements [sinks.Auditor]: it reads the files of each day in the
// snapshots that are current when it begins.
func (s *Sink) Audit(ctx context.Context, operation string, days []string) (map[string]*sinks.Audited, error) {
	windows, err := s.windows.load(ctx)
	if err != nil {
		return nil, s.hide(err)
	}
	rows, err := s.rows.load(ctx)
	if err != nil {
		return nil, s.hide(err)
	}
	all := make(map[string]*sinks.Audited, len(days))
	for _, day := range days {
		h := &held{sink: s, key: sinks.Key{Operation: operation, Day: day}}
		if err := lake.CheckKey(h.key); err != nil {
			return nil, err
		}
		if h.rows, err = read(ctx, rows, &rowsTable, h.key); err != nil {
			return nil, s.hide(err)
		}
		if h.windows, err = read(ctx, windows, &windowsTable, h.key); err != nil {
			return nil, s.hide(err)
		}
		found := &sinks.Audited{Key: h.key, Readings: []sinks.Reading{sinks.Lake}, Windows: make(map[string]*sinks.AuditedWindow)}
		found.Flaws = append(flaws(s.rows, rows, h.rows), flaws(s.windows, windows, h.windows)...)
		lake.Find(found, h.rows.records, h.windows.records)
		found.Mender = &mender{h, found}
		all[day] = found
	}
	return all, nil
}

// flaws tells what is wrong with a table's files of a day.
func flaws[R any](t *lakeTable, v *view, p part[R]) (all []string) {
	if p.damage != nil {
		all = append(all, fmt.Sprintf("table %s: %v", t.name, p.damage))
	}
	if len(p.files) > 1 {
		all = append(all, fmt.Sprintf("table %s: the day has %d data files in place of one", t.name, len(p.files)))
	}
	if p.deletes {
		all = append(all, fmt.Sprintf("table %s: somebody else deleted rows of the day", t.name))
	}
	for _, f := range v.files(sinks.Key{}) {
		all = append(all, fmt.Sprintf("table %s: %s is of no day, and queries read it, too", t.name, f.path))
	}
	return all
}

// mender mends a day. It implements [sinks.Mender].
type mender struct {
	held  *held
	found *sinks.Audited
}

// Mend implements [sinks.Mender]. The day's files are replaced by one of each
// table that holds the journal's windows and those that the lake alone has
// whole. Earlier snapshots keep what was there, until they expire.
func (m *mender) Mend(ctx context.Context, day *sinks.Day) (sinks.Change, error) {
	h := m.held
	if day.Key != h.key {
		return sinks.Change{}, fmt.Errorf("the day is of %s, what was audited of %s", day.Key, h.key)
	}
	want, err := lake.Project(day)
	if err != nil {
		return sinks.Change{}, fmt.Errorf("the day %s cannot be kept: %w", day.Key, err)
	}
	if len(want) == 0 {
		return sinks.Change{}, ctx.Err() // nothing is known
	}
	rows, lines := lake.Mended(m.found, want, h.rows.records, h.windows.records)
	r := &request{ctx: ctx, key: h.key}
	replaced := lake.Differing(h.rows.records, rows)
	if due(h.rows, rows) {
		if r.rows, err = replace(&rowsTable, h.rows, rows); err != nil {
			return sinks.Change{}, err
		}
		r.ofRows.Windows = len(replaced)
		for i := range rows {
			if replaced[rows[i].WindowLocal] {
				r.ofRows.Rows++
			}
		}
	}
	if due(h.windows, lines) {
		if r.lines, err = replace(&windowsTable, h.windows, lines); err != nil {
			return sinks.Change{}, err
		}
		for local := range lake.Differing(h.windows.records, lines) {
			if !replaced[local] {
				r.ofLines.Windows++
			}
		}
	}
	return h.sink.submit(r)
}

// due reports whether a day's files have to be replaced.
func due[R lake.Record[R]](p part[R], records []R) bool {
	return p.damage != nil || p.deletes || len(p.files) > 1 || lake.Differ(p.records, records)
}
