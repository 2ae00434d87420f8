package sql_test

import (
	"cmp"
	"slices"
	"strings"
	"testing"
	"time"

	"wolkpipe/pipeline/window"
	"wolkpipe/schemas"
	"wolkpipe/sinks"
)

// truths are the answers, computed from what the lake was told and nothing
// else. A percentage or a mean is not rounded.
func (l *sampleLake) truths(t testing.TB, a asked) map[string]table {
	return map[string]table{
		"01_by_agent":               l.byAgent(a),
		"02_by_code":                l.byCode(a),
		"03_by_hour":                l.byHour(a),
		"04_week_against_week":      l.weeks(t, a),
		"05_timeouts_by_day":        l.timeouts(a),
		"06_busiest_windows":        l.busiest(a),
		"07_agents_of_a_code":       l.ofCode(a),
		"08_missing_windows":        l.gaps(t, a),
		"09_states_and_corrections": l.states(a),
		"10_day_totals":             l.totals(a),
	}
}

// between are the days that are asked about.
func (l *sampleLake) between(first, last string) (days []*sinks.Day) {
	for _, d := range l.days {
		if first <= d.Key.Day && d.Key.Day <= last {
			days = append(days, d)
		}
	}
	return days
}

// group is what is summed of one operation's agent, code or hour.
type group struct {
	closed, ofCode, windows int64
	others, days            map[string]bool
	described               any
}

type groups[K comparable] map[string]map[K]*group // by operation

func (g groups[K]) of(operation string, key K) *group {
	if g[operation] == nil {
		g[operation] = make(map[K]*group)
	}
	if g[operation][key] == nil {
		g[operation][key] = &group{others: make(map[string]bool), days: make(map[string]bool)}
	}
	return g[operation][key]
}

// table makes a row of every group, with its operation's total, and sorts them.
func (g groups[K]) table(row func(operation string, key K, g *group, total int64) []any, order func(a, b []any) int) (all table) {
	for operation, keys := range g {
		var total int64
		for _, one := range keys {
			total += one.closed
		}
		for key, one := range keys {
			if r := row(operation, key, one, total); r != nil {
				all = append(all, r)
			}
		}
	}
	slices.SortFunc(all, func(a, b []any) int { return cmp.Or(strings.Compare(a[0].(string), b[0].(string)), order(a, b)) })
	return all
}

// mostFirst sorts by the column of a number, downwards, then by the name.
func mostFirst(number int) func(a, b []any) int {
	return func(a, b []any) int {
		return cmp.Or(cmp.Compare(b[number].(int64), a[number].(int64)), strings.Compare(a[1].(string), b[1].(string)))
	}
}

func percent(part, whole int64) any {
	if whole == 0 {
		return nil
	}
	return 100 * float64(part) / float64(whole)
}

func (l *sampleLake) byAgent(a asked) table {
	g := make(groups[string])
	for _, d := range l.between(a.first, a.last) {
		for _, w := range d.Windows {
			for _, r := range w.Rows {
				one := g.of(d.Operation, r.Agent)
				one.closed += r.Interactions
				one.others[r.Code], one.days[d.Key.Day] = true, true
			}
		}
	}
	return g.table(func(operation, agent string, g *group, total int64) []any {
		return []any{operation, agent, g.closed, int64(len(g.others)), int64(len(g.days)), percent(g.closed, total)}
	}, mostFirst(2))
}

func (l *sampleLake) byCode(a asked) table {
	g := make(groups[string])
	for _, d := range l.between(a.first, a.last) {
		for _, w := range d.Windows {
			for _, r := range w.Rows {
				one := g.of(d.Operation, r.Code)
				one.closed += r.Interactions
				one.others[r.Agent] = true
				if text := l.description(d.Operation, r); text != nil && (one.described == nil || *text > one.described.(string)) {
					one.described = *text
				}
			}
		}
	}
	return g.table(func(operation, code string, g *group, total int64) []any {
		return []any{operation, code, g.described, g.closed, int64(len(g.others)), percent(g.closed, total)}
	}, mostFirst(3))
}

