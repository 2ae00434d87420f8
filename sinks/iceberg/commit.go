package iceberg

import (
	"context"
	"fmt"

	"wolkpipe/sinks"
	"wolkpipe/sinks/lake"
)

// held is a day as it was loaded. It implements [sinks.Held].
type held struct {
	sink    *Sink
	key     sinks.Key
	rows    part[lake.RowRecord]
	windows part[lake.WindowRecord]
}

// Commit replaces the files of the tables in which a window of the day
// differs. It waits for the snapshot that has it.
func (h *held) Commit(ctx context.Context, day *sinks.Day) (sinks.Change, error) {
	if day.Key != h.key {
		return sinks.Change{}, fmt.Errorf("the day is of %s, what was loaded of %s", day.Key, h.key)
	}
	want, err := lake.Project(day)
	if err != nil {
		return sinks.Change{}, fmt.Errorf("the day %s cannot be kept: %w", day.Key, err)
	}
	if len(want) == 0 {
		return sinks.Change{}, ctx.Err() // nothing is known: even a damaged file is left alone
	}
	verdicts := lake.Judge(h.rows.records, h.windows.records, h.rows.damage != nil, want)
	lost := h.reportDamage(want)
	newRows, newLines := h.rows.damage != nil, h.windows.damage != nil || lost > 0
	r := &request{ctx: ctx, key: h.key}
	for i, v := range verdicts {
		newRows, newLines = newRows || v.Rows, newLines || v.Line
		switch {
		case v.Rows:
			r.ofRows.Windows++
			r.ofRows.Rows += len(want[i].Rows)
		case v.Line:
			r.ofLines.Windows++
		}
	}
	if newRows {
		if r.rows, err = replace(&rowsTable, h.rows, lake.MergeRows(h.rows.records, want, verdicts)); err != nil {
			return sinks.Change{}, err
		}
	}
	if newLines {
		if r.lines, err = replace(&windowsTable, h.windows, lake.MergeLines(h.windows.records, want, verdicts)); err != nil {
			return sinks.Change{}, err
		}
	}
	return h.sink.submit(r)
}

// replace makes a replacement of a day's files by one with those records; nil
// if there is nothing to do.
func replace[R lake.Sortable[R]](k *kind[R], p part[R], records []R) (*replacement, error) {
	r := &replacement{key: p.key, guard: p.files}
	if len(records) == 0 {
		if len(p.files) == 0 {
			return nil, nil
		}
		return r, nil
	}
	e, err := k.write(placeOf(p.key), records)
	if err != nil {
		return nil, fmt.Errorf("%s of table %s: %w", p.key, k.name, err)
	}
	r.file = &e
	return r, nil
}

// reportDamage warns of files that are about to be replaced because they
// cannot be read. It takes out, and counts, the lines of coverage that claim rows
// which were lost with the rows file and which the day cannot tell again.
func (h *held) reportDamage(want []lake.Window) (lost int) {
	const text = "replacing a damaged data file by what the journal tells; what it held of other windows is lost"
	if h.windows.damage != nil {
		h.sink.log.Warn(text, "table", h.sink.windows.name, "day", h.key.String(), "error", h.windows.damage)
	}
	if h.rows.damage == nil {
		return 0
	}
	left := lake.Backed(h.windows.records, want)
	lost = len(h.windows.records) - len(left)
	h.windows.records = left
	h.sink.log.Warn(text, "table", h.sink.rows.name, "day", h.key.String(), "error", h.rows.damage, "windows_lost", lost)
	return lost
}
