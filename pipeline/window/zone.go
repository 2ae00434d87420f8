package window

import (
	"fmt"
	"time"
)

// Zone is what a clock on the wall of a place shows.
type Zone struct{ loc *time.Location }

// LoadZone finds an IANA zone by name.
func LoadZone(name string) (Zone, error) {
	if name == "" || name == "Local" {
		return Zone{}, fmt.Errorf("time zone %q is not an IANA name such as America/Bogota", name)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return Zone{}, fmt.Errorf("time zone %q is not known: use an IANA name such as America/Bogota", name)
	}
	return Zone{loc}, nil
}

// String is the zone's IANA name.
func (z Zone) String() string { return z.loc.String() }

// Location is z for package time.
func (z Zone) Location() *time.Location { return z.loc }

// Local is what the wall clock shows at t.
func (z Zone) Local(t time.Time) Local {
	_, offset := t.In(z.loc).Zone()
	return Local(t.Unix() + int64(offset))
}

// run is a stretch of time with one offset: the wall clock runs evenly
// through it. Bounds are Unix seconds.
type run struct {
	from, to int64
	offset   int64
}

// runs are the stretches of one offset that between them show every second
// of r that the clock shows at all, in the order of time.
func (z Zone) runs(r Range) []run {
	// No zone is further than 26 hours from UTC: Go refuses none of the
	// database's, whose extremes are -15:56 and +15:13.
	const reach = 26 * 60 * 60
	at, stop := int64(r.From)-reach, int64(r.To)+reach
	var all []run
	for at < stop {
		t := time.Unix(at, 0).In(z.loc)
		_, offset := t.Zone()
		_, next := t.ZoneBounds()
		to := stop
		if !next.IsZero() && next.Unix() < stop {
			to = next.Unix()
		}
		if at+int64(offset) < int64(r.To) && to+int64(offset) > int64(r.From) {
			all = append(all, run{at, to, int64(offset)})
		}
		at = to
	}
	return all
}

// span finds the first instant that shows the first existing second of r, and
// the instant at which the last existing second is over for the last time.
func span(runs []run, r Range) (start, end int64, ok bool) {
	var first, last Local // the first and last existing seconds, on the clock
	for _, run := range runs {
		from := max(r.From, Local(run.from+run.offset))
		to := min(r.To, Local(run.to+run.offset)) - 1
		if from > to {
			continue
		}
		if !ok || from < first {
			first, start = from, int64(from)-run.offset
		}
		if !ok || to >= last {
			last, end = to, int64(to)+1-run.offset
		}
		ok = true
	}
	return start, end, ok
}

// Window is the window of r's bounds; it does not exist, and ok is false,
// when the clock skips all of it.
func (z Zone) Window(r Range) (w Window, ok bool) {
	start, end, ok := span(z.runs(r), r)
	if !ok {
		return Window{}, false
	}
	return Window{r, time.Unix(start, 0).In(z.loc), time.Unix(end, 0).In(z.loc)}, true
}

// Windows are the windows of grid g on day d that exist in z, in the order of
// the wall clock. Their number is 24h/g less what the clock skips whole; in an
// hour that it repeats their instants overlap, their wall-clock intervals
// never do.
func (z Zone) Windows(d Date, g Grid) []Window {
	runs := z.runs(Range{d.Start(), d.End()})
	windows := make([]Window, 0, g.PerDay())
	for from := d.Start(); from < d.End(); from += Local(g.Seconds()) {
		r := Range{from, from + Local(g.Seconds())}
		if start, end, ok := span(runs, r); ok {
			windows = append(windows, Window{r, time.Unix(start, 0).In(z.loc), time.Unix(end, 0).In(z.loc)})
		}
	}
	return windows
}
