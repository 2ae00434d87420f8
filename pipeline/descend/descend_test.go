package descend

import (
	"encoding/json"
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
		if _, err := New(windows, Options{}); err == nil || !strings.Contains(err.Error(), "sort the windows") {
			t.Errorf("%s windows: %v", name, err)
		}
	}
	d, err := New(nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if r, ok := d.Next(); ok {
		t.Errorf("without windows, asks for %v", r)
	}
}

// firsts are the first ranges asked for of each run, all being empty.
func firsts(t *testing.T, windows []window.Window) []string {
	t.Helper()
	var asked []string
	drive(t, windows, Options{}, func(r window.Range) (Answer, bool) {
		asked = append(asked, r.String())
		return Answer{}, true
	})
	return asked
}

func TestRuns(t *testing.T) {
	santiago := windowsOf(t, "America/Santiago", window.DateOf(2026, 9, 5), 2, time.Hour) // without the midnight of the 6th
	months := windowsOf(t, "UTC", window.DateOf(2026, 11, 29), 4, 6*time.Hour)
	hours := windowsOf(t, "UTC", monday, 1, time.Hour)
	hole := append(append([]window.Window(nil), hours[:8]...), hours[12:15]...)
	for name, c := range map[string]struct {
		windows []window.Window
		want    string
	}{
		"over what the clock skips": {santiago, "2026-09-05T00:00:00/2026-09-07T00:00:00"},
		"within a month":            {months, "2026-11-29T00:00:00/2026-12-01T00:00:00 2026-12-01T00:00:00/2026-12-03T00:00:00"},
		"around what is known, a few windows one by one": {hole, "2026-06-01T00:00:00/2026-06-01T08:00:00 2026-06-01T12:00:00/2026-06-01T13:00:00 " +
			"2026-06-01T13:00:00/2026-06-01T14:00:00 2026-06-01T14:00:00/2026-06-01T15:00:00"},
	} {
		if got := strings.Join(firsts(t, c.windows), " "); got != c.want {
			t.Errorf("%s: asks for %s, want %s", name, got, c.want)
		}
	}
}

// TestDaysThatDisagree: where a sample disagrees, every derived window of its
// day is asked for, and after the second such day nothing is derived.
func TestDaysThatDisagree(t *testing.T) {
	m := eights(t, 4)
	derived := map[window.Date]int{}
	n := 0
	out := drive(t, m.windows, Options{Derive: true}, func(r window.Range) (Answer, bool) {
		a, _ := m.ask(r)
		if first, last := m.bounds(r); last-first == 3 { // the day has been split: all else changes
			n++
			for i := first; i < first-first%8+8; i++ {
				if i%8 == 2 || i%8 == 7 {
					m.truth[i] = counts{keys[0]: 9}
				}
			}
		}
		return a, true
	})
	m.check(t, out)
	for _, res := range out.windows {
		if res.Method == Derived {
			derived[res.Window.From.Date()]++
		}
	}
	if n < 2 || out.stats.Samples != disagreements || out.stats.Disagreed != disagreements || len(derived) != 0 {
		t.Errorf("%d days split, %+v, derived %v", n, out.stats, derived)
	}
}

// eights are days of eight windows with one interaction each.
func eights(t *testing.T, days int) *model {
	m := &model{windows: windowsOf(t, "UTC", monday, days, 3*time.Hour), lied: map[int]bool{}}
	for range m.windows {
		m.truth, m.junk = append(m.truth, counts{keys[0]: 1}), append(m.junk, false)
	}
	return m
}

// TestMoreThanTheWhole: a part that has more than its whole ends what follows
// from that whole.
func TestMoreThanTheWhole(t *testing.T) {
	m := eights(t, 1)
	asked := 0
	out := drive(t, m.windows, Options{Derive: true}, func(r window.Range) (Answer, bool) {
		a, _ := m.ask(r)
		if asked++; asked == 1 {
			m.truth[0][keys[0]] = 9
		}
		return a, true
	})
	m.check(t, out)
	if out.stats.Disagreed != 0 {
		t.Errorf("a sample was needed to find out: %+v", out.stats)
	}
}

// TestUnusable: counts that are not there, or negative, are not subtracted.
func TestUnusable(t *testing.T) {
	rows := []json.RawMessage{junkRow}
	for name, a := range map[string]Answer{
		"not usable": {Rows: rows, Counts: map[Key]int64{keys[0]: 1}},
		"no counts":  {Rows: rows, Usable: true},
		"negative":   {Rows: rows, Usable: true, Counts: map[Key]int64{keys[0]: -1}},
	} {
		if r := newReply(a, 1); r.counts != nil || r.total < 1 {
			t.Errorf("%s: %v, %v in all", name, r.counts, r.total)
		}
	}
	zero := newReply(Answer{Rows: rows, Usable: true, Counts: map[Key]int64{keys[0]: 0}}, 1)
	if zero.counts == nil || len(zero.counts) != 0 || zero.empty() {
		t.Errorf("rows that count nothing: %v", zero.counts)
	}
}

// TestPartThatFails: of a whole, one part of which is too much, nothing is
// derived.
func TestPartThatFails(t *testing.T) {
	m := eights(t, 1)
	n := 0
	m.slow = func() bool { n++; return n == 2 }
	out := drive(t, m.windows, Options{Derive: true}, m.ask)
	m.check(t, out)
	if n < 2 || out.stats.Disagreed != 0 {
		t.Errorf("a sample was needed to find out: %+v", out.stats)
	}
}

