package descend

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"wolkpipe/pipeline/window"
)

// model is a source with a truth that it may twist.
type model struct {
	windows []window.Window
	truth   []counts
	junk    []bool // the window has a row that nobody can read

	repeats func() bool // an answer repeats a key
	lies    func() bool // an answer with rows is told as empty
	tooMuch int         // more windows than that are too much, 0: never
	slow    func() bool // several windows are too much this time
	extra   func(first, last int) counts

	lied map[int]bool // windows of which an answer was falsely empty
}

var junkRow = json.RawMessage(`{"interactions":"tres","agent_name":"Ana"}`)

// bounds are the first window of r and the one after its last.
func (m *model) bounds(r window.Range) (int, int) {
	at := func(l window.Local) int {
		i, _ := slices.BinarySearchFunc(m.windows, l, func(w window.Window, l window.Local) int { return int(w.From - l) })
		return i
	}
	return at(r.From), at(r.To)
}

// whole answers for a range truly.
func (m *model) whole(r window.Range) Answer {
	first, last := m.bounds(r)
	sum, junk := counts{}, 0
	for i := first; i < last; i++ {
		for k, n := range m.truth[i] {
			sum[k] += n
		}
		if m.junk[i] {
			junk++
		}
	}
	if m.extra != nil {
		for k, n := range m.extra(first, last) {
			sum[k] += n
		}
	}
	a := answerOf(sum)
	for range junk {
		a.Rows, a.Usable, a.Counts = append(a.Rows, junkRow), false, nil
	}
	return a
}

func (m *model) ask(r window.Range) (Answer, bool) {
	first, last := m.bounds(r)
	if m.tooMuch > 0 && last-first > m.tooMuch || m.slow != nil && last-first > 1 && m.slow() {
		return Answer{}, false
	}
	a := m.whole(r)
	if len(a.Rows) == 0 {
		return a, true
	}
	if m.lies != nil && m.lies() {
		for i := first; i < last; i++ {
			m.lied[i] = true
		}
		return Answer{}, true
	}
	if m.repeats != nil && m.repeats() {
		a.Usable, a.Counts = false, nil
	}
	return a, true
}

// check compares what was established with the truth. A window may lack its
// rows only where an answer about it was a lie.
func (m *model) check(t tb, out outcome) {
	t.Helper()
	for i, w := range m.windows {
		res := out.windows[w.From]
		want := m.whole(w.Range)
		if len(res.Rows) == 0 && m.lied[i] && res.Method == Empty {
			continue
		}
		got := append([]json.RawMessage(nil), res.Rows...)
		if fmt.Sprintf("%s", got) != fmt.Sprintf("%s", want.Rows) {
			t.Fatalf("window %v by %s: %s, want %s", w.Range, res.Method, got, want.Rows)
		}
	}
}

var keys = []Key{{"Ana", "1"}, {"Ana", "2"}, {"Óscar & hijos", ""}, {"", "<b>"}}

// drawModel draws windows and what they hold: quiet and busy stretches.
func drawModel(t *rapid.T) *model {
	length := rapid.SampledFrom([]time.Duration{5 * time.Minute, 15 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour}).Draw(t, "length")
	place := rapid.SampledFrom([]string{"UTC", "America/Santiago", "Asia/Beirut"}).Draw(t, "zone")
	from := window.DateOf(2026, 3, 1) + window.Date(rapid.IntRange(0, 220).Draw(t, "from"))
	most := 3
	if length >= time.Hour {
		most = 40
	}
	days := rapid.IntRange(1, most).Draw(t, "days")
	all := windowsOf(t, place, from, days, length)
	m := &model{lied: map[int]bool{}}
	rng := rapid.Uint64().Draw(t, "rng")
	random := func() float64 { // xorshift: one draw for all, so that shrinking stays quick
		rng |= 1
		rng ^= rng << 13
		rng ^= rng >> 7
		rng ^= rng << 17
		return float64(rng>>11) / (1 << 53)
	}
	gaps := rapid.SampledFrom([]float64{0, 0, 0.02, 0.3}).Draw(t, "gaps")
	turns := rapid.SampledFrom([]float64{0.002, 0.03, 0.3}).Draw(t, "turns")
	level := rapid.SampledFrom([]float64{0, 0.02, 0.2, 0.8, 3}).Draw(t, "level")
	junk := rapid.SampledFrom([]float64{0, 0, 0.01, 0.3}).Draw(t, "junk")
	busy, known := level, false
	for _, w := range all {
		if random() < gaps {
			known = !known
		}
		if random() < turns {
			busy = []float64{0, 0, 0.1, 1, 5}[int(5*random())] * level
		}
		if known && gaps > 0 {
			continue
		}
		c := counts{}
		for lots := busy; lots > 0; lots-- {
			if random() < min(lots, 0.9) {
				c[keys[int(random()*random()*float64(len(keys)))]]++
			}
		}
		m.windows, m.truth = append(m.windows, w), append(m.truth, c)
		m.junk = append(m.junk, len(c) > 0 && random() < junk)
	}
	chance := func(name string, rates ...float64) func() bool {
		rate := rapid.SampledFrom(rates).Draw(t, name)
		return func() bool { return random() < rate }
	}
	m.repeats = chance("repeats", 0, 0, 0.05, 0.5, 1)
	m.lies = chance("lies", 0, 0, 0.02, 0.2, 0.7)
	m.slow = chance("slow", 0, 0, 0.05, 0.5)
	m.tooMuch = rapid.SampledFrom([]int{0, 0, 1, 10, 100}).Draw(t, "too much")
	return m
}

