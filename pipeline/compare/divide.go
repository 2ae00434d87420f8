package compare

// role is how a window is asked for to begin with.
type role byte

const (
	inSum role = iota // with others, as a sum
	alone             // by itself
	over              // not, or in a sum without its unsure keys
)

// divide finds what is asked for in any case.
func (c *Comparison) divide(o Options) {
	roles := c.roles(o)
	together := func(i int) bool { return roles[i] == inSum || o.Additive && roles[i] == over && !c.known[i].Blind }
	crowded := map[int]bool{} // days over the limit
	for _, i := range c.leftOut {
		crowded[c.dayOf[i]] = true
	}
	joined := func(i, j int) bool {
		a, b := c.dayOf[i], c.dayOf[j]
		return together(i) && together(j) && contiguous(c.known[i].Window, c.known[j].Window) &&
			(o.Cut == nil || !o.Cut(c.known[j].Window)) &&
			(a == b || c.sameMonth(a, b) && !crowded[a] && !crowded[b])
	}
	for s := (span{0, 0}); s.to < len(c.known); s.from = s.to {
		s.to++
		for s.to < len(c.known) && joined(s.to-1, s.to) {
			s.to++
		}
		if s.len() > 1 || roles[s.from] != over {
			c.whole = append(c.whole, s)
		}
	}
}

func (c *Comparison) roles(o Options) []role {
	roles := make([]role, len(c.known))
	direct := 0
	for i := range c.known {
		switch {
		case o.Additive && c.summable(i):
		case o.DirectLimit > 0 && direct == o.DirectLimit:
			roles[i] = over
			c.leftOut = append(c.leftOut, i)
		default:
			roles[i] = alone
			direct++
		}
	}
	return roles
}

func (c *Comparison) sameMonth(a, b int) bool {
	first, _ := c.days[a].date.Month()
	other, _ := c.days[b].date.Month()
	return first == other
}
