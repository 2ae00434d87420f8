package compare

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"wolkpipe/pipeline/window"
)

type counts = map[Key]int64

var keys = []Key{{"Ana", "1"}, {"Ana", "2"}, {"Eva", "1"}, {"Ana", "3"}, {"Eva", "3"}, {"", ""}}

// held is what the source has in a window.
type held struct {
	counts counts       // true ones
	alike  counts       // of these, what is in rows alike to others, if the window is asked for by itself
	junk   map[Key]bool // there is a row whose count nobody can read
	blind  bool         // there is a row whose key nobody can read
}

func (h held) clone() held {
	return held{maps.Clone(h.counts), maps.Clone(h.alike), maps.Clone(h.junk), h.blind}
}

// answer is what is said of the window by itself.
func (h held) answer() Answer {
	c := Content{Counts: maps.Clone(h.counts), Blind: h.blind}
	for k, n := range h.alike {
		c.Counts[k] -= n
		c.Unsure = append(c.Unsure, k)
	}
	for k := range h.junk {
		c.Unsure = append(c.Unsure, k)
	}
	return told(c, len(h.alike))
}

// told gives c a row for all that it holds.
func told(c Content, more int) Answer {
	n := len(c.Counts) + len(c.Unsure) + more
	if c.Blind {
		n++
	}
	return Answer{Rows: slices.Repeat([]json.RawMessage{json.RawMessage(`{}`)}, n), Content: c}
}

// model is a source, and what was recorded of it some time ago.
type model struct {
	windows []window.Window
	then    []held
	now     []held

	tooMuch int // more windows than that are too much; 0: never
	// Of answers about several windows, as these say:
	slow   func() bool // it is too much
	repeat func() bool // a key is repeated
	// Of any:
	lies func(first, last int) bool // it is told as empty

	lied []bool // of windows: an answer about it was falsely empty
}

func newModel(windows []window.Window) *model {
	m := &model{windows: windows, then: make([]held, len(windows)), lied: make([]bool, len(windows))}
	for i := range windows {
		m.then[i] = held{counts: counts{}, alike: counts{}, junk: map[Key]bool{}}
	}
	m.settle()
	return m
}

// settle makes the source hold what is recorded.
func (m *model) settle() {
	m.now = make([]held, len(m.then))
	for i, h := range m.then {
		m.now[i] = h.clone()
	}
}

// evenly gives every window n of a key, then and now.
func (m *model) evenly(k Key, n int64) *model {
	for i := range m.then {
		m.then[i].counts[k] += n
	}
	m.settle()
	return m
}

func (m *model) known() []Known {
	known := make([]Known, len(m.windows))
	for i, w := range m.windows {
		known[i] = Known{w, m.then[i].answer().Content}
	}
	return known
}

// bounds are the first window of r and the one after its last.
func (m *model) bounds(r window.Range) (int, int) {
	at := func(l window.Local) int {
		i, _ := slices.BinarySearchFunc(m.windows, l, func(w window.Window, l window.Local) int { return int(w.From - l) })
		return i
	}
	return at(r.From), at(r.To)
}

// ask answers for a range; ok is false where that is too much.
func (m *model) ask(r window.Range) (a Answer, ok bool) {
	first, last := m.bounds(r)
	if m.tooMuch > 0 && last-first > m.tooMuch || m.slow != nil && last-first > 1 && m.slow() {
		return Answer{}, false
	}
	a = m.honest(first, last)
	if len(a.Rows) > 0 && m.lies != nil && m.lies(first, last) {
		for i := first; i < last; i++ {
			m.lied[i] = true
		}
		return Answer{}, true
	}
	if last-first > 1 && m.repeat != nil && len(a.Counts) > 0 && m.repeat() {
		k := keys[0]
		for k = range a.Counts {
			break
		}
		a.Counts[k], a.Unsure = 1, append(a.Unsure, k)
	}
	return a, true
}

func (m *model) honest(first, last int) Answer {
	if last-first == 1 {
		return m.now[first].answer()
	}
	c := Content{Counts: counts{}}
	junk := map[Key]bool{}
	for _, h := range m.now[first:last] {
		for k, n := range h.counts {
			c.Counts[k] += n
		}
		maps.Copy(junk, h.junk)
		c.Blind = c.Blind || h.blind
	}
	c.Unsure = slices.Collect(maps.Keys(junk))
	return told(c, 0)
}

// wrong are the windows of confirmed days that are not what the source holds,
// all Results taken at their word.
func (m *model) wrong(out outcome) (at []int) {
	for i, w := range m.windows {
		if _, asked := out.results[i]; out.confirmed[w.From.Date()] && !asked && !m.same(i) {
			at = append(at, i)
		} else if out.confirmed[w.From.Date()] && asked && len(out.results[i].Rows) != len(m.now[i].answer().Rows) {
			at = append(at, i) // falsely empty: all else is as the source said
		}
	}
	return at
}

// same reports whether what is recorded of a window is what it holds.
func (m *model) same(i int) bool {
	then, now := m.then[i].answer(), m.now[i].answer()
	slices.SortFunc(then.Unsure, compareKeys)
	slices.SortFunc(now.Unsure, compareKeys)
	return maps.Equal(then.Counts, now.Counts) && slices.Equal(then.Unsure, now.Unsure) && then.Blind == now.Blind
}

func compareKeys(a, b Key) int { return strings.Compare(a.Agent+"\x00"+a.Code, b.Agent+"\x00"+b.Code) }
