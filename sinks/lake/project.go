package lake

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"wolkpipe/sinks"
)

// Window is one observed window as the two objects should tell it.
type Window struct {
	Local    WallClock // which clock face names the window
	Observed Instant
	Rows     []RowRecord     // sorted
	Line     [1]WindowRecord // of the coverage
}

// Project turns a day into records, in the order of the objects. A day that
// is not what [sinks.Day] says is an error: kept as it is, it would be
// replaced for ever, or make the object unreadable for others.
func Project(day *sinks.Day) ([]Window, error) {
	total := 0
	for i := range day.Windows {
		total += len(day.Windows[i].Rows)
	}
	records := make([]RowRecord, 0, total)
	windows := make([]Window, len(day.Windows))
	for i := range day.Windows {
		w := &day.Windows[i]
		local, err := ParseWallClock(w.Local)
		if err != nil || !strings.HasPrefix(w.Local, day.Day+"T") {
			return nil, fmt.Errorf("%q is not a window of that day", w.Local)
		}
		if i > 0 && local <= windows[i-1].Local {
			return nil, fmt.Errorf("window %s is told after %s", w.Local, windows[i-1].Local)
		}
		from := len(records)
		for j := range w.Rows {
			r := &w.Rows[j]
			if !utf8.ValidString(r.Agent) || !utf8.ValidString(r.Code) || r.Description != nil && !utf8.ValidString(*r.Description) {
				return nil, fmt.Errorf("window %s: row (%q, %q) is not UTF-8", w.Local, r.Agent, r.Code)
			}
			records = append(records, RowRecord{
				WindowStart: InstantOf(w.Start), WindowEnd: InstantOf(w.End), WindowLocal: local, Timezone: day.Timezone,
				Agent: r.Agent, Code: r.Code, Description: r.Description, Interactions: r.Interactions,
				Method: w.Method, ObservedAt: InstantOf(w.ObservedAt),
			})
		}
		rows := records[from:len(records):len(records)]
		if err := arrange(rows); err != nil {
			return nil, err
		}
		windows[i] = Window{local, InstantOf(w.ObservedAt), rows, [1]WindowRecord{{
			WindowStart: InstantOf(w.Start), WindowEnd: InstantOf(w.End), WindowLocal: local, Timezone: day.Timezone,
			ObservedAt: InstantOf(w.ObservedAt), Method: w.Method, State: day.State,
			RowCount: int64(len(w.Rows)), Interactions: w.Interactions(),
			RejectedRows: int64(len(w.Rejects)), DroppedRows: w.Dropped,
		}}}
	}
	return windows, nil
}

// arrange sorts the records of a window; a key that stands twice is an error.
func arrange(rows []RowRecord) error {
	if !slices.IsSortedFunc(rows, RowRecord.Compare) {
		slices.SortFunc(rows, RowRecord.Compare)
	}
	for i := 1; i < len(rows); i++ {
		if r := &rows[i]; rows[i-1].Compare(*r) == 0 {
			return fmt.Errorf("window %s: row (%q, %q) stands twice", r.WindowLocal, r.Agent, r.Code)
		}
	}
	return nil
}
