package compare

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"wolkpipe/pipeline/window"
)

func TestNewRefuses(t *testing.T) {
	w := windowsOf(t, "UTC", monday, 1, time.Hour)
	for name, windows := range map[string][]window.Window{
		"unsorted":    {w[1], w[0]},
		"twice":       {w[0], w[0]},
		"overlapping": {w[0], {Range: window.Range{From: w[0].From + 60, To: w[1].To}}},
		"empty":       {{Range: window.Range{From: w[0].From, To: w[0].From}}},
	} {
		if _, err := New(newModel(windows).known(), Options{}); err == nil || !strings.Contains(err.Error(), "sort the windows") {
			t.Errorf("%s windows: %v", name, err)
		}
	}
	c, err := New(nil, Options{Additive: true})
	if err != nil {
		t.Fatal(err)
	}
	if r, ok := c.Next(); ok || len(c.Confirmed()) > 0 || len(c.Take()) > 0 {
		t.Errorf("without windows, asks for %v", r)
	}
}

// quarters are days of four windows with three interactions in each, of
// two keys.
func quarters(t *testing.T, from window.Date, days int) *model {
	return newModel(windowsOf(t, "UTC", from, days, 6*time.Hour)).evenly(keys[0], 1).evenly(keys[3], 2)
}

// hours is a day of 24 windows with three interactions in each.
func hours(t *testing.T) *model {
	return newModel(windowsOf(t, "UTC", monday, 1, time.Hour)).evenly(keys[0], 1).evenly(keys[3], 2)
}

// both changes what the source holds, and what is recorded.
func (m *model) both(change func(all []held)) *model {
	change(m.then)
	change(m.now)
	return m
}

// TestDivided: what is asked for of a source that has not changed.
func TestDivided(t *testing.T) {
	additive := Options{Additive: true}
	for name, c := range map[string]struct {
		m    *model
		o    Options
		want string
		days int // confirmed
	}{
		"a day":              {quarters(t, monday, 1), additive, "0-3", 1},
		"a month":            {quarters(t, monday, 30), additive, "0-119", 30},
		"months":             {quarters(t, monday-2, 4), additive, "0-7 8-15", 4},
		"over skipped hours": {newModel(windowsOf(t, "America/Santiago", window.DateOf(2026, 9, 5), 2, time.Hour)), additive, "0-46", 2},
		"a window that is unsure": {quarters(t, monday, 3).both(func(all []held) { all[5].alike[keys[3]] = 1 }),
			additive, "0-4 5 6-11", 3},
		"with a reject": {quarters(t, monday, 3).both(func(all []held) { all[0].junk[keys[5]] = true }),
			additive, "0 1-11", 3},
		"that is blind": {quarters(t, monday, 3).both(func(all []held) { all[11].blind = true }),
			additive, "0-10 11", 3},
		"with a count that nobody can mean": {quarters(t, monday, 3).both(func(all []held) { all[6].counts[keys[0]] = 1 << 60 }),
			additive, "0-5 6 7-11", 3},
		"with one below nothing": {quarters(t, monday, 3).both(func(all []held) { all[6].counts[keys[0]] = -1 }),
			additive, "0-5 6 7-11", 3},
		"unsure windows next to each other": {quarters(t, monday, 3).both(func(all []held) { all[4].junk[keys[1]], all[5].blind, all[7].blind = true, true, true }),
			additive, "0-3 4 5 6 7 8-11", 3},
		"one over the limit: its day apart, without its keys": {quarters(t, monday, 4).both(func(all []held) { all[1].blind, all[5].junk[keys[0]] = true, true }),
			Options{Additive: true, DirectLimit: 1}, "0 1 2-3 4-7 8-15", 3},
		"blind ones over the limit: around them": {quarters(t, monday, 4).both(func(all []held) { all[1].blind, all[5].blind, all[8].blind = true, true, true }),
			Options{Additive: true, DirectLimit: 1}, "0 1 2-3 4 6-7 9-11 12-15", 2},
		"over the limit, with nobody to be asked with": {quarters(t, monday, 1).both(func(all []held) {
			all[0].blind, all[1].blind, all[2].junk[keys[0]], all[3].blind = true, true, true, true
		}),
			Options{Additive: true, DirectLimit: 1}, "0", 0},
		"cut, within a day and between two": {quarters(t, monday, 3), Options{Additive: true, Cut: func(w window.Window) bool {
			return w.From == monday.Start()+12*60*60 || w.From == (monday+1).End()
		}}, "0-1 2-7 8-11", 3},
		"a source that does not add up": {quarters(t, monday, 2), Options{}, "0 1 2 3 4 5 6 7", 2},
		"of that, no more than so many": {quarters(t, monday, 2), Options{DirectLimit: 5}, "0 1 2 3 4", 1},
	} {
		out := drive(t, c.m, c.o, c.m.ask)
		if got := c.m.story(out); got != c.want || len(out.confirmed) != c.days || out.stats.Disagreed > 0 {
			t.Errorf("%s: asks for %s, want %s; %d days confirmed, want %d; %+v", name, got, c.want, len(out.confirmed), c.days, out.stats)
		}
	}
}

func TestLeftOut(t *testing.T) {
	m := quarters(t, monday, 2).both(func(all []held) { all[1].blind, all[2].blind, all[5].junk[keys[0]] = true, true, true })
	o := Options{Additive: true, DirectLimit: 1}
	if out := drive(t, m, o, m.ask); out.stats.LeftOut != 2 {
		t.Errorf("%+v, want two left out", out.stats)
	}
	m.now[5].counts[keys[3]]-- // another key of the same window leads there
	out := drive(t, m, o, m.ask)
	if out.stats.LeftOut != 1 || out.results[5].Rows == nil || out.confirmed[monday+1] {
		t.Errorf("%s: %+v, confirmed %v", m.story(out), out.stats, out.confirmed)
	}
}

func TestOneWindowCannotFail(t *testing.T) {
	m := newModel(windowsOf(t, "UTC", monday, 1, 24*time.Hour))
	c, err := New(m.known(), Options{Additive: true})
	if err != nil {
		t.Fatal(err)
	}
	r, _ := c.Next()
	if c.Failed(r) {
		t.Error("a single window is split")
	}
	if again, ok := c.Next(); !ok || again != r || c.Stats().Asked != 0 {
		t.Errorf("after it failed, asks for %v", again)
	}
	c.Answered(r, Answer{})
	if got := c.Take(); len(got) != 1 || len(c.Take()) != 0 || len(c.Confirmed()) != 1 {
		t.Errorf("results %v, confirmed %v", got, c.Confirmed())
	}
	defer func() {
		if recover() == nil {
			t.Error("an answer to no question was taken")
		}
	}()
	c.Answered(r, Answer{})
}

// TestContentIsLeftAlone: what the caller gave is not changed.
func TestContentIsLeftAlone(t *testing.T) {
	m := oneLate(t, 7)
	known := m.known()
	before := maps.Clone(known[7].Counts)
	c, err := New(known, Options{Additive: true})
	if err != nil {
		t.Fatal(err)
	}
	for r, ok := c.Next(); ok; r, ok = c.Next() {
		a, _ := m.ask(r)
		again := maps.Clone(a.Counts)
		c.Answered(r, a)
		if !maps.Equal(a.Counts, again) {
			t.Fatalf("the answer for %v was changed", r)
		}
	}
	if got := c.Take(); !maps.Equal(known[7].Counts, before) || !slices.IsSortedFunc(got, func(a, b Result) int { return int(a.Window.From - b.Window.From) }) {
		t.Errorf("known is now %v; results %v", known[7].Counts, got)
	}
}