// TestWhateverIsAnswered: sources that add up, with unreadable rows, repeated
// keys, false empties and limits. What was truly answered is what is established.
func TestWhateverIsAnswered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawModel(t)
		out := drive(t, m.windows, Options{Derive: rapid.Bool().Draw(t, "derive")}, m.ask)
		m.check(t, out)
		if len(m.lied) == 0 && out.stats.Disagreed > 0 {
			t.Fatalf("a source that adds up disagrees: %+v", out.stats)
		}
	})
}

// TestOneFalseEmpty: of a part of something known, one is always noticed, but in the
// last resort.
func TestOneFalseEmpty(t *testing.T) {
	noticed := 0
	rapid.Check(t, func(t *rapid.T) {
		m := drawModel(t)
		m.repeats, m.slow, m.tooMuch, m.junk = nil, nil, 0, make([]bool, len(m.windows))
		at := rapid.IntRange(1, 300).Draw(t, "call")
		n, lied := 0, false
		var whole window.Range // of the run under way
		out := drive(t, m.windows, Options{Derive: true}, func(r window.Range) (Answer, bool) {
			n++
			part := r.From >= whole.From && r.To <= whole.To
			if !part {
				whole = r
			}
			m.lies = func() bool {
				if lied || n < at || !part {
					return false
				}
				lied = true
				return true
			}
			return m.ask(r)
		})
		if len(m.lied) == 0 || out.gaveUp { // then an answer about one window stands
			return
		}
		noticed++
		m.lied = nil
		m.check(t, out)
	})
	if noticed == 0 {
		t.Error("no draw held a false empty")
	}
}

// TestNotAdditive: where ranges count what their parts do not, or the other
// way round, and nothing may be derived, each window is as it was answered.
func TestNotAdditive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawModel(t)
		m.extra = m.touches
		out := drive(t, m.windows, Options{}, m.ask)
		m.check(t, out)
		for _, res := range out.windows {
			if res.Method == Derived {
				t.Fatalf("window %v is derived", res.Window.Range)
			}
		}
	})
}

// touches counts the first key of a window in the one before it, too, unless
// both are asked for together.
func (m *model) touches(first, last int) counts {
	if last < len(m.truth) && last > first && m.truth[last][keys[0]] > 0 {
		return counts{keys[0]: m.truth[last][keys[0]]}
	}
	return nil
}

// TestSourceThatMoves: counts that change, or do not add up, though they were
// shown to. Only what drive checks can be held, and that no count is negative.
func TestSourceThatMoves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawModel(t)
		m.extra = m.touches
		step := rapid.IntRange(1, 20).Draw(t, "step")
		n := 0
		out := drive(t, m.windows, Options{Derive: true}, func(r window.Range) (Answer, bool) {
			if n++; n%step == 0 { // a late closing, or a deleted one
				i := (n * 7919) % len(m.truth)
				if n%(2*step) == 0 {
					m.truth[i][keys[n%len(keys)]]++
				} else {
					clear(m.truth[i])
				}
			}
			return m.ask(r)
		})
		for _, res := range out.windows {
			if res.Method == Derived {
				read(t, res.Rows)
			}
		}
	})
}

// FuzzAnswers drives a descent by bytes: whatever the answers, every window
// is established once, within the calls that Most allows.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte{1, 2, 3}, true, uint8(12))
	f.Add([]byte{255, 0, 0, 4, 9, 128, 7, 7, 0}, true, uint8(100))
	f.Add([]byte{64, 65, 200, 0, 1}, false, uint8(250))
	f.Fuzz(func(t *testing.T, script []byte, derive bool, size uint8) {
		all := windowsOf(t, "America/Santiago", window.DateOf(2026, 9, 5), 3, 15*time.Minute)
		windows := all[:min(len(all), 1+int(size))]
		i := 0
		next := func() byte {
			if len(script) == 0 {
				return 0
			}
			i++
			return script[(i-1)%len(script)] ^ byte((i-1)/len(script))
		}
		drive(t, windows, Options{Derive: derive}, func(r window.Range) (Answer, bool) {
			switch b := next(); {
			case b < 64:
				return Answer{}, true
			case b < 80 && r.Seconds() > 15*60 && len(windows) > 1 && spans(windows, r) > 1:
				return Answer{}, false
			case b < 96:
				return Answer{Rows: []json.RawMessage{junkRow}, Total: int64(next()) - 5}, true
			case b < 100:
				return Answer{Rows: []json.RawMessage{junkRow}, Usable: true, Counts: map[Key]int64{keys[0]: int64(next()) - 100}}, true
			default:
				return answerOf(counts{keys[b%4]: 1 + int64(next()), keys[(b+1)%4]: 1 + int64(b)/50}), true
			}
		})
	})
}

// spans counts the windows in r.
func spans(windows []window.Window, r window.Range) int {
	n := 0
	for _, w := range windows {
		if w.From >= r.From && w.To <= r.To {
			n++
		}
	}
	return n
}
