package plan

import (
	"slices"
	"sync"

	"wolkpipe/pipeline/window"
)

// Coverage is which windows of an operation have been observed. The zero
// value knows of none. It may be used by several goroutines.
type Coverage struct {
	mu           sync.Mutex
	totals       map[window.Date]int // of days that are not in days: windows that exist
	grid         window.Grid         // of totals
	days         map[window.Date]*day
	firstMissing window.Date // every day before it, back to since, is complete
}

// day is one day's grid and what of it is observed. A complete day keeps no
// windows, so that years of them take little memory.
type day struct {
	grid     window.Grid
	windows  []window.Window
	observed []bool
	missing  int
	total    int // windows that exist
}

// day gives the record of a day, on the grid that it has or, for a new one,
// on l's.
func (c *Coverage) day(l Live, date window.Date) *day {
	if d := c.days[date]; d != nil {
		return d
	}
	return c.start(l.Zone, date, l.Grid)
}

func (c *Coverage) start(zone window.Zone, date window.Date, grid window.Grid) *day {
	windows := zone.Windows(date, grid)
	d := &day{grid: grid, windows: windows, observed: make([]bool, len(windows)), missing: len(windows), total: len(windows)}
	if c.days == nil {
		c.days = map[window.Date]*day{}
	}
	c.days[date] = d
	return d
}

// expected is how many windows of a day exist, kept since it is asked for often.
func (c *Coverage) expected(zone window.Zone, date window.Date, grid window.Grid) int {
	if c.totals == nil || c.grid != grid {
		c.totals, c.grid = map[window.Date]int{}, grid
	}
	n, known := c.totals[date]
	if !known {
		n = len(zone.Windows(date, grid))
		c.totals[date] = n
	}
	return n
}

// Load replaces what is known of a day: its grid, and the windows that have
// been observed, by their wall-clock starts.
func (c *Coverage) Load(zone window.Zone, date window.Date, grid window.Grid, observed []window.Local) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.start(zone, date, grid)
	for _, local := range observed {
		c.mark(date, local)
	}
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

// Mark notes that a window of a day known to c has been observed.
func (c *Coverage) Mark(date window.Date, local window.Local) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mark(date, local)
}

func (c *Coverage) mark(date window.Date, local window.Local) {
	d := c.days[date]
	if d == nil || d.missing == 0 {
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
