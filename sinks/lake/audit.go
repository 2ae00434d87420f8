package lake

import (
	"fmt"
	"slices"
	"strings"

	"wolkpipe/sinks"
)

// Find adds to found what consumers of the lake find of its day.
func Find(found *sinks.Audited, rows []RowRecord, lines []WindowRecord) {
	for i := range lines {
		addLine(found, &lines[i])
	}
	for i := range rows {
		addRow(found, &rows[i])
	}
}

// Mended are the rows and lines of a day as they should be: the journal's
// windows and those that the lake alone has whole, and nothing else. Sorted.
func Mended(found *sinks.Audited, want []Window, heldRows []RowRecord, heldLines []WindowRecord) (rows []RowRecord, lines []WindowRecord) {
	known := make(map[WallClock]bool, len(want))
	for i := range want {
		known[want[i].Local] = true
		rows, lines = append(rows, want[i].Rows...), append(lines, want[i].Line[0])
	}
	kept := func(local WallClock) bool {
		w := found.Windows[local.String()]
		return !known[local] && w.Record != nil && w.Whole()
	}
	for _, r := range heldRows {
		if kept(r.WindowLocal) {
			rows = append(rows, r)
		}
	}
	for _, l := range heldLines {
		if kept(l.WindowLocal) {
			lines = append(lines, l)
		}
	}
	slices.SortFunc(rows, RowRecord.Compare)
	slices.SortFunc(lines, WindowRecord.Compare)
	return rows, lines
}

// windowOf is what was found so far of a window.
func windowOf(found *sinks.Audited, local WallClock) *sinks.AuditedWindow {
	w := found.Windows[local.String()]
	if w == nil {
		w = &sinks.AuditedWindow{Rows: make(map[sinks.RowKey][]int64)}
		found.Windows[local.String()] = w
		if !strings.HasPrefix(local.String(), found.Day+"T") {
			w.Flaws = append(w.Flaws, "it is not of this day")
		}
	}
	return w
}

func addLine(found *sinks.Audited, l *WindowRecord) {
	w := windowOf(found, l.WindowLocal)
	if w.Record != nil {
		w.Flaws = append(w.Flaws, "it stands more than once in the coverage")
		return
	}
	w.Record = &sinks.Record{
		Start: l.WindowStart.Time(), End: l.WindowEnd.Time(), Timezone: l.Timezone,
		ObservedAt: l.ObservedAt.Time(), Method: l.Method, State: l.State,
		RowCount: l.RowCount, Interactions: l.Interactions, Rejected: l.RejectedRows, Dropped: l.DroppedRows,
	}
}

// addRow adds a row. What it repeats of its window must be what the line of
// coverage says, which in turn is compared with the journal.
func addRow(found *sinks.Audited, r *RowRecord) {
	w := windowOf(found, r.WindowLocal)
	key := sinks.RowKey{Agent: r.Agent, Code: r.Code}
	flaw := func(format string, args ...any) {
		w.Flaws = append(w.Flaws, fmt.Sprintf("row (%q, %q) ", r.Agent, r.Code)+fmt.Sprintf(format, args...))
	}
	if counts := w.Rows[key]; counts != nil {
		counts[0] += r.Interactions
		flaw("stands more than once")
		return
	}
	w.Rows[key] = []int64{r.Interactions}
	if r.Interactions <= 0 {
		flaw("has a count of %d", r.Interactions)
	}
	if l := w.Record; l != nil && (!l.Start.Equal(r.WindowStart.Time()) || !l.End.Equal(r.WindowEnd.Time()) ||
		l.Timezone != r.Timezone || l.Method != r.Method || !l.ObservedAt.Equal(r.ObservedAt.Time())) {
		flaw("is of %s to %s %s, %s, observed at %s: the coverage has its window otherwise",
			r.WindowStart, r.WindowEnd, r.Timezone, r.Method, r.ObservedAt)
	}
}
