package status

import (
	"fmt"
	"html/template"
	"strings"
	"time"
)

// A day's look: each is another shape, so that colour is not needed.
const (
	isNothing     = "n" // nothing wanted or recorded, or still to come
	isMissing     = "m" // none of its windows is there
	isPartial     = "h" // some are missing
	isFilling     = "f" // all or some are missing, and a backfill is at them
	isProvisional = "p"
	isSettled     = "s"
)

// Look is the day's class in the style sheet.
func (d Day) Look() string {
	switch {
	case d.Due == 0 && !d.Recorded:
		return isNothing
	case d.Missing > 0 && d.Filling:
		return isFilling
	case d.Missing > 0 && d.Missing >= d.Due:
		return isMissing
	case d.Missing > 0:
		return isPartial
	case d.Settled:
		return isSettled
	}
	return isProvisional
}

// State is the day's look as a word.
func (d Day) State() string { return dayWords[d.Look()] }

var dayWords = map[string]string{
	isNothing: "not due yet", isMissing: "missing", isPartial: "partly missing", isFilling: "being filled", isProvisional: "provisional", isSettled: "settled",
}

// Marks are the classes of what else is to be seen of a day.
func (d Day) Marks() (classes string) {
	if d.Corrected > 0 {
		classes += " c"
	}
	if d.Rejected > 0 {
		classes += " r"
	}
	return classes
}

// Label tells the day in a line.
func (d Day) Label() string {
	said := []string{d.Day + ": " + d.State()}
	if d.Look() == isPartial || d.Look() == isFilling {
		said = append(said, fmt.Sprintf("%s of %s windows missing", number(int64(d.Missing)), number(int64(d.Due))))
	}
	if d.Corrected > 0 {
		said = append(said, plural(d.Corrected, "window")+" corrected")
	}
	if d.Rejected > 0 {
		said = append(said, plural(d.Rejected, "row")+" in quarantine")
	}
	return strings.Join(said, ", ")
}

// Number is the day of the month.
func (d Day) Number() string { return strings.TrimPrefix(d.Day[len(d.Day)-2:], "0") }

// Weekday is short: "Mon".
func (d Day) Weekday() string {
	t, _ := time.Parse(time.DateOnly, d.Day)
	return t.Format("Mon")
}

// strip is an operation's latest days in a row, without a gap.
type strip struct {
	Days  []Day
	Label string
}

// Bars are the days as markup. With hundreds of operations they are most of the
// page, so they are not the template's; they are made of constants.
func (s strip) Bars() template.HTML {
	var b strings.Builder
	for _, d := range s.Days {
		b.WriteString(`<i class="` + d.Look() + d.Marks() + `"></i>`)
	}
	return template.HTML(b.String())
}

// latest gives the n days that end today.
func (o Operation) latest(n int) strip {
	known := o.byDay()
	today := o.today()
	s := strip{}
	count := map[string]int{}
	for i := n - 1; i >= 0; i-- {
		day := today.AddDate(0, 0, -i).Format(time.DateOnly)
		d, ok := known[day]
		if !ok {
			d = Day{Day: day}
		} else {
			count[d.Look()]++
		}
		s.Days = append(s.Days, d)
	}
	var said []string
	for _, look := range []string{isMissing, isPartial, isFilling, isProvisional, isSettled} {
		if count[look] > 0 {
			said = append(said, fmt.Sprintf("%d %s", count[look], dayWords[look]))
		}
	}
	if len(said) == 0 {
		said = []string{"nothing yet"}
	}
	s.Label = fmt.Sprintf("%s, last %d days: %s", o.Name, n, strings.Join(said, ", "))
	return s
}

func (o Operation) byDay() map[string]Day {
	known := make(map[string]Day, len(o.Days))
	for _, d := range o.Days {
		known[d.Day] = d
	}
	return known
}

// today is the operation's present day, as midnight UTC.
func (o Operation) today() time.Time {
	year, month, day := o.Now.In(o.zone()).Date()
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

func (o Operation) zone() *time.Location {
	if o.Zone == nil {
		return time.UTC
	}
	return o.Zone
}

// month is a calendar month as a table of weeks from Monday on.
type month struct {
	Name  string // "November 2026"
	Key   string // "2026-11"
	Weeks [][7]cell
	Days  []Day // that are known, rising
}

// cell is a day of a month, or a place outside it.
type cell struct {
	Day
	In    bool // of the month
	Known bool // there is something to show
	Today bool
}

func (o Operation) month(first time.Time) month {
	m := month{Name: first.Format("January 2006"), Key: first.Format("2006-01")}
	known, today := o.byDay(), o.today()
	var week [7]cell
	for t := first; t.Month() == first.Month(); t = t.AddDate(0, 0, 1) {
		at := (int(t.Weekday()) + 6) % 7
		c := cell{Day: Day{Day: t.Format(time.DateOnly)}, In: true, Today: t.Equal(today)}
		if d, ok := known[c.Day.Day]; ok {
			c.Day, c.Known = d, true
			m.Days = append(m.Days, d)
		}
		week[at] = c
		if at == 6 {
			m.Weeks, week = append(m.Weeks, week), [7]cell{}
		}
	}
	if week[0].In {
		m.Weeks = append(m.Weeks, week)
	}
	return m
}

// months are those from one to another, as far as the operation is known.
func (o Operation) months(from, to time.Time) (all []month) {
	if first, err := time.Parse(time.DateOnly, o.First); err == nil && first.After(from) {
		from = first
	}
	if today := o.today(); today.Before(to) {
		to = today
	}
	for t := firstOf(from); !t.After(to); t = t.AddDate(0, 1, 0) {
		all = append(all, o.month(t))
	}
	return all
}

func firstOf(t time.Time) time.Time { return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC) }

// years are those of which something may be known, the latest first.
func (o Operation) years() (all []int) {
	first, err := time.Parse(time.DateOnly, o.First)
	if err != nil {
		return nil
	}
	for year := o.today().Year(); year >= first.Year() && len(all) < 30; year-- {
		all = append(all, year)
	}
	return all
}
