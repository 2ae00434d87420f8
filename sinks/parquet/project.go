package parquet

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
)

// window is one observed window as the two objects should tell it.
type window struct {
	local    WallClock
	observed Instant
	rows     []RowRecord
	line     [1]WindowRecord
}

// project turns a day into records, in the order of the objects. A day that
// is not what [sinks.Day] says is an error: kept as it is, it would be
// replaced for ever, or make the object unreadable for others.
func project(day *sinks.Day) ([]window, error) {
	total := 0
	for i := range day.Windows {
		total += len(day.Windows[i].Rows)
	}
	records := make([]RowRecord, 0, total)
	windows := make([]window, len(day.Windows))
	for i := range day.Windows {
		w := &day.Windows[i]
		local, err := parseWallClock(w.Local)
		if err != nil || !strings.HasPrefix(w.Local, day.Day+"T") {
			return nil, fmt.Errorf("%q is not a window of that day", w.Local)
		}
		if i > 0 && local <= windows[i-1].local {
			return nil, fmt.Errorf("window %s is told after %s", w.Local, windows[i-1].local)
		}
		from := len(records)
		for j := range w.Rows {
			if err := check(w.Rows, j); err != nil {
				return nil, fmt.Errorf("window %s: %w", w.Local, err)
			}
			r := &w.Rows[j]
			records = append(records, RowRecord{
				WindowStart: instant(w.Start), WindowEnd: instant(w.End), WindowLocal: local, Timezone: day.Timezone,
				Agent: r.Agent, Code: r.Code, Description: r.Description, Interactions: r.Interactions,
				Method: w.Method, ObservedAt: instant(w.ObservedAt),
			})
		}
		windows[i] = window{local, instant(w.ObservedAt), records[from:len(records):len(records)], [1]WindowRecord{{
			WindowStart: instant(w.Start), WindowEnd: instant(w.End), WindowLocal: local, Timezone: day.Timezone,
			ObservedAt: instant(w.ObservedAt), Method: w.Method, State: day.State,
			RowCount: int64(len(w.Rows)), Interactions: w.Interactions(),
			RejectedRows: int64(len(w.Rejects)), DroppedRows: w.Dropped,
		}}}
	}
	return windows, nil
}

func check(rows []schemas.Row, i int) error {
	r := &rows[i]
	if i > 0 && rows[i-1].Compare(*r) >= 0 {
		return fmt.Errorf("row (%q, %q) is told after (%q, %q)", r.Agent, r.Code, rows[i-1].Agent, rows[i-1].Code)
	}
	if !utf8.ValidString(r.Agent) || !utf8.ValidString(r.Code) || r.Description != nil && !utf8.ValidString(*r.Description) {
		return fmt.Errorf("row (%q, %q) is not UTF-8", r.Agent, r.Code)
	}
	return nil
}
