package compare

import (
	"time"

	"wolkpipe/pipeline/window"
)

// proof is what speaks for what is known of a window.
type proof byte

const (
	none     proof = iota
	glimpsed       // its own answer, or an empty one over it
	summed         // an answer with rows over it and others
)

// agree notes that t's answer equals what is known of its windows. It tells
// nothing where keys had to be ignored, nor where one of the windows went
// empty: if that is false, the rows it hides may stand for others that are
// gone.
func (c *Comparison) agree(t *stretch) {
	if len(t.ignored) > 0 {
		return
	}
	by := summed
	if t.empty {
		by = glimpsed
	}
	for i := t.start; i < t.to; i++ {
		if c.emptied(i) {
			return
		}
	}
	for i := t.start; i < t.to; i++ {
		c.proof[i] = by
	}
}

// doubt notes that an answer for s does not equal what is known of it.
func (c *Comparison) doubt(s span) {
	for i := s.from; i < s.to; i++ {
		if c.proof[i] == glimpsed {
			c.proof[i] = none
		}
	}
}

// day is a day of the calendar with windows.
type day struct {
	date window.Date
	span
	complete bool // no time on it is without a window
}

// Confirmed are the days that have nothing outstanding: what is recorded of
// them, with the Results in place, is what the source holds. Only days count
// all of whose time was given in windows. Those that are being compared are
// not among them; all is told when Next has nothing left.
func (c *Comparison) Confirmed() []window.Date {
	var dates []window.Date
	for _, d := range c.days {
		ok := d.complete
		for i := d.from; ok && i < d.to; i++ {
			ok = c.proof[i] != none && !c.underWay(i)
		}
		if ok {
			dates = append(dates, d.date)
		}
	}
	return dates
}

// underWay reports whether a window's proof may still be taken back.
func (c *Comparison) underWay(at int) bool {
	return len(c.stack) > 0 && c.stack[0].start <= at && at < c.stack[0].to
}

func (c *Comparison) findDays() {
	c.dayOf = make([]int, len(c.known))
	for i, k := range c.known {
		last := len(c.days) - 1
		if last < 0 || c.days[last].date != k.From.Date() {
			c.days = append(c.days, day{k.From.Date(), span{i, i}, begins(k.Window)})
			last++
		}
		d := &c.days[last]
		d.complete = d.complete && (d.from == i || contiguous(c.known[i-1].Window, k.Window))
		d.to = i + 1
		c.dayOf[i] = last
	}
	for i := range c.days {
		d := &c.days[i]
		d.complete = d.complete && ends(c.known[d.to-1].Window)
	}
}

// daysIn counts the days of s, begun ones included.
func (c *Comparison) daysIn(s span) int { return c.dayOf[s.to-1] - c.dayOf[s.from] + 1 }

// after is the end of the n-th day from a window on.
func (c *Comparison) after(at, n int) int { return c.days[c.dayOf[at]+n-1].to }

// contiguous reports whether b begins when a ends, by the face of the clock
// or, where that skips some time, by the clock's running.
func contiguous(a, b window.Window) bool {
	return a.To == b.From || !a.End.IsZero() && a.End.Equal(b.Start)
}

// begins reports whether w is the first window of its day: the clock need not
// show midnight.
func begins(w window.Window) bool {
	midnight := w.From.Date().Start()
	return w.From == midnight || holds(w, w.Start) && reading(w.Start.Add(-time.Second)) < midnight
}

// ends reports whether w is the last window of its day.
func ends(w window.Window) bool {
	midnight := (w.To - 1).Date().End()
	return w.To == midnight || holds(w, w.End.Add(-time.Second)) && reading(w.End) >= midnight
}

// holds reports whether the clock shows a time in w at t; not, if t has lost
// the zone that w was made in.
func holds(w window.Window, t time.Time) bool {
	l := reading(t)
	return w.From <= l && l < w.To
}

// reading is what the clock of t's own zone shows.
func reading(t time.Time) window.Local {
	_, offset := t.Zone()
	return window.Local(t.Unix() + int64(offset))
}
