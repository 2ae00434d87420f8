package compare

import (
	"fmt"
	"maps"
	"slices"

	"wolkpipe/pipeline/window"
)

// Options of a Comparison.
type Options struct {
	// Additive says that this source's counts have been shown to add up.
	// Otherwise nothing is compared: every window is asked for directly.
	Additive bool

	// DirectLimit is how many windows at most are asked for directly because
	// they cannot be part of a sum, the earliest first; 0 sets no limit. Those
	// to which a disagreement leads do not count.
	DirectLimit int

	// Cut tells of a window that what is asked for as a whole ends before it:
	// less can cancel out in shorter ranges. Nil: never.
	Cut func(window.Window) bool
}

// Stats counts what a Comparison has done.
type Stats struct {
	Asked     int // ranges answered or failed
	Direct    int // of these, single windows
	Disagreed int // answers for several windows that did not equal their sum
	LeftOut   int // windows not asked for because of DirectLimit
}

// Comparison compares what is recorded of windows with the source. It is not
// safe for use by several goroutines.
type Comparison struct {
	known []Known
	days  []day
	dayOf []int // of each window, in days

	whole   []span     // to be asked for, in order of time
	later   []*stretch // to be narrowed when all of whole is done
	stack   []*stretch // being narrowed; the top first
	open    *span      // asked for
	leftOut []int      // windows over the limit

	fresh map[int]observed // windows asked for by themselves
	proof []proof          // of each window
	ready []Result
	stats Stats
}

// span is some of the windows: from <= i < to.
type span struct{ from, to int }

func (s span) len() int { return s.to - s.from }

// New begins a comparison of windows, which must be sorted and not overlap;
// there may be gaps. They are kept and not changed.
func New(known []Known, o Options) (*Comparison, error) {
	for i, w := range known {
		if w.Empty() || i > 0 && known[i-1].To > w.From {
			return nil, fmt.Errorf("window %v is empty or begins before the one ahead of it ends: sort the windows", w.Range)
		}
	}
	c := &Comparison{known: known, fresh: map[int]observed{}, proof: make([]proof, len(known))}
	c.findDays()
	c.divide(o)
	c.advance()
	return c, nil
}

// Next is the range to ask for. ok is false when nothing is left to ask. It
// stays the same until it is answered or has failed. No range is asked for
// twice.
func (c *Comparison) Next() (ask window.Range, ok bool) {
	if c.open == nil {
		return window.Range{}, false
	}
	return c.rangeOf(*c.open), true
}

func (c *Comparison) rangeOf(s span) window.Range {
	return window.Range{From: c.known[s.from].From, To: c.known[s.to-1].To}
}

// advance finds what to ask for next.
func (c *Comparison) advance() {
	for c.open == nil {
		switch {
		case len(c.stack) > 0:
			if s, ok := c.top().next(c); ok {
				c.open = &s
			}
		case len(c.whole) > 0:
			c.open, c.whole = &c.whole[0], c.whole[1:]
		case len(c.later) > 0:
			c.stack, c.later = append(c.stack, c.later[0]), c.later[1:]
		default:
			return
		}
	}
}

// Answered tells what the source said of r, which must be what Next gave.
func (c *Comparison) Answered(r window.Range, a Answer) {
	if len(a.Rows) == 0 {
		a.Content = Content{}
	}
	s, same := c.close(r), false
	t := c.top()
	if s.len() == 1 {
		same = c.observe(s.from, a)
	} else {
		same = c.hear(s, &a)
	}
	if t != nil {
		t.heard(same)
	}
	c.advance()
}

// Failed tells that r, which must be what Next gave, is too much for one
// answer: too many rows or bytes, or too slow. It is split. A single window is
// not, and false is returned: Next gives it again, and how to answer for it is
// the caller's to see to.
func (c *Comparison) Failed(r window.Range) bool {
	if c.open != nil && c.open.len() == 1 && c.rangeOf(*c.open) == r {
		return false
	}
	s := c.close(r)
	t := c.top()
	c.hear(s, nil)
	if t != nil {
		t.heard(false)
	}
	c.advance()
	return true
}

// close ends the question for r, and counts it.
func (c *Comparison) close(r window.Range) span {
	if c.open == nil || c.rangeOf(*c.open) != r {
		panic(fmt.Sprintf("compare: %v is answered, which Next did not ask for", r))
	}
	s := *c.open
	c.open = nil
	c.stats.Asked++
	if t := c.top(); t != nil {
		t.from = s.to
		if t.day != nil {
			t.day.calls++
		}
	}
	return s
}

// observe notes a window's own answer, and reports whether it is as recorded.
func (c *Comparison) observe(at int, a Answer) bool {
	c.stats.Direct++
	c.ready = append(c.ready, Result{c.known[at].Window, a.Rows})
	c.fresh[at] = observed{a.Content, len(a.Rows) == 0}
	if !c.emptied(at) {
		c.proof[at] = glimpsed
	}
	return maps.Equal(a.Counts, c.known[at].Counts)
}

// Take gives the windows asked for by themselves since the last Take, sorted.
func (c *Comparison) Take() []Result {
	results := c.ready
	c.ready = nil
	slices.SortFunc(results, func(a, b Result) int { return int(a.Window.From - b.Window.From) })
	return results
}

// Stats counts what has been done so far.
func (c *Comparison) Stats() Stats {
	s := c.stats
	for _, at := range c.leftOut {
		if _, asked := c.fresh[at]; !asked {
			s.LeftOut++
		}
	}
	return s
}
