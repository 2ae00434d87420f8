package parquet

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"wolkpipe/sinks"
)

var _ sinks.Auditor = (*Sink)(nil)

// Audit implements [sinks.Auditor]: it reads the objects of each day, and
// lists what else stands in their folders.
func (s *Sink) Audit(ctx context.Context, operation string, days []string) (map[string]*sinks.Audited, error) {
	all := make(map[string]*sinks.Audited, len(days))
	for _, day := range days {
		found, err := s.audit(ctx, sinks.Key{Operation: operation, Day: day})
		if err != nil {
			return nil, err
		}
		all[day] = found
	}
	return all, nil
}

func (s *Sink) audit(ctx context.Context, key sinks.Key) (*sinks.Audited, error) {
	loaded, err := s.load(ctx, key)
	if err != nil {
		return nil, err
	}
	found := &sinks.Audited{Key: key, Readings: []sinks.Reading{sinks.Lake}, Windows: make(map[string]*sinks.AuditedWindow)}
	for _, damage := range []struct {
		name string
		err  error
	}{{loaded.rows.name, loaded.rows.damage}, {loaded.windows.name, loaded.windows.damage}} {
		if damage.err != nil {
			found.Flaws = append(found.Flaws, fmt.Sprintf("%s: %v", damage.name, damage.err))
		}
	}
	m := &mender{held: loaded, found: found}
	for _, name := range []string{loaded.rows.name, loaded.windows.name} {
		all, err := s.store.list(ctx, path.Dir(name))
		if err != nil {
			return nil, fmt.Errorf("listing the folder of %s: %w", name, err)
		}
		for _, other := range slices.DeleteFunc(all, func(n string) bool { return n == name }) {
			found.Flaws = append(found.Flaws, other+" does not belong there: queries over the dataset read it, too")
			m.foreign = append(m.foreign, other)
		}
	}
	for i := range loaded.windows.records {
		addLine(found, &loaded.windows.records[i])
	}
	for i := range loaded.rows.records {
		addRow(found, &loaded.rows.records[i])
	}
	found.Mender = m
	return found, nil
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
