// Package window owns wall-clock time: days, the grid of windows that tiles a
// day, and which of them exist in a time zone.
//
// The source is asked in wall-clock times of the operation's server, without
// an offset, so a window is identified by its wall-clock start and nothing
// else. What the clock does to a day is told by [Zone]:
//
//   - an hour that the clock skips has no windows (a window that keeps a few
//     seconds exists);
//   - an hour that it repeats has one set of windows, over when the second
//     pass is over;
//   - a day is the 24 hours on the face of the clock, whatever time they
//     take, and may lack its own midnight.
//
// The package has no clock, does no I/O and imports the standard library
// alone. The zone database is embedded.
package window

import (
	"fmt"
	"time"
	_ "time/tzdata" // the zones of a machine without a database
)

// Local is a reading of a wall clock, in seconds since 1970-01-01T00:00:00
// on that clock. It has no zone, and takes any value, skipped ones included.
type Local int64

// Layout is the text form of a Local, as in events and the lake.
const Layout = "2006-01-02T15:04:05"

// String formats l as [Layout].
func (l Local) String() string { return l.clock().Format(Layout) }

const compactLayout = "20060102150405"

// Compact formats l as the source wants it: YYYYmmddHHiiss.
func (l Local) Compact() string { return l.clock().Format(compactLayout) }

// Date is the day on which l falls.
func (l Local) Date() Date {
	d := int64(l) / daySeconds
	if int64(l)%daySeconds < 0 {
		d--
	}
	return Date(d)
}

// clock returns l as a time.Time whose UTC reading is the wall clock's.
func (l Local) clock() time.Time { return time.Unix(int64(l), 0).UTC() }

// ParseLocal reads the form of [Layout].
func ParseLocal(s string) (Local, error) {
	t, err := time.Parse(Layout, s)
	if err != nil || len(s) != len(Layout) { // package time takes a short hour, and fractions
		return 0, fmt.Errorf("wall-clock time %q is not of the form 2006-01-02T15:04:05", s)
	}
	return Local(t.Unix()), nil
}

// ParseCompact reads YYYYmmddHHiiss, the source's own form.
func ParseCompact(s string) (Local, error) {
	t, err := time.Parse(compactLayout, s)
	if err != nil || len(s) != len(compactLayout) {
		return 0, fmt.Errorf("wall-clock time %q is not of the form YYYYmmddHHiiss", s)
	}
	return Local(t.Unix()), nil
}

const daySeconds = 24 * 60 * 60

// Date is a day of the calendar, in days since 1970-01-01.
type Date int32

// DateOf is the date with that year, month and day; out-of-range values carry
// over as in time.Date.
func DateOf(year int, month time.Month, day int) Date {
	return Local(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix()).Date()
}

// ParseDate reads 2006-01-02.
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return 0, fmt.Errorf("date %q is not a day of the form 2006-01-02", s)
	}
	return Local(t.Unix()).Date(), nil
}

// ParseCompactDate reads 20060102, the form in subjects.
func ParseCompactDate(s string) (Date, error) {
	t, err := time.Parse("20060102", s)
	if err != nil {
		return 0, fmt.Errorf("date %q is not a day of the form 20060102", s)
	}
	return Local(t.Unix()).Date(), nil
}

// Start is the wall clock's midnight at which d begins; no zone need show it.
func (d Date) Start() Local { return Local(int64(d) * daySeconds) }

// End is the midnight at which d ends: the start of the next day.
func (d Date) End() Local { return (d + 1).Start() }

// String formats d as 2006-01-02.
func (d Date) String() string { return d.Start().clock().Format(time.DateOnly) }

// Compact formats d as 20060102, the form in subjects.
func (d Date) Compact() string { return d.Start().clock().Format("20060102") }

// Month is the first day of d's calendar month and the first of the next.
func (d Date) Month() (first, next Date) {
	t := d.Start().clock()
	return DateOf(t.Year(), t.Month(), 1), DateOf(t.Year(), t.Month()+1, 1)
}

// Range is a half-open interval of wall-clock time: From is in it, To is not.
type Range struct{ From, To Local }

// Empty reports whether no second lies in r.
func (r Range) Empty() bool { return r.To <= r.From }

// Seconds is the number of wall-clock seconds in r.
func (r Range) Seconds() int64 { return int64(r.To - r.From) }

// String formats r as "2026-11-01T00:00:00/2026-11-01T00:05:00".
func (r Range) String() string { return r.From.String() + "/" + r.To.String() }

// Grid is the length of a day's windows. Use [NewGrid].
type Grid time.Duration

// NewGrid checks that d is a whole number of seconds, from 1s to 24h, that
// divides a day.
func NewGrid(d time.Duration) (Grid, error) {
	switch {
	case d < time.Second || d > 24*time.Hour:
		return 0, fmt.Errorf("window %v is not between 1s and 24h", d)
	case d%time.Second != 0:
		return 0, fmt.Errorf("window %v is not a whole number of seconds", d)
	case (24*time.Hour)%d != 0:
		return 0, fmt.Errorf("window %v does not divide a day of 24h", d)
	}
	return Grid(d), nil
}

// Seconds is the length of a window.
func (g Grid) Seconds() int64 { return int64(time.Duration(g) / time.Second) }

// String formats g as a duration: "5m0s".
func (g Grid) String() string { return time.Duration(g).String() }

// PerDay is the number of windows on the face of the clock in a day, those
// that a zone skips included.
func (g Grid) PerDay() int { return int(daySeconds / g.Seconds()) }

// At is the window of the grid in which l falls.
func (g Grid) At(l Local) Range {
	start := l.Date().Start()
	from := start + (l-start)/Local(g.Seconds())*Local(g.Seconds())
	return Range{from, from + Local(g.Seconds())}
}

// Window is one window of a day that exists in its zone.
type Window struct {
	Range           // the wall-clock interval; From identifies the window
	Start time.Time // the first instant that shows its first second
	End   time.Time // the instant at which its last second is over for the last time
}
