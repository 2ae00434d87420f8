package compare

import (
	"testing"
	"time"

	"wolkpipe/pipeline/window"
)

// TestNarrowed: what is asked for where something changed.
func TestNarrowed(t *testing.T) {
	late := func(at ...int) func([]held) {
		return func(all []held) {
			for _, i := range at {
				all[i].counts[keys[0]]++
			}
		}
	}
	for name, c := range map[string]struct {
		m      *model
		change func([]held)
		want   string
	}{
		"the first of a day: the rest is taken to agree": {hours(t), late(0), "0-23 0-11 0-5 0-2 0"},
		"the last: nothing that follows is asked":        {hours(t), late(23), "0-23 0-11 12-17 18-20 21 22 23"},
		"two":          {hours(t), late(5, 20), "0-23 0-11 0-5 0-2 3 4 5 12-17 18-20 18 19 20"},
		"another code": {hours(t), func(all []held) { all[13].counts[keys[3]]--; all[13].counts[keys[0]]++ }, "0-23 0-11 12-17 12-14 12 13"},
		"other codes, each one change": {hours(t), func(all []held) {
			for _, i := range []int{12, 15, 18, 21} {
				all[i].counts[keys[3]]--
				all[i].counts[keys[0]]++
			}
		}, "0-23 0-11 12-17 12-14 12 15 18-20 18 21"},
		"a key that becomes unsure hides nothing behind it": {hours(t), func(all []held) {
			all[1].counts[keys[0]] += 2
			all[1].alike[keys[0]] = 1
			all[20].counts[keys[0]]++
		}, "0-23 0-11 0-5 0-2 0 1 2 3-5 6-11 12-23 12-17 18-20 18 19 20"},
		"days before windows, in halves":             {quarters(t, monday, 16), late(41), "0-63 0-31 32-47 32-39 40-43 40 41"},
		"the last day, of which the other days tell": {quarters(t, monday, 4), late(15), "0-15 0-7 8-11 12-13 14 15"},
		"a day of few windows, one by one":           {quarters(t, monday, 1), late(1), "0-3 0 1"},
		"days of one window":                         {newModel(windowsOf(t, "UTC", monday, 8, 24*time.Hour)), late(6), "0-7 0-3 4-5 6"},
		"days that begin at noon":                    {newModel(windowsOf(t, "UTC", monday, 3, time.Hour)[12:60]), late(40), "0-47 0-11 12-35 36-41 36-38 39 40"},
		"most of a day: one by one, while it is most of what is left": {hours(t), late(0, 1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 17, 18, 19, 20),
			"0-23 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19-20 19 20"},
		"much in one window: more after each that agrees": {hours(t), func(all []held) { all[17].counts[keys[0]] += 100 },
			"0-23 0 1 2-3 4-7 8-15 16-19 16 17"},
	} {
		c.change(c.m.now)
		out := c.m.run(t)
		if got := c.m.story(out); got != c.want || len(out.confirmed) != len(c.m.completeDays(t)) || len(c.m.wrong(out)) > 0 {
			t.Errorf("%s: asks for %s, want %s; %d days confirmed", name, got, c.want, len(out.confirmed))
		}
	}
}

// on makes the n-th answer another one.
func (m *model) on(n int, as func(*Answer)) func(window.Range) (Answer, bool) {
	calls := 0
	return func(r window.Range) (Answer, bool) {
		a, ok := m.ask(r)
		if calls++; calls == n {
			as(&a)
		}
		return a, ok
	}
}

// TestUnlikeAnswers: what is asked for after answers that tell less than all,
// or are false.
func TestUnlikeAnswers(t *testing.T) {
	unsure := func(k Key, n int64) func(*Answer) {
		return func(a *Answer) { a.Unsure, a.Counts[k] = append(a.Unsure, k), n }
	}
	for name, c := range map[string]struct {
		m    *model
		n    int // the answer
		as   func(*Answer)
		want string
		days int
	}{
		"a blind one: by days, then halves":    {quarters(t, monday, 4), 1, func(a *Answer) { a.Blind = true }, "0-15 0-7 8-15", 4},
		"a blind day":                          {hours(t), 1, func(a *Answer) { a.Blind = true }, "0-23 0-11 12-23", 1},
		"a key that is unsure":                 {hours(t), 1, unsure(keys[0], 24), "0-23 0-11 12-23", 1},
		"a key of which nothing else is known": {hours(t), 1, unsure(keys[5], 0), "0-23 0-11 12-23", 1},
		"an unsure key in a part":              {oneLate(t, 23), 2, unsure(keys[0], 12), "0-23 0-11 0-5 6-11 12-17 18-20 21 22 23", 1},
		"counts that nobody can add up": {hours(t), 1, func(a *Answer) {
			for _, k := range []string{"a", "b", "c", "d"} { // 2^64 together
				a.Counts[Key{k, k}] = 1 << 62
			}
		}, "0-23 0 1 2-3 4-7 8-15 16-19 20-21 22 23", 0},
		"a count below nothing":                 {hours(t), 1, func(a *Answer) { a.Counts[keys[0]] = -24 }, "0-23 0-11 12-23", 1},
		"no more than zeros":                    {hours(t), 1, func(a *Answer) { a.Counts[keys[5]] = 0 }, "0-23", 1},
		"less for the whole than for its part":  {oneLate(t, 23), 1, func(a *Answer) { a.Counts[keys[0]] = 5 }, "0-23 0 1 2-3 4-7 8-23 8-15 16-19 20-21 22 23", 0},
		"no rows, whatever is said to be there": {newModel(windowsOf(t, "UTC", monday, 1, time.Hour)), 1, func(a *Answer) { a.Counts = counts{keys[0]: 3} }, "0-23", 1},
	} {
		out := drive(t, c.m, Options{Additive: true}, c.m.on(c.n, c.as))
		if got := c.m.story(out); got != c.want || len(out.confirmed) != c.days || len(c.m.wrong(out)) > 0 {
			t.Errorf("%s: asks for %s, want %s; %d days confirmed, want %d", name, got, c.want, len(out.confirmed), c.days)
		}
	}
}

// oneLate is a day of hours into one of which a closing came late.
func oneLate(t *testing.T, at int) *model {
	m := hours(t)
	m.now[at].counts[keys[0]]++
	return m
}

func TestTooMuch(t *testing.T) {
	m := oneLate(t, 3)
	m.tooMuch = 12
	out := m.run(t)
	if got := m.story(out); got != "0-23 0-11 0-5 0-2 3 12-23" || len(out.confirmed) != 1 {
		t.Errorf("asks for %s, confirms %v", got, out.confirmed)
	}
	if out.stats.Disagreed != 2 {
		t.Errorf("what failed is no disagreement: %+v", out.stats)
	}
}
