package sql_test

import (
	"fmt"
	"math"
	"testing"
)

// TestQuestions: each question, as it is shipped and of other days, has in each
// engine the answer that follows from what the lake was told.
func TestQuestions(t *testing.T) {
	l := buildSample(t)
	all := []asked{
		shipped,
		{"2026-11-01", "2026-11-01", "2026-10-26", "0012"},     // 25 hours in New York; a week with them
		{"2026-10-04", "2026-10-04", "2026-11-09", "a.b *>"},   // 23 hours in Sydney, 23½ on Lord Howe; a week cut short
		{"2026-09-05", "2026-09-07", "2026-10-19", `Ñ'"\`},     // no midnight in Santiago
		{"2026-10-31", "2026-11-02", "2026-11-02", ""},         // a day that is missing, and one without rows
		{"2026-11-07", "2026-11-12", "2026-11-16", "no such"},  // a day whose rows have vanished; a week of nothing
		{"2027-01-01", "2027-01-31", "2027-01-04", "anything"}, // nothing at all
	}
	if testing.Short() {
		all = all[:3]
	}
	for _, a := range all {
		truths := l.truths(t, a)
		t.Run(a.first+"_"+a.last, func(t *testing.T) {
			each(t, func(t *testing.T, e engine) {
				all, run := questions(t, e.name, a), definitions(t, e.name, l.root)
				for _, q := range all {
					run = append(run, q.text)
				}
				tables := e.runAll(t, len(all), run...)
				for i, q := range all {
					if d := differ(truths[q.name], tables[i]); d != "" {
						t.Errorf("%s: %s", q.name, d)
					}
					if a == shipped && len(tables[i]) < 5 {
						t.Errorf("%s has an answer of %d rows, too few to prove anything", q.name, len(tables[i]))
					}
				}
			})
		})
	}
}

// differ tells where an answer is not the true one, or nothing.
func differ(want, got table) string {
	for i := range max(len(want), len(got)) {
		switch {
		case i >= len(want):
			return fmt.Sprintf("%d rows in place of %d; row %d is %q", len(got), len(want), i, got[i])
		case i >= len(got):
			return fmt.Sprintf("%d rows in place of %d; row %d should be %q", len(got), len(want), i, want[i])
		case len(want[i]) != len(got[i]):
			return fmt.Sprintf("row %d has %d columns in place of %d", i, len(got[i]), len(want[i]))
		}
		for j := range want[i] {
			if !alike(want[i][j], got[i][j]) {
				return fmt.Sprintf("row %d is %#v, want %#v", i, got[i], want[i])
			}
		}
	}
	return ""
}

// alike compares two values. A number that is not whole was rounded to one digit
// by the engine, and engines round a half in their own ways.
func alike(want, got any) bool {
	exact, fraction := want.(float64)
	rounded, ok := got.(float64)
	if !fraction || !ok {
		return want == got
	}
	return math.Abs(rounded-exact) < 0.05+1e-9 && math.Abs(10*rounded-math.Round(10*rounded)) < 1e-6
}
