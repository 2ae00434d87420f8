package compare

import (
	"slices"
	"testing"
	"time"

	"wolkpipe/pipeline/window"
)

// TestFalselyEmptyWhole: a whole that is falsely empty is narrowed when all
// else is done, and costs little if the spell is over by then.
func TestFalselyEmptyWhole(t *testing.T) {
	m := quarters(t, monday-2, 20) // two months
	calls := 0
	m.lies = func(int, int) bool { calls++; return calls == 1 }
	out := m.run(t)
	if got := m.story(out); got != "0-7 8-79 0-3 4-7" || len(out.confirmed) != 20 {
		t.Errorf("asks for %s, confirms %d days", got, len(out.confirmed))
	}
}

// TestEmptyWholeSpeaksAgainstNothing: parts that agree, and windows that were
// asked for, are confirmed although the whole was falsely empty.
func TestEmptyWholeSpeaksAgainstNothing(t *testing.T) {
	m := oneLate(t, 1)
	calls := 0
	m.lies = func(int, int) bool { calls++; return calls == 1 }
	if out := m.run(t); len(out.confirmed) != 1 || len(m.wrong(out)) > 0 {
		t.Errorf("asks for %s, confirms %v", m.story(out), out.confirmed)
	}
}

// TestFalselyEmptyToTheEnd: what is empty as long as it is asked for ends in
// Results without rows, and confirms nothing.
func TestFalselyEmptyToTheEnd(t *testing.T) {
	m := quarters(t, monday, 2)
	m.now[7].counts[keys[0]]++
	m.lies = func(first, _ int) bool { return first == 7 || first == 6 }
	out := m.run(t)
	if res, ok := out.results[7]; !ok || len(res.Rows) > 0 || out.confirmed[monday+1] || !out.confirmed[monday] {
		t.Errorf("asks for %s: %v, confirmed %v", m.story(out), out.results, out.confirmed)
	}
}

// TestWentEmpty: an emptiness confirms no day, though the sum agrees: it may
// hide rows that stand for others that are gone. When it has been recorded,
// one call confirms all.
func TestWentEmpty(t *testing.T) {
	m := quarters(t, monday, 8)
	clear(m.now[6].counts)
	out := m.run(t)
	if got := m.story(out); got != "0-31 0-15 0-3 4-7 4 5 6" || len(out.confirmed) != 1 || !out.confirmed[monday] {
		t.Errorf("asks for %s, confirms %v", got, out.confirmed)
	}
	m.then[6] = m.now[6].clone()
	if out := m.run(t); m.story(out) != "0-31" || len(out.confirmed) != 8 {
		t.Errorf("once recorded, asks for %s, confirms %v", m.story(out), out.confirmed)
	}
}

// TestEmptinessThatStandsForAnother: the false one of window 2 hides that
// window 3 is what changed.
func TestEmptinessThatStandsForAnother(t *testing.T) {
	m := newModel(windowsOf(t, "UTC", monday, 1, 6*time.Hour)).evenly(keys[3], 1)
	clear(m.now[3].counts)
	m.lies = func(first, last int) bool { return last-first == 1 }
	if out := m.run(t); len(out.confirmed) > 0 {
		t.Errorf("asks for %s, confirms %v", m.story(out), out.confirmed)
	}
}

// TestMovedMeanwhile: a closing that comes in while its day is being narrowed
// keeps that from being confirmed, and only that.
func TestMovedMeanwhile(t *testing.T) {
	for name, c := range map[string]struct {
		at, n int // the window, and before which answer it changes
		want  bool
	}{
		"before all of it":               {5, 1, true},
		"between the day and the window": {5, 5, false},
		"after the window":               {4, 6, true}, // for a later comparison to find
	} {
		m := quarters(t, monday, 2)
		m.now[5].counts[keys[0]]++
		n := 0
		out := drive(t, m, Options{Additive: true}, func(r window.Range) (Answer, bool) {
			if n++; n == c.n {
				m.now[c.at].counts[keys[0]]++
			}
			return m.ask(r)
		})
		if !out.confirmed[monday] || out.confirmed[monday+1] != c.want {
			t.Errorf("%s: asks for %s, confirms %v", name, m.story(out), out.confirmed)
		}
	}
}