// description is that of the list of codes, else the row's own.
func (l *sampleLake) description(operation string, r schemas.Row) *string {
	for _, c := range l.codes[operation] {
		if c.Code == r.Code && c.Description != nil {
			return c.Description
		}
	}
	return r.Description
}

func (l *sampleLake) byHour(a asked) table {
	g := make(groups[string])
	for _, d := range l.between(a.first, a.last) {
		for _, w := range d.Windows {
			one := g.of(d.Operation, w.Local[len("2006-01-02T"):len("2006-01-02T15")])
			one.closed += w.Interactions()
			one.windows++
			one.days[d.Key.Day] = true
		}
	}
	all := g.table(func(operation, hour string, g *group, _ int64) []any {
		return []any{operation, hour, g.closed, g.windows, int64(len(g.days)), float64(g.closed) / float64(len(g.days))}
	}, func(a, b []any) int { return strings.Compare(a[1].(string), b[1].(string)) })
	for _, row := range all {
		hour := row[1].(string)
		row[1] = int64(hour[0]-'0')*10 + int64(hour[1]-'0')
	}
	return all
}

func (l *sampleLake) weeks(t testing.TB, a asked) (all table) {
	monday := date(t, a.monday)
	type sums struct{ now, before, twins, twinsNow, twinsBefore int64 }
	by := make(map[string]*sums)
	of := func(operation string) *sums {
		if by[operation] == nil {
			by[operation] = &sums{}
		}
		return by[operation]
	}
	type twin struct {
		operation, local string
		length           time.Duration
	}
	before := make(map[twin]int64)
	for _, d := range l.between((monday - 7).String(), (monday - 1).String()) {
		for _, w := range d.Windows {
			at, err := window.ParseLocal(w.Local)
			if err != nil {
				t.Fatal(err)
			}
			before[twin{d.Operation, (at + 7*24*3600).String(), w.End.Sub(w.Start)}] = w.Interactions()
			of(d.Operation).before += w.Interactions()
		}
	}
	for _, d := range l.between(monday.String(), (monday + 6).String()) {
		for _, w := range d.Windows {
			s := of(d.Operation)
			s.now += w.Interactions()
			if was, ok := before[twin{d.Operation, w.Local, w.End.Sub(w.Start)}]; ok {
				s.twins, s.twinsNow, s.twinsBefore = s.twins+1, s.twinsNow+w.Interactions(), s.twinsBefore+was
			}
		}
	}
	for operation, s := range by {
		all = append(all, []any{operation, s.now, s.before, s.twins, s.twinsNow, s.twinsBefore, percent(s.twinsNow-s.twinsBefore, s.twinsBefore)})
	}
	slices.SortFunc(all, func(a, b []any) int { return strings.Compare(a[0].(string), b[0].(string)) })
	return all
}

func (l *sampleLake) timeouts(a asked) (all table) {
	for _, d := range l.between(a.first, a.last) {
		var closed, timeouts int64
		for _, w := range d.Windows {
			closed += w.Interactions()
			for _, r := range w.Rows {
				if r.Code == a.code {
					timeouts += r.Interactions
				}
			}
		}
		all = append(all, []any{d.Operation, d.Key.Day, closed, timeouts, percent(timeouts, closed)})
	}
	return all
}

func (l *sampleLake) ofCode(a asked) table {
	g := make(groups[string])
	for _, d := range l.between(a.first, a.last) {
		for _, w := range d.Windows {
			for _, r := range w.Rows {
				one := g.of(d.Operation, r.Agent)
				one.closed += r.Interactions
				if r.Code == a.code {
					one.ofCode += r.Interactions
				}
			}
		}
	}
	return g.table(func(operation, agent string, g *group, _ int64) []any {
		if g.closed < 20 {
			return nil
		}
		return []any{operation, agent, g.closed, g.ofCode, percent(g.ofCode, g.closed)}
	}, func(a, b []any) int {
		left, right := a[3].(int64)*b[2].(int64), b[3].(int64)*a[2].(int64)
		return cmp.Or(cmp.Compare(right, left), strings.Compare(a[1].(string), b[1].(string)))
	})
}
