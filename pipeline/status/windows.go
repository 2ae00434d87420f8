package status

import (
	"fmt"
	"time"
)

// mostLines is how many windows are shown at once; a day of more is shown by
// the hour.
const mostLines = 300

// totals are a day's numbers.
type totals struct {
	Exist, Observed, Due, Missing, Empty, Corrected int
	Rows, Interactions, Rejected, Dropped           int64
}

func (c Content) totals() (t totals) {
	for _, w := range c.Windows {
		t.Exist++
		if w.Due {
			t.Due++
		}
		if !w.Observed {
			if w.Due {
				t.Missing++
			}
			continue
		}
		t.Observed++
		if w.Rows == 0 {
			t.Empty++
		}
		if w.Revision > 1 {
			t.Corrected++
		}
		t.Rows, t.Interactions = t.Rows+w.Rows, t.Interactions+w.Interactions
		t.Rejected, t.Dropped = t.Rejected+w.Rejected, t.Dropped+w.Dropped
	}
	return t
}

// day is c as a cell of a calendar.
func (c Content) day() Day {
	t := c.totals()
	return Day{
		Day: c.Day, Recorded: c.Recorded, Settled: c.Settled, Due: max(t.Due, t.Observed), Missing: t.Missing,
		Corrected: t.Corrected, Rejected: int(t.Rejected),
	}
}

// line is a row of a day's table: a window, or neighbours that are all
// missing or all not due yet.
type line struct {
	Window
	Count  int    // of windows
	Begins string // the hour, "07", whose first line it is
}

// State is what a window is, in words.
func (l line) State() string {
	switch {
	case l.Observed && l.Rows == 0 && l.Rejected == 0:
		return "empty"
	case l.Observed:
		return "observed"
	case l.Due && l.Count > 1:
		return fmt.Sprintf("%s windows missing", number(int64(l.Count)))
	case l.Due:
		return "missing"
	case l.Count > 1:
		return fmt.Sprintf("%s windows not due yet", number(int64(l.Count)))
	}
	return "not due yet"
}

// Look is the line's class.
func (l line) Look() string {
	switch {
	case !l.Observed && l.Due:
		return "missing"
	case !l.Observed:
		return "open"
	case l.Rows == 0 && l.Rejected == 0:
		return "empty"
	}
	return "there"
}

// lines folds neighbours of which there is nothing to tell apart.
func lines(windows []Window) (all []line) {
	before := ""
	for _, w := range windows {
		if n := len(all); n > 0 && !w.Observed && !all[n-1].Observed && w.Due == all[n-1].Due {
			all[n-1].To, all[n-1].Count = w.To, all[n-1].Count+1
			continue
		}
		l := line{Window: w, Count: 1}
		if hour := w.From[:min(2, len(w.From))]; hour != before {
			l.Begins, before = hour, hour
		}
		all = append(all, l)
	}
	return all
}

// hour is an hour of the wall clock, for the chart of a day.
type hour struct {
	Hour         string // "07"
	Interactions int64
	Exist        int
	Observed     int
	Missing      int
	Corrected    int
	Rejected     int64
	X, Y, Height int    // of its bar
	Line         string // the hour of the line that it is in; empty: it is not shown
}

// The chart of a day, in the units of its picture.
const (
	barWidth    = 10
	chartHeight = 48
)

func (c Content) hours() (all []hour) {
	var highest int64
	for i := range 24 {
		all = append(all, hour{Hour: fmt.Sprintf("%02d", i), X: i * barWidth})
	}
	for _, w := range c.Windows {
		at, err := time.Parse(time.TimeOnly, w.From)
		if err != nil {
			continue
		}
		h := &all[at.Hour()]
		h.Exist++
		h.Interactions += w.Interactions
		h.Rejected += w.Rejected
		highest = max(highest, h.Interactions)
		if w.Observed {
			h.Observed++
		} else if w.Due {
			h.Missing++
		}
		if w.Revision > 1 {
			h.Corrected++
		}
	}
	for i := range all {
		h := &all[i]
		if highest > 0 {
			h.Height = int((h.Interactions*(chartHeight-2) + highest - 1) / highest)
		}
		if h.Missing > 0 {
			h.Height = max(h.Height, 6)
		}
		h.Y = chartHeight - h.Height
	}
	return all
}

// lead notes in which of the lines each hour is.
func lead(hours []hour, lines []line) {
	begins := map[string]bool{}
	for _, l := range lines {
		begins[l.Begins] = true
	}
	line := ""
	for i := range hours {
		if begins[hours[i].Hour] {
			line = hours[i].Hour
		}
		if hours[i].Exist > 0 {
			hours[i].Line = line
		}
	}
}

// Label tells an hour in a line.
func (h hour) Label() string {
	text := h.Hour + ":00: " + number(h.Interactions) + " interactions"
	if h.Missing > 0 {
		text += ", " + plural(h.Missing, "window") + " missing"
	}
	if h.Corrected > 0 {
		text += ", " + plural(h.Corrected, "window") + " corrected"
	}
	return text
}

// inHour gives the windows that begin in an hour, "07".
func (c Content) inHour(hour string) (some []Window) {
	for _, w := range c.Windows {
		if len(w.From) > 2 && w.From[:2] == hour {
			some = append(some, w)
		}
	}
	return some
}
