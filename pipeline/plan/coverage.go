package plan

import (
	"slices"
	"sync"
	"time"

	"wolkpipe/pipeline/window"
)

// Coverage is which windows of an operation have been observed. The zero
// value knows of none. It may be used by several goroutines.
type Coverage struct {
	mu           sync.Mutex
	totals       map[unknown]int // windows that exist
	days         map[window.Date]*day
	firstMissing window.Date // every day before it, back to since, is complete
}

// unknown is a day that is not in days, on the grid that it would have.
type unknown struct {
	date window.Date
	grid window.Grid
}

// day is one day's grid and what of it is observed. A complete day keeps no
// windows, so that years of them take little memory.
type day struct {
	grid     window.Grid
	windows  []window.Window
	observed []bool
	missing  int
	total    int       // windows that exist
	end      time.Time // of the last of them
	recorded bool      // something of it is observed: it keeps its grid
	compared time.Time // when it last agreed with the source; zero: not since it changed
}

// day gives the record of a day, on the grid that it has or, while nothing is
// recorded of it, on the given one.
func (c *Coverage) day(zone window.Zone, date window.Date, grid window.Grid) *day {
	if d := c.days[date]; d != nil && (d.recorded || d.grid == grid) {
		return d
	}
	return c.start(zone, date, grid)
}

func (c *Coverage) start(zone window.Zone, date window.Date, grid window.Grid) *day {
	windows := zone.Windows(date, grid)
	d := &day{grid: grid, windows: windows, observed: make([]bool, len(windows)), missing: len(windows), total: len(windows)}
	for _, w := range windows {
		if w.End.After(d.end) { // in an hour that the clock repeats, ends do not rise
			d.end = w.End
		}
	}
	if c.days == nil {
		c.days = map[window.Date]*day{}
	}
	c.days[date] = d
	return d
}

// expected is how many windows of a day exist, kept since it is asked for often.
func (c *Coverage) expected(zone window.Zone, date window.Date, grid window.Grid) int {
	if c.totals == nil {
		c.totals = map[unknown]int{}
	}
	n, known := c.totals[unknown{date, grid}]
	if !known {
		n = len(zone.Windows(date, grid))
		c.totals[unknown{date, grid}] = n
	}
	return n
}

// Load replaces what is known of a day: its grid, the windows that have been
// observed, by their wall-clock starts, and when it was found to agree with
// the source, all of that included; zero: never.
func (c *Coverage) Load(zone window.Zone, date window.Date, grid window.Grid, observed []window.Local, compared time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := c.start(zone, date, grid)
	d.recorded = true
	for _, local := range observed {
		c.mark(date, local)
	}
	d.compared = compared
	c.firstMissing = min(c.firstMissing, date)
}

// Observed reports whether the window that starts at local, of a day known to
// c, has been observed.
func (c *Coverage) Observed(local window.Local) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := c.days[local.Date()]
	if d == nil || d.missing == 0 {
		return d != nil
	}
	i, found := d.find(local)
	return found && d.observed[i]
}

func (d *day) find(local window.Local) (int, bool) {
	return slices.BinarySearchFunc(d.windows, local, func(w window.Window, l window.Local) int { return int(w.From - l) })
}

// Complete counts the days from one to another, both included, of which every
// window has been observed.
func (c *Coverage) Complete(from, to window.Date) (days int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for date, d := range c.days {
		if date >= from && date <= to && d.missing == 0 && d.total > 0 {
			days++
		}
	}
	return days
}

// Mark notes that a window of a day known to c has been observed, for the
// first time or with another content than before.
func (c *Coverage) Mark(date window.Date, local window.Local) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mark(date, local)
}

func (c *Coverage) mark(date window.Date, local window.Local) {
	d := c.days[date]
	if d == nil {
		return
	}
	d.recorded, d.compared = true, time.Time{}
	if d.missing == 0 {
		return
	}
	i, found := d.find(local)
	if !found || d.observed[i] {
		return
	}
	d.observed[i] = true
	if d.missing--; d.missing == 0 {
		d.windows, d.observed = nil, nil
	}
}

// Forget drops what is known of a day that could not be recorded.
func (c *Coverage) Forget(date window.Date) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.days, date)
	c.firstMissing = min(c.firstMissing, date)
}
