package sinks_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"wolkpipe/sinks"
	"wolkpipe/sinks/sinktest"
)

// audits is a store of one number a day that tells how it was mended.
type audits struct {
	sinks.Sink
	held    map[string]int64
	version map[string]int
	audited [][]string // the days of each audit

	onMend func(day string, n int) error // called before the n-th try, from 1
	tries  int
}

func newAudits() *audits { return &audits{held: map[string]int64{}, version: map[string]int{}} }

func (a *audits) Audit(ctx context.Context, operation string, days []string) (map[string]*sinks.Audited, error) {
	a.audited = append(a.audited, slices.Clone(days))
	all := map[string]*sinks.Audited{}
	for _, day := range days {
		all[day] = &sinks.Audited{Key: sinks.Key{Operation: operation, Day: day}, Mender: &auditsMender{a, a.version[day]}}
	}
	return all, ctx.Err()
}

type auditsMender struct {
	*audits
	seen int
}

func (m *auditsMender) Mend(_ context.Context, day *sinks.Day) (sinks.Change, error) {
	m.tries++
	if m.onMend != nil {
		if err := m.onMend(day.Day, m.tries); err != nil {
			return sinks.Change{}, err
		}
	}
	if m.seen != m.version[day.Day] {
		return sinks.Change{}, sinks.ErrConflict
	}
	if n := day.Windows[0].Rows[0].Interactions; m.held[day.Day] != n {
		m.held[day.Day] = n
		m.version[day.Day]++
		return sinks.Change{Windows: 1, Writes: 1}, nil
	}
	return sinks.Change{}, nil
}

var mendDays = []string{"2026-11-01", "2026-11-02", "2026-11-03"}

func mendSource() *sinktest.Source {
	source := sinktest.NewSource()
	for i, day := range mendDays {
		source.Observe(sinks.Key{Operation: "ventas", Day: day}, count(int64(i+1)))
	}
	return source
}

func TestMendAuditsAgainWhatMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, source := newAudits(), mendSource()
		a.held["2026-11-03"] = 3
		a.onMend = func(day string, n int) error {
			switch n {
			case 1: // another worker was first
				a.version[day]++
			case 2: // the journal moves after the fold
				source.Observe(sinks.Key{Operation: "ventas", Day: day}, count(9))
			case 4:
				return sinks.ErrConflict
			}
			return nil
		}
		changes, err := sinks.Mend(t.Context(), a, source, "ventas", mendDays)
		if err != nil {
			t.Fatal(err)
		}
		if want := map[string]int64{"2026-11-01": 1, "2026-11-02": 9, "2026-11-03": 3}; !maps.Equal(a.held, want) {
			t.Errorf("the store holds %v, want %v", a.held, want)
		}
		want := map[string]sinks.Change{"2026-11-01": {Windows: 1, Writes: 1}, "2026-11-02": {Windows: 2, Writes: 2}}
		if !maps.Equal(changes, want) {
			t.Errorf("changed %+v, want %+v", changes, want)
		}
		if got := a.audited; len(got) != 3 || !slices.Equal(got[0], mendDays) || !slices.Equal(got[1], mendDays[:2]) || !slices.Equal(got[2], mendDays[:1]) {
			t.Errorf("audited were %q", got)
		}
	})
}

func TestMendEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, source := newAudits(), mendSource()
		a.onMend = func(string, int) error { return sinks.ErrConflict }
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		if _, err := sinks.Mend(ctx, a, source, "ventas", mendDays); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, sinks.ErrConflict) {
			t.Errorf("Mend gives %v, want the deadline", err)
		}
		if n := len(a.audited); n < 5 || n > 12 {
			t.Errorf("%d audits in 2.5 s of conflicts", n)
		}
		a = newAudits()
		a.onMend = func(_ string, n int) error {
			if n == 2 {
				return errBroken
			}
			return nil
		}
		changes, err := sinks.Mend(t.Context(), a, source, "ventas", mendDays)
		if !errors.Is(err, errBroken) || !strings.Contains(err.Error(), "mending ventas 2026-11-02") || len(changes) != 1 {
			t.Errorf("Mend gives %+v, %v", changes, err)
		}
		for after, text := range []string{"reading the journal's state of ventas 2026-11-01", "again"} {
			if _, err := sinks.Mend(t.Context(), newAudits(), &brokenSource{source, after}, "ventas", mendDays); !errors.Is(err, errBroken) || !strings.Contains(err.Error(), text) {
				t.Errorf("Mend gives %v, want %q", err, text)
			}
		}
		if changes, err := sinks.Mend(t.Context(), newAudits(), source, "ventas", nil); err != nil || len(changes) > 0 {
			t.Errorf("of no days Mend gives %+v, %v", changes, err)
		}
	})
}
