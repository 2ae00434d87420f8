// Package plan decides what to ask the source next. It is pure: what is
// wanted, what has been observed and the time go in, one window to ask for
// comes out. There is no cursor to lose or to repair; what is to do is what
// should be there less what is there.
package plan

import (
	"time"

	"wolkpipe/pipeline/window"
	"wolkpipe/schemas"
)

// Live is the coverage that an operation wants kept up: every window from
// Since to now.
type Live struct {
	Zone  window.Zone
	Grid  window.Grid   // of days that have none yet
	Delay time.Duration // how long after its end a window is first asked for
	Since window.Date
}

// Ask is one window to ask for.
type Ask struct {
	Day    window.Date
	Grid   window.Grid // the day's
	Window window.Window
	Cause  schemas.Cause // Live or CatchUp
}

// Next picks the window to ask for at now: the one that has just become due,
// if it is not observed yet, else the earliest that is missing. When nothing
// is due, ok is false and wake is when the next window will be.
func (l Live) Next(now time.Time, c *Coverage) (ask Ask, ok bool, wake time.Time) {
	today := l.Zone.Local(now).Date()
	if ask, ok := l.live(now, today, c); ok {
		return ask, true, time.Time{}
	}
	for day := max(l.Since, c.firstMissing); day <= today; day++ {
		if ask, ok := l.earliest(now, day, c); ok {
			return ask, true, time.Time{}
		}
		if day < today && day == max(l.Since, c.firstMissing) && c.day(l, day).missing == 0 {
			c.firstMissing = day + 1
		}
	}
	return Ask{}, false, l.wake(now, today, c)
}

// live finds the most recently ended window that became due at most one grid
// length ago. It lies on today's or, around midnight, on yesterday's grid.
func (l Live) live(now time.Time, today window.Date, c *Coverage) (Ask, bool) {
	var best Ask
	for day := max(l.Since, today-1); day <= today; day++ {
		d := c.day(l, day)
		if d.missing == 0 {
			continue
		}
		horizon := now.Add(-time.Duration(d.grid))
		for i, w := range d.windows {
			due := w.End.Add(l.Delay)
			if !d.observed[i] && !due.After(now) && due.After(horizon) && w.End.After(best.Window.End) {
				best = Ask{day, d.grid, w, schemas.Live}
			}
		}
	}
	return best, best.Cause != ""
}

// earliest finds the first window of a day, in wall-clock order, that is due
// and not observed.
func (l Live) earliest(now time.Time, day window.Date, c *Coverage) (Ask, bool) {
	d := c.day(l, day)
	if d.missing == 0 {
		return Ask{}, false
	}
	for i, w := range d.windows {
		if !d.observed[i] && !w.End.Add(l.Delay).After(now) {
			return Ask{day, d.grid, w, schemas.CatchUp}, true
		}
	}
	return Ask{}, false
}

// wake finds when the next window becomes due after now.
func (l Live) wake(now time.Time, today window.Date, c *Coverage) time.Time {
	next := now.Add(24 * time.Hour)
	for day := max(l.Since, today-1); day <= max(l.Since, today)+1; day++ {
		d := c.day(l, day)
		for i, w := range d.windows {
			if due := w.End.Add(l.Delay); !d.observed[i] && due.After(now) && due.Before(next) {
				next = due
			}
		}
	}
	return next
}

// Counts gives how many windows from Since on are due at now, and how many of
// them are not observed.
func (l Live) Counts(now time.Time, c *Coverage) (due, missing int) {
	for day := l.Since; day <= l.Zone.Local(now).Date(); day++ {
		d := c.day(l, day)
		if d.missing == 0 {
			due += d.total
			continue
		}
		for i, w := range d.windows {
			if w.End.Add(l.Delay).After(now) {
				continue
			}
			due++
			if !d.observed[i] {
				missing++
			}
		}
	}
	return due, missing
}
