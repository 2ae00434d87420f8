// Package plan decides what to ask the source next. It is pure: what is
// wanted, what has been observed and the time go in, the windows to establish
// come out. There is no cursor to lose or to repair; what is to do is what
// should be there less what is there.
//
// Live windows come first, then catching up, then looking again at days that
// were complete (see [Live.Stale]), then backfills in their order of asking.
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
	Ages  []time.Duration // of a day, at which it is compared with the source again; rising
}

// Reserve is how many calls live polling is to have within d: one for each
// window that ends, and one in twenty for those that fail and for asking about
// the quota itself.
func (l Live) Reserve(d time.Duration) int64 {
	n := int64(d/time.Duration(l.Grid)) + 1
	return n + n/20
}

// Backfill is days to fill, both included. They may reach into what is kept
// covered anyway.
type Backfill struct {
	From, To window.Date
	Grid     window.Grid // of days before Since that have none yet
}

// grid is that of a day on which nothing is recorded.
func (l Live) grid(b Backfill, date window.Date) window.Grid {
	if date < l.Since && b.Grid > 0 {
		return b.Grid
	}
	return l.Grid
}

// Job is windows to establish: due, not observed, sorted, of one calendar
// month at most.
type Job struct {
	Cause   schemas.Cause
	Windows []window.Window
}

// Live picks the window that became due at most one grid length before now,
// if it is not observed yet.
func (l Live) Live(now time.Time, c *Coverage) (window.Window, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return l.live(now, l.Zone.Local(now).Date(), c)
}

// CatchUp gives what is missing of the earliest month that misses anything
// since Since, but for the windows that are put off.
func (l Live) CatchUp(now time.Time, c *Coverage, putOff func(window.Local) bool) (Job, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	today := l.Zone.Local(now).Date()
	for day := max(l.Since, c.firstMissing); day < today && c.day(l.Zone, day, l.Grid).missing == 0; day++ {
		c.firstMissing = day + 1
	}
	windows := l.missing(now, Backfill{From: max(l.Since, c.firstMissing), To: today}, c, putOff)
	return Job{Cause: schemas.CatchUp, Windows: windows}, len(windows) > 0
}

// Fill gives what is missing of the earliest month of b that misses anything,
// but for the windows that are put off.
func (l Live) Fill(now time.Time, c *Coverage, b Backfill, putOff func(window.Local) bool) (Job, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b.To = min(b.To, l.Zone.Local(now).Date())
	windows := l.missing(now, b, c, putOff)
	return Job{Cause: schemas.Backfill, Windows: windows}, len(windows) > 0
}

// jobWindows bounds a job: what it takes in memory.
const jobWindows = 20_000

// missing are the windows of b's days that are due, not observed and not put
// off, as far as they lie in the month of the first of them.
func (l Live) missing(now time.Time, b Backfill, c *Coverage, putOff func(window.Local) bool) (windows []window.Window) {
	for day, last := b.From, b.To; day <= last && len(windows) < jobWindows; day++ {
		d := c.day(l.Zone, day, l.grid(b, day))
		for i, w := range d.windows {
			if !d.observed[i] && !w.End.Add(l.Delay).After(now) && !putOff(w.From) {
				windows = append(windows, w)
			}
		}
		if len(windows) > 0 {
			_, next := windows[0].From.Date().Month()
			last = min(last, next-1)
		}
	}
	return windows
}

// Wake is when the next window becomes due after now.
func (l Live) Wake(now time.Time, c *Coverage) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return l.wake(now, l.Zone.Local(now).Date(), c)
}

// oldest is the earliest day whose windows may just become due.
func (l Live) oldest(now time.Time) window.Date { return l.Zone.Local(now.Add(-l.Delay)).Date() - 1 }

// live finds the most recently ended window that became due at most one grid
// length ago. It lies on today's or, around midnight, on yesterday's grid.
func (l Live) live(now time.Time, today window.Date, c *Coverage) (best window.Window, ok bool) {
	for day := max(l.Since, l.oldest(now)); day <= today; day++ {
		d := c.day(l.Zone, day, l.Grid)
		if d.missing == 0 {
			continue
		}
		horizon := now.Add(-time.Duration(d.grid))
		for i, w := range d.windows {
			due := w.End.Add(l.Delay)
			if !d.observed[i] && !due.After(now) && due.After(horizon) && w.End.After(best.End) {
				best, ok = w, true
			}
		}
	}
	return best, ok
}

// wake finds when the next window becomes due after now.
func (l Live) wake(now time.Time, today window.Date, c *Coverage) time.Time {
	next := now.Add(24 * time.Hour)
	for day := max(l.Since, l.oldest(now)); day <= max(l.Since, today)+1; day++ {
		d := c.day(l.Zone, day, l.Grid)
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
	return l.Progress(now, c, Backfill{From: l.Since, To: l.Zone.Local(now).Date()})
}

// Progress gives how many windows of b's days are due at now, and how many of
// them are not observed.
func (l Live) Progress(now time.Time, c *Coverage, b Backfill) (due, missing int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	today := l.Zone.Local(now).Date()
	for day := b.From; day <= min(b.To, today); day++ {
		d := c.days[day]
		if (d == nil || !d.recorded) && day < today-1 && l.Delay < 24*time.Hour { // over, and nothing known of it
			n := c.expected(l.Zone, day, l.grid(b, day))
			due, missing = due+n, missing+n
			continue
		}
		if d = c.day(l.Zone, day, l.grid(b, day)); d.missing == 0 {
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
