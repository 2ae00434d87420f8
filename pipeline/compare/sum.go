package compare

import "math"

// sum is what windows hold together, or an answer says.
type sum struct {
	counts map[Key]int64
	unsure map[Key]bool
	blind  bool
}

func newSum() *sum { return &sum{counts: map[Key]int64{}, unsure: map[Key]bool{}} }

// What a single count may be. A window's are bounded so that no sum overflows:
// a month has fewer than 2^22 seconds, and so windows.
const (
	mostInWindow = 1 << 40
	mostInAnswer = math.MaxInt64
)

// add adds c. Counts beyond what they may be are unsure.
func (s *sum) add(c Content, most int64) {
	s.blind = s.blind || c.Blind
	for _, k := range c.Unsure {
		s.unsure[k] = true
	}
	for k, n := range c.Counts {
		if n < 0 || n > most {
			s.unsure[k] = true
			continue
		}
		s.counts[k] += n
	}
}

// drop takes a window's counts out again. What made a key unsure stays.
func (s *sum) drop(c Content) {
	for k, n := range c.Counts {
		if 0 <= n && n <= mostInWindow {
			s.counts[k] -= n
		}
	}
}

// gap is what lies between an answer and what is known of its windows.
type gap struct {
	size    int64 // how many counts changed at least; 0: none that can be compared
	unclear bool  // some keys cannot be compared
	less    bool  // what is settled is more than the whole
}

// gap compares the whole with what is now known of it.
func (t *stretch) gap() gap {
	if t.whole == nil {
		return gap{unclear: true}
	}
	g := gap{unclear: t.now.blind}
	sure := func(k Key) bool { return !t.whole.unsure[k] && !t.now.unsure[k] }
	for _, unsure := range []map[Key]bool{t.whole.unsure, t.now.unsure} {
		for k := range unsure {
			g.unclear = g.unclear || !t.ignored[k]
		}
	}
	var up, down int64
	for k, n := range t.whole.counts {
		if sure(k) {
			up += min(mostInWindow, max(0, n-t.now.counts[k]))
		}
	}
	for k, n := range t.now.counts {
		if sure(k) {
			down += min(mostInWindow, max(0, n-t.whole.counts[k]))
			g.less = g.less || t.done.counts[k] > t.whole.counts[k]
		}
	}
	g.size = max(up, down) // a code that replaced another is one change
	return g
}
