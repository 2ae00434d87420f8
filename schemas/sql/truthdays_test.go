package sql_test

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"wolkpipe/pipeline/window"
	"wolkpipe/schemas"
	"wolkpipe/sinks"
)

func (l *sampleLake) busiest(a asked) (all table) {
	type found struct {
		local        string
		closed, rows int64
	}
	by, operations := make(map[string][]found), []string(nil)
	for _, d := range l.between(a.first, a.last) {
		if by[d.Operation] == nil {
			operations = append(operations, d.Operation)
		}
		for _, w := range d.Windows {
			by[d.Operation] = append(by[d.Operation], found{w.Local, w.Interactions(), int64(len(w.Rows))})
		}
	}
	for _, operation := range operations {
		windows := by[operation]
		slices.SortFunc(windows, func(a, b found) int { return cmp.Or(cmp.Compare(b.closed, a.closed), cmp.Compare(a.local, b.local)) })
		for i, w := range windows[:min(5, len(windows))] {
			if w.closed > 0 {
				all = append(all, []any{operation, int64(i + 1), w.local, w.closed, w.rows})
			}
		}
	}
	return all
}

// gaps goes through the windows that exist, by the zone's own rules.
func (l *sampleLake) gaps(t testing.TB, a asked) (all table) {
	for len(l.days) > 0 {
		operation := l.days[0].Operation
		var days []*sinks.Day
		for _, d := range l.days {
			if d.Operation == operation {
				days = append(days, d)
			}
		}
		rest := *l
		rest.days = l.days[len(days):]
		l = &rest

		var grid window.Grid
		for _, s := range sample {
			if s.operation == operation {
				grid = window.Grid(s.window)
			}
		}
		zone, err := window.LoadZone(days[0].Timezone)
		if err != nil {
			t.Fatal(err)
		}
		observed := make(map[string]bool)
		for _, d := range days {
			for _, w := range d.Windows {
				observed[w.Local] = true
			}
		}
		last, missing := "", int64(0)
		for d := date(t, days[0].Key.Day); d <= date(t, days[len(days)-1].Key.Day); d++ {
			for _, w := range zone.Windows(d, grid) {
				local := w.From.String()
				switch {
				case observed[local] && missing > 0 && last[:10] <= a.last && local[:10] >= a.first:
					all = append(all, []any{operation, last, local, missing})
					fallthrough
				case observed[local]:
					last, missing = local, 0
				case last != "":
					missing++
				}
			}
		}
		if last[:10] <= a.last && last[:10] >= a.first {
			all = append(all, []any{operation, last, nil, nil})
		}
	}
	return all
}

// stateOf is what the lake tells of a day's state and corrections.
func stateOf(d *sinks.Day) (late, rejected, dropped int64) {
	for _, w := range d.Windows {
		if w.ObservedAt.Sub(w.End) >= 24*time.Hour {
			late++
		}
		rejected += int64(len(w.Rejects))
		dropped += w.Dropped
	}
	return late, rejected, dropped
}

func (l *sampleLake) states(a asked) (all table) {
	for _, d := range l.between(a.first, a.last) {
		late, rejected, dropped := stateOf(d)
		if d.State == schemas.Provisional || late > 0 || rejected > 0 {
			all = append(all, []any{d.Operation, d.Key.Day, string(d.State), int64(len(d.Windows)), late, rejected, dropped})
		}
	}
	return all
}

func (l *sampleLake) totals(a asked) (all table) {
	for _, d := range l.between(a.first, a.last) {
		var empty, rows, closed int64
		agents, codes := make(map[string]bool), make(map[string]bool)
		for _, w := range d.Windows {
			if len(w.Rows) == 0 {
				empty++
			}
			rows += int64(len(w.Rows))
			closed += w.Interactions()
			for _, r := range w.Rows {
				agents[r.Agent], codes[r.Code] = true, true
			}
		}
		all = append(all, []any{d.Operation, d.Key.Day, int64(len(d.Windows)), empty, rows, closed, int64(len(agents)), int64(len(codes)), int64(0)})
	}
	return all
}
