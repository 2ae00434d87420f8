package status

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// number groups thousands.
func number(n int64) string {
	text := strconv.FormatInt(n, 10)
	for at := len(text) - 3; at > 0 && text[at-1] != '-'; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return number(int64(n)) + " " + one + "s"
}

// span is a duration in its two largest units.
func span(d time.Duration) string {
	d = d.Round(time.Second)
	minutes := int64(d / time.Minute)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < 10*time.Minute && d%time.Minute != 0:
		return fmt.Sprintf("%d min %d s", minutes, d%time.Minute/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min", minutes)
	case d < 48*time.Hour:
		return strings.TrimSuffix(fmt.Sprintf("%d h %d min", minutes/60, minutes%60), " 0 min")
	}
	return strings.TrimSuffix(fmt.Sprintf("%s d %d h", number(minutes/60/24), minutes/60%24), " 0 h")
}

// wall is a wall-clock time for a person: without a T, nor seconds that are 0.
func wall(local string) string {
	return strings.TrimSuffix(strings.Replace(local, "T", " ", 1), ":00")
}

// Short is a wall-clock time of the operation: of today without the day.
func (o Operation) Short(local string) string {
	return strings.TrimPrefix(wall(local), o.today().Format(time.DateOnly)+" ")
}

// moment is an instant on the clock of a zone.
func moment(t time.Time, zone *time.Location) string {
	return in(t, zone).Format("2006-01-02 15:04")
}

// some lists names, and says how many are left out.
func some(names []string, most int) string {
	if len(names) <= most {
		return strings.Join(names, " and ")
	}
	return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
}
