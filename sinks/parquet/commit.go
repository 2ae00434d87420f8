package parquet

import (
	"context"
	"errors"
	"fmt"

	"wolkpipe/sinks"
)

// held is a day as it was loaded. It implements [sinks.Held].
type held struct {
	sink    *Sink
	key     sinks.Key
	rows    object[RowRecord]
	windows object[WindowRecord]
}

// verdict says what a commit does with one window of the day.
type verdict struct {
	keep    bool // the lake has it from a later observation
	rows    bool // its rows differ
	windows bool // its line of coverage differs
}

// Commit replaces the objects in which a window of the day differs.
func (h *held) Commit(ctx context.Context, day *sinks.Day) (sinks.Change, error) {
	var change sinks.Change
	if day.Key != h.key {
		return change, fmt.Errorf("the day is of %s, what was loaded of %s", day.Key, h.key)
	}
	want, err := project(day)
	if err != nil {
		return change, fmt.Errorf("the day %s cannot be kept: %w", day.Key, err)
	}
	if len(want) == 0 {
		return change, nil // nothing is known: even a damaged object is left alone
	}
	verdicts := h.judge(want)
	lost := h.reportDamage(want)

	newRows, newWindows := h.rows.damage != nil, h.windows.damage != nil || lost > 0
	for _, v := range verdicts {
		newRows, newWindows = newRows || v.rows, newWindows || v.windows
	}
	if newRows {
		records := merge(h.rows.records, want, verdicts, func(w *window) []RowRecord { return w.rows })
		if err := put(ctx, h.sink.store, rowCodec, h.rows, records); err != nil {
			return change, err
		}
		change.Writes++
		for i, v := range verdicts {
			if v.rows {
				change.Windows++
				change.Rows += len(want[i].rows)
			}
		}
	}
	if newWindows {
		records := merge(h.windows.records, want, verdicts, func(w *window) []WindowRecord { return w.line[:] })
		if err := put(ctx, h.sink.store, windowCodec, h.windows, records); err != nil {
			return change, err
		}
		change.Writes++
		for _, v := range verdicts {
			if v.windows && !v.rows {
				change.Windows++
			}
		}
	}
	return change, nil
}

func put[R sortable[R]](ctx context.Context, st store, c *codec[R], o object[R], records []R) error {
	data, err := c.encode(records)
	if err == nil {
		err = st.put(ctx, o.name, data, o.guard)
	}
	if err != nil && !errors.Is(err, sinks.ErrConflict) {
		return fmt.Errorf("writing %s: %w", o.name, err)
	}
	return err
}

// judge compares each wanted window with what the objects hold of it.
func (h *held) judge(want []window) []verdict {
	verdicts := make([]verdict, len(want))
	rows, lines := h.rows.records, h.windows.records
	var ofRows []RowRecord
	var ofLine []WindowRecord
	for i := range want {
		w, v := &want[i], &verdicts[i]
		_, ofRows, rows = cut(rows, w.local)
		_, ofLine, lines = cut(lines, w.local)
		// A line that outlived its rows tells of nothing that is still held.
		v.keep = newer(ofRows, w.observed) || newer(ofLine, w.observed) && h.rows.damage == nil
		if !v.keep {
			v.rows, v.windows = differ(ofRows, w.rows), differ(ofLine, w.line[:])
		}
	}
	return verdicts
}

// reportDamage warns of objects that are about to be replaced because they
// cannot be read. It takes out, and counts, the lines of coverage that claim rows
// which were lost with the rows object and which the day cannot tell again.
func (h *held) reportDamage(want []window) (lost int) {
	if h.windows.damage != nil {
		h.sink.log.Warn("replacing a damaged object by what the journal tells; what it held of other windows is lost",
			"object", h.windows.name, "error", h.windows.damage)
	}
	if h.rows.damage == nil {
		return 0
	}
	var left []WindowRecord
	rest := h.windows.records
	for i := range want {
		var before, at []WindowRecord
		before, at, rest = cut(rest, want[i].local)
		left = append(append(left, withoutRows(before)...), at...)
	}
	left = append(left, withoutRows(rest)...)
	lost = len(h.windows.records) - len(left)
	h.windows.records = left
	h.sink.log.Warn("replacing a damaged object by what the journal tells; what it held of other windows is lost",
		"object", h.rows.name, "error", h.rows.damage, "windows_lost", lost)
	return lost
}

func withoutRows(lines []WindowRecord) []WindowRecord {
	var left []WindowRecord
	for _, l := range lines {
		if l.RowCount == 0 {
			left = append(left, l)
		}
	}
	return left
}

// merge is the new object: the wanted windows in the place of what was held
// of them, but for those to keep, and the windows that the day does not tell.
func merge[R record[R]](held []R, want []window, verdicts []verdict, of func(*window) []R) []R {
	n := len(held)
	for i := range want {
		n += len(of(&want[i]))
	}
	merged := make([]R, 0, n)
	for i := range want {
		var before, at []R
		before, at, held = cut(held, want[i].local)
		merged = append(merged, before...)
		if verdicts[i].keep {
			merged = append(merged, at...)
		} else {
			merged = append(merged, of(&want[i])...)
		}
	}
	return append(merged, held...)
}

// cut parts sorted records at a window: those of earlier windows, its own,
// and the rest.
func cut[R record[R]](records []R, at WallClock) (before, own, rest []R) {
	from := 0
	for from < len(records) && records[from].local() < at {
		from++
	}
	to := from
	for to < len(records) && records[to].local() == at {
		to++
	}
	return records[:from], records[from:to], records[to:]
}

// newer reports whether any record is from a later observation than at.
func newer[R record[R]](records []R, at Instant) bool {
	for _, r := range records {
		if r.observed() > at {
			return true
		}
	}
	return false
}

func differ[R record[R]](a, b []R) bool {
	if len(a) != len(b) {
		return true
	}
	for i := range a {
		if !a[i].same(b[i]) {
			return true
		}
	}
	return false
}
