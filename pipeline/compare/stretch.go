package compare

// stretch is a span of several windows that does not agree, or of which that
// cannot be told. It is asked for in parts, from the front; from moves up as
// they are answered. What becomes of a part that does not agree either is for
// a stretch above it on the stack.
type stretch struct {
	start int
	span          // what is not asked yet
	whole *sum    // the answer for all of it; nil: none that can be compared
	empty bool    // that answer had no rows
	clean int     // parts in a row, up to from, that are as recorded
	day   *budget // of the day, where no more than one is left

	// Keys that are unsure in a window over the limit: not looked at.
	ignored map[Key]bool

	now  *sum // what is now known of all of it
	done *sum // and of what was asked, up to seen
	seen int
}

// budget bounds the calls for a day: what narrowing may cost where that turns
// out to be for nothing.
type budget struct{ most, calls int }

func newBudget(windows, calls int) *budget { return &budget{windows * 13 / 10, calls} }

func (c *Comparison) top() *stretch {
	if len(c.stack) == 0 {
		return nil
	}
	return c.stack[len(c.stack)-1]
}

// hear compares an answer for several windows, nil where there could be none,
// with their sum, and reports whether they agree.
func (c *Comparison) hear(s span, a *Answer) bool {
	t := c.newStretch(s, a)
	g := t.gap()
	if !g.unclear && g.size == 0 {
		c.agree(t)
		return true
	}
	if g.size > 0 {
		c.stats.Disagreed++
	}
	if t.empty && len(c.stack) == 0 && len(c.whole) > 0 {
		c.later = append(c.later, t)
		return false
	}
	c.stack = append(c.stack, t)
	return false
}

func (c *Comparison) newStretch(s span, a *Answer) *stretch {
	t := &stretch{start: s.from, span: s, seen: s.from, now: newSum(), done: newSum(), ignored: map[Key]bool{}}
	if a != nil && !a.Blind {
		t.whole, t.empty = newSum(), len(a.Rows) == 0
		t.whole.add(a.Content, mostInAnswer)
	}
	for i := s.from; i < s.to; i++ {
		t.now.add(c.known[i].Content, mostInWindow)
	}
	for k := range t.now.unsure {
		t.ignored[k] = true
	}
	if below := c.top(); below != nil {
		t.day = below.day
	}
	if t.day == nil && c.daysIn(s) == 1 {
		t.day = newBudget(s.len(), 1)
	}
	return t
}

// heard notes whether the latest part is as recorded.
func (t *stretch) heard(same bool) {
	if same {
		t.clean++
	} else {
		t.clean = 0
	}
}

// next is the part to ask for; none, when the stretch is done with.
func (t *stretch) next(c *Comparison) (span, bool) {
	t.absorb(c)
	g := t.gap()
	switch {
	case t.from == t.to || !g.unclear && g.size == 0:
		c.finish(t, g)
		return span{}, false
	case t.day != nil && c.pressed(t.day):
		return span{t.from, t.from + 1}, true
	}
	follows := !g.unclear && !g.less // the rest, from the whole and its parts
	if !follows && t.from > t.start {
		return t.span, true
	}
	units, days := t.len(), c.daysIn(t.span)
	if days > 1 {
		units = days
	} else if t.day == nil {
		t.day = newBudget(t.len(), 0)
	}
	n := max(1, units/2)
	if follows && 2*g.size >= int64(units) {
		n = min(n, 1<<min(20, max(0, t.clean-1))) // 20 is more than any day has windows
	}
	if days > 1 {
		return span{t.from, c.after(t.from, n)}, true
	}
	return span{t.from, t.from + n}, true
}

// absorb takes note of what has become known of the parts.
func (t *stretch) absorb(c *Comparison) {
	for ; t.seen < t.from; t.seen++ {
		if o, ok := c.fresh[t.seen]; ok {
			t.now.drop(c.known[t.seen].Content)
			t.now.add(o.Content, mostInWindow)
		}
		t.done.add(c.content(t.seen), mostInWindow)
	}
}

// pressed reports whether one more call that settles nothing would exceed b.
func (c *Comparison) pressed(b *budget) bool {
	left := 0
	for _, t := range c.stack {
		if t.day == b {
			left += t.len()
		}
	}
	return b.calls+1+left > b.most
}

// finish ends a stretch, and holds its answer to what is now known of it.
func (c *Comparison) finish(t *stretch, g gap) {
	c.stack = c.stack[:len(c.stack)-1]
	switch {
	case g.size > 0 && !t.empty:
		c.doubt(span{t.start, t.to})
	case g.size == 0 && !g.unclear:
		c.agree(t)
	}
}
