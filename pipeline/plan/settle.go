package plan

import (
	"time"

	"wolkpipe/pipeline/window"
)

// Past counts change, and answers can be empty for a while. So a complete day
// is compared with the source again when it reaches each of Ages, counted from
// the end of its last window: once for all the ages that have passed meanwhile.

// Stale gives the earliest days that are complete and due for a comparison:
// neighbours, of one calendar month, so that they can be compared in one call.
// Days of which skip, told a day and how long it has been over, is true are
// left out. It is called with c locked.
func (l Live) Stale(now time.Time, c *Coverage, skip func(window.Date, time.Duration) bool) (days []window.Date) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var first window.Date
	found := false
	for date, d := range c.days {
		if (!found || date < first) && l.stale(now, d) && !skip(date, now.Sub(d.end)) {
			first, found = date, true
		}
	}
	if !found {
		return nil
	}
	_, next := first.Month()
	for date := first; date < next; date++ {
		if d := c.days[date]; d == nil || !l.stale(now, d) || skip(date, now.Sub(d.end)) {
			break
		}
		days = append(days, date)
	}
	return days
}

func (l Live) stale(now time.Time, d *day) bool {
	if d.missing > 0 || d.total == 0 {
		return false
	}
	passed, _ := l.ages(now, d.end)
	return !passed.IsZero() && d.compared.Before(passed)
}

// ages gives when the day that ended at end reached the last of Ages that has
// passed, and when it reaches the next; zero: none.
func (l Live) ages(now, end time.Time) (passed, next time.Time) {
	for _, age := range l.Ages {
		at := end.Add(age)
		if at.After(now) {
			return passed, at
		}
		passed = at
	}
	return passed, time.Time{}
}

// Final tells whether a comparison at a time is the last that a day gets: it
// settles it.
func (l Live) Final(c *Coverage, date window.Date, at time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := c.days[date]
	if d == nil || len(l.Ages) == 0 {
		return false
	}
	return !at.Before(d.end.Add(l.Ages[len(l.Ages)-1]))
}

// NextStale is when the next day becomes due for a comparison after now; zero:
// none does.
func (l Live) NextStale(now time.Time, c *Coverage) (first time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.days {
		if d.missing > 0 || d.total == 0 {
			continue
		}
		if _, next := l.ages(now, d.end); !next.IsZero() && (first.IsZero() || next.Before(first)) {
			first = next
		}
	}
	return first
}

// Uncompared counts the days from one to another that are due for a comparison
// at now; those of which skip is true are left out, as in Stale.
func (l Live) Uncompared(now time.Time, c *Coverage, from, to window.Date, skip func(window.Date, time.Duration) bool) (days int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for date, d := range c.days {
		if date >= from && date <= to && l.stale(now, d) && !skip(date, now.Sub(d.end)) {
			days++
		}
	}
	return days
}

// Compared notes that a day agreed with the source at a time.
func (c *Coverage) Compared(date window.Date, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d := c.days[date]; d != nil {
		d.compared = at
	}
}
