package chat7sim

import (
	"time"

	"wolkpipe/pipeline/window"
)

// stretch is a time through which a clock runs evenly. The simulator finds
// them itself: were it to ask package window, an error there would be in
// the truth as well.
type stretch struct {
	from, to int64 // Unix seconds, half-open
	offset   int64 // seconds east of UTC
}

// stretchesOf are those that show a second of d, in the order of time.
func stretchesOf(loc *time.Location, d window.Date) []stretch {
	const beyond = 26 * 60 * 60 // no clock is further from UTC
	var all []stretch
	for at, stop := int64(d.Start())-beyond, int64(d.End())+beyond; at < stop; {
		t := time.Unix(at, 0).In(loc)
		_, offset := t.Zone()
		to := stop
		if _, change := t.ZoneBounds(); !change.IsZero() {
			to = min(to, change.Unix())
		}
		if at+int64(offset) < int64(d.End()) && to+int64(offset) > int64(d.Start()) {
			all = append(all, stretch{at, to, int64(offset)})
		}
		at = to
	}
	return all
}

// passes appends to buf the instants at which the clock shows l.
func passes(buf []int64, stretches []stretch, l window.Local) []int64 {
	for _, s := range stretches {
		if at := int64(l) - s.offset; at >= s.from && at < s.to {
			buf = append(buf, at)
		}
	}
	return buf
}

// local is what a clock in loc shows at t.
func local(loc *time.Location, t time.Time) window.Local {
	_, offset := t.In(loc).Zone()
	return window.Local(t.Unix() + int64(offset))
}

const minutesPerDay = 24 * 60

// shape says when in a working day interactions are closed: the cumulative
// weight of its minutes.
type shape [minutesPerDay]float64

// newShape gives people's hours a morning peak, a lunch and an afternoon, and
// the rest of the day one part in fifty of that, or nothing at all.
func newShape(from, to int, steady, closed bool) *shape {
	var s shape
	total := 0.0
	for m := range s {
		weight := 0.02
		switch {
		case steady, m >= from && m < from+30, m >= to-60 && m < to:
			weight = 0.7
		case m < from || m >= to:
			if closed {
				weight = 0
			}
		case m >= 12*60+30 && m < 14*60:
			weight = 0.45
		default:
			weight = 1
		}
		total += weight
		s[m] = total
	}
	return &s
}

// holiday says whether d is one of the fixed days on which Colombia, and much
// of Latin America, stays at home.
func holiday(d window.Date) bool {
	t := time.Unix(int64(d.Start()), 0).UTC()
	switch [2]int{int(t.Month()), t.Day()} {
	case [2]int{1, 1}, [2]int{5, 1}, [2]int{7, 20}, [2]int{8, 7}, [2]int{12, 8}, [2]int{12, 25}:
		return true
	}
	return false
}

// weekday of d.
func weekday(d window.Date) time.Weekday { return time.Unix(int64(d.Start()), 0).UTC().Weekday() }