// TestEmptyPartOfAWholeWithRows: where nothing is known of a part and it is
// falsely empty, the whole speaks against it.
func TestEmptyPartOfAWholeWithRows(t *testing.T) {
	m := newModel(windowsOf(t, "UTC", monday, 1, time.Hour))
	m.both(func(all []held) { all[20].counts[keys[0]] = 5 })
	m.now[3].counts[keys[0]]++
	m.lies = func(first, last int) bool { return first == 0 && last < 24 }
	if out := m.run(t); len(out.confirmed) > 0 {
		t.Errorf("asks for %s, confirms %v", m.story(out), out.confirmed)
	}
}

// TestEmptyDayOfAWholeWithRows: the same, of a day among others.
func TestEmptyDayOfAWholeWithRows(t *testing.T) {
	m := newModel(windowsOf(t, "UTC", monday, 4, time.Hour))
	m.both(func(all []held) { all[90].counts[keys[0]] = 5 })
	m.now[3].counts[keys[0]]++
	m.lies = func(first, last int) bool { return first == 0 && last < 96 }
	if out := m.run(t); out.confirmed[monday] {
		t.Errorf("asks for %s, confirms %v", m.story(out), out.confirmed)
	}
}

// TestDoubtStays: what a part speaks against is not confirmed by a whole that
// could be compared in other keys only.
func TestDoubtStays(t *testing.T) {
	m := hours(t)
	m.now[3].counts[keys[0]]++
	n := 0
	out := drive(t, m, Options{Additive: true}, func(r window.Range) (Answer, bool) {
		first, last := m.bounds(r)
		if last-first == 1 && n == 0 {
			m.now[3].counts[keys[0]]++
			n++
		}
		a, ok := m.ask(r)
		if last-first == 24 {
			a.Unsure = []Key{keys[0]}
		}
		return a, ok
	})
	if n == 0 || len(out.confirmed) > 0 {
		t.Errorf("asks for %s, confirms %v", m.story(out), out.confirmed)
	}
}

// TestBecameBlind: what follows from a whole less a window that has become
// blind since follows from nothing: it is asked for.
func TestBecameBlind(t *testing.T) {
	m := oneLate(t, 3)
	out := drive(t, m, Options{Additive: true}, func(r window.Range) (Answer, bool) {
		first, last := m.bounds(r)
		m.now[3].blind = last-first == 1
		return m.honest(first, last), true
	})
	if got := m.story(out); got != "0-23 0-11 0-5 0-2 3 4-5 6-11 12-23" || len(out.confirmed) != 1 {
		t.Errorf("asks for %s, confirms %v", got, out.confirmed)
	}
}

// TestPartsOfDays: a day is confirmed only if all of its time was given, as
// the clock has it.
func TestPartsOfDays(t *testing.T) {
	santiago := windowsOf(t, "America/Santiago", window.DateOf(2026, 9, 6), 1, time.Hour) // without its midnight
	beirut := windowsOf(t, "Asia/Beirut", monday, 1, time.Hour)
	inUTC := slices.Clone(beirut[3:])
	for i := range inUTC {
		inUTC[i].Start, inUTC[i].End = inUTC[i].Start.UTC(), inUTC[i].End.UTC()
	}
	three := windowsOf(t, "UTC", monday, 3, time.Hour)
	for name, c := range map[string]struct {
		windows []window.Window
		want    int
	}{
		"a day without midnight":          {santiago, 1},
		"and without an hour more":        {santiago[1:], 0},
		"without its last":                {beirut[:23], 0},
		"without its first":               {beirut[1:], 0},
		"that have lost their zone":       {inUTC, 0},
		"a day between parts of days":     {three[5:60], 1},
		"with a gap":                      {slices.Delete(slices.Clone(three), 30, 31), 2},
		"a repeated hour":                 {windowsOf(t, "America/Santiago", window.DateOf(2026, 4, 4), 1, time.Hour), 1},
		"without instants, by the clock":  {[]window.Window{{Range: window.Range{From: monday.Start(), To: monday.End()}}}, 1},
		"without instants, a part of one": {[]window.Window{{Range: window.Range{From: monday.Start() + 60, To: monday.End()}}}, 0},
	} {
		m := newModel(c.windows)
		if out := m.run(t); len(out.confirmed) != c.want {
			t.Errorf("%s: confirms %v, want %d", name, out.confirmed, c.want)
		}
	}
}