// TestEmptyWithoutCounts: also where nothing may be subtracted, a whole that
// has rows is not all empty.
func TestEmptyWithoutCounts(t *testing.T) {
	m := &model{windows: windowsOf(t, "UTC", monday, 1, time.Hour), lied: map[int]bool{}, junk: make([]bool, 24)}
	m.truth = make([]counts, 24)
	m.truth[13] = counts{keys[0]: 1}
	asked, lie := 0, true
	m.lies = func() bool { // the first time that a part has it
		told := asked > 1 && lie
		lie = lie && !told
		return told
	}
	out := drive(t, m.windows, Options{}, func(r window.Range) (Answer, bool) { asked++; return m.ask(r) })
	if lie {
		t.Fatal("nothing was told falsely")
	}
	m.lied = nil
	m.check(t, out)
}

// TestLastResort: what is left when as many calls are made as there are
// windows is asked for one by one, and no range has its second chance.
func TestLastResort(t *testing.T) {
	m := &model{windows: windowsOf(t, "UTC", monday, 1, 6*time.Hour), junk: make([]bool, 4), lied: map[int]bool{}}
	m.truth = []counts{{}, {}, {}, {keys[0]: 1}}
	out := drive(t, m.windows, Options{Derive: true}, func(r window.Range) (Answer, bool) {
		if first, last := m.bounds(r); last-first == 1 {
			return Answer{}, true
		}
		return m.ask(r)
	})
	if !out.gaveUp || out.calls != 8 {
		t.Errorf("gave up %v after %d calls", out.gaveUp, out.calls)
	}
}

// TestSampleThatTellsNothing: one that repeats a key is followed by another.
func TestSampleThatTellsNothing(t *testing.T) {
	m := eights(t, 1)
	last := map[window.Range]bool{}
	samples := 0
	out := drive(t, m.windows, Options{Derive: true}, func(r window.Range) (Answer, bool) {
		a, _ := m.ask(r)
		if first, _ := m.bounds(r); r.Seconds() == 3*hours && (first == 2 || first == 7) { // those that were derived
			last[r] = true
			if samples++; samples == 1 {
				a.Usable = false
			}
		}
		return a, true
	})
	m.check(t, out)
	if out.stats.Samples != 2 || len(last) != 2 || out.stats.Disagreed != 0 {
		t.Errorf("%+v, of %v", out.stats, last)
	}
}

// TestSampleThatAgrees: one window of each day is asked for, the others rest
// on the day's own answer, with the labels that it had.
func TestSampleThatAgrees(t *testing.T) {
	m := &model{windows: windowsOf(t, "UTC", monday, 2, 3*time.Hour), lied: map[int]bool{}}
	for range m.windows {
		m.truth, m.junk = append(m.truth, counts{keys[2]: 2}), append(m.junk, false)
	}
	out := drive(t, m.windows, Options{Derive: true}, func(r window.Range) (Answer, bool) {
		a, _ := m.ask(r)
		a.Labels = map[Key]string{keys[2]: "Sí"}
		return a, true
	})
	derived := 0
	for _, res := range out.windows {
		if res.Method != Derived {
			continue
		}
		derived++
		if got := string(res.Rows[0]); got != `{"interactions":"2","agent_name":"Óscar \u0026 hijos","cod_act":"","description_cod_act":"Sí"}` {
			t.Errorf("derived row %s", got)
		}
	}
	if derived != 2 || out.stats.Samples != 2 || out.stats.Disagreed != 0 {
		t.Errorf("%d windows derived, %+v; want 2, of 2 days", derived, out.stats)
	}
}

// TestPick: the choice is the day's alone, and falls on rows where there are any.
func TestPick(t *testing.T) {
	all := []held{{at: 1}, {at: 2, counts: counts{keys[0]: 1}}, {at: 3}, {at: 4, counts: counts{keys[0]: 1}}}
	seen := map[int]bool{}
	for day := range uint64(40) {
		p := pick(all, day)
		seen[p.at] = true
		if p.counts == nil || pick(all, day).at != p.at {
			t.Fatalf("day %d picks %d", day, p.at)
		}
	}
	if len(seen) != 2 {
		t.Errorf("40 days picked %v", seen)
	}
	if p := pick(all[:1], 7); p.at != 1 {
		t.Errorf("of one without rows %d is picked", p.at)
	}
}

func TestOneWindowCannotFail(t *testing.T) {
	d, err := New(windowsOf(t, "UTC", monday, 1, 24*time.Hour), Options{Derive: true})
	if err != nil {
		t.Fatal(err)
	}
	r, _ := d.Next()
	if d.Failed(r) {
		t.Error("a single window is split")
	}
	if again, ok := d.Next(); !ok || again != r || d.Stats().Asked != 0 {
		t.Errorf("after it failed, asks for %v", again)
	}
	d.Answered(r, Answer{})
	if got := d.Take(); len(got) != 1 || got[0].Method != Empty || len(d.Take()) != 0 {
		t.Errorf("established %v", got)
	}
	defer func() {
		if recover() == nil {
			t.Error("an answer to no question was taken")
		}
	}()
	d.Answered(r, Answer{})
}
