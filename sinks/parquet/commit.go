package parquet

import (
	"context"
	"errors"
	"fmt"

	"wolkpipe/sinks"
	"wolkpipe/sinks/lake"
)

// held is a day as it was loaded. It implements [sinks.Held].
type held struct {
	sink    *Sink
	key     sinks.Key
	rows    object[lake.RowRecord]
	windows object[lake.WindowRecord]
}

// Commit replaces the objects in which a window of the day differs.
func (h *held) Commit(ctx context.Context, day *sinks.Day) (sinks.Change, error) {
	var change sinks.Change
	if day.Key != h.key {
		return change, fmt.Errorf("the day is of %s, what was loaded of %s", day.Key, h.key)
	}
	want, err := lake.Project(day)
	if err != nil {
		return change, fmt.Errorf("the day %s cannot be kept: %w", day.Key, err)
	}
	if len(want) == 0 {
		return change, nil // nothing is known: even a damaged object is left alone
	}
	verdicts := lake.Judge(h.rows.records, h.windows.records, h.rows.damage != nil, want)
	lost := h.reportDamage(want)

	newRows, newWindows := h.rows.damage != nil, h.windows.damage != nil || lost > 0
	for _, v := range verdicts {
		newRows, newWindows = newRows || v.Rows, newWindows || v.Line
	}
	if newRows {
		records := lake.MergeRows(h.rows.records, want, verdicts)
		if err := put(ctx, h.sink.store, lake.Rows, h.rows, records); err != nil {
			return change, err
		}
		change.Writes++
		for i, v := range verdicts {
			if v.Rows {
				change.Windows++
				change.Rows += len(want[i].Rows)
			}
		}
	}
	if newWindows {
		records := lake.MergeLines(h.windows.records, want, verdicts)
		if err := put(ctx, h.sink.store, lake.Windows, h.windows, records); err != nil {
			return change, err
		}
		change.Writes++
		for _, v := range verdicts {
			if v.Line && !v.Rows {
				change.Windows++
			}
		}
	}
	return change, nil
}

func put[R lake.Sortable[R]](ctx context.Context, st store, c *lake.Codec[R], o object[R], records []R) error {
	data, err := c.Encode(records)
	if err == nil {
		err = st.put(ctx, o.name, data, o.guard)
	}
	if err != nil && !errors.Is(err, sinks.ErrConflict) {
		return fmt.Errorf("writing %s: %w", o.name, err)
	}
	return err
}

// reportDamage warns of objects that are about to be replaced because they
// cannot be read. It takes out, and counts, the lines of coverage that claim rows
// which were lost with the rows object and which the day cannot tell again.
func (h *held) reportDamage(want []lake.Window) (lost int) {
	if h.windows.damage != nil {
		h.sink.log.Warn("replacing a damaged object by what the journal tells; what it held of other windows is lost",
			"object", h.windows.name, "error", h.windows.damage)
	}
	if h.rows.damage == nil {
		return 0
	}
	left := lake.Backed(h.windows.records, want)
	lost = len(h.windows.records) - len(left)
	h.windows.records = left
	h.sink.log.Warn("replacing a damaged object by what the journal tells; what it held of other windows is lost",
		"object", h.rows.name, "error", h.rows.damage, "windows_lost", lost)
	return lost
}
