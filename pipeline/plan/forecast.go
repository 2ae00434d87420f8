package plan

import (
	"math"
	"time"

	"wolkpipe/pipeline/window"
)

// Quota is what is known of the source's limit on calls.
type Quota struct {
	Limit int64 // calls a day; 0: not known
	Left  int64 // of them now, live polling's included; below 0: not known
}

// Costs tells what asking takes.
type Costs struct {
	Most func(windows int) int                      // calls for a run of windows, at the most
	Day  func(window.Date) (calls float64, ok bool) // calls for a whole day as others were; ok is false if none is known
	Call time.Duration                              // how long one takes
}

// Forecast is what a backfill will take, from now on.
type Forecast struct {
	Windows     int // of its days, due by now
	Missing     int // of them not observed: what asking one by one would take
	Least, Most int64
	Expected    int64     // as the days that are known would take; below 0: none is known
	Live        int64     // calls a day that are kept for live polling
	Days        float64   // of quota that Expected, or else Most, takes; 0 where no limit is known, below 0: there is none to spare
	Done        time.Time // when, as far as is known; zero: never
}

// Forecast tells what filling b will take. Calls that fail, and comparisons of
// windows that changed meanwhile, are not in it.
func (l Live) Forecast(now time.Time, c *Coverage, b Backfill, q Quota, costs Costs) Forecast {
	f := Forecast{Live: l.Reserve(24 * time.Hour)}
	f.Windows, f.Missing = l.Progress(now, c, b)
	b.To = min(b.To, l.Zone.Local(now).Date())
	expected, known := l.calls(now, c, b, costs, &f)
	f.Expected = -1
	if known {
		f.Expected = min(max(int64(math.Round(expected)), f.Least), f.Most)
	}
	calls := f.Most
	if known {
		calls = f.Expected
	}
	l.finish(now, q, costs, calls, &f)
	if !f.Done.IsZero() {
		f.Done = f.Done.In(l.Zone.Location())
	}
	return f
}

// calls adds up what asking for b's months takes: each run of missing windows
// by itself, and where days are compared again, each month once.
func (l Live) calls(now time.Time, c *Coverage, b Backfill, costs Costs, f *Forecast) (expected float64, known bool) {
	for from := b.From; from <= b.To; {
		_, next := from.Month()
		month := Backfill{From: from, To: min(next-1, b.To), Grid: b.Grid}
		from = next
		if _, missing := l.Progress(now, c, month); missing == 0 {
			continue
		}
		if len(l.Ages) > 0 {
			f.Least, f.Most, expected = f.Least+1, f.Most+1, expected+1
		}
		run := 0
		end := func() {
			if run > 0 {
				f.Least, f.Most, expected = f.Least+1, f.Most+int64(costs.Most(run)), expected+1
			}
			run = 0
		}
		for date := month.From; date <= month.To; date++ {
			due, missing := l.Progress(now, c, Backfill{From: date, To: date, Grid: b.Grid})
			if missing < due {
				end() // what is known of the day parts its neighbours
			}
			run += missing
			if calls, ok := costs.Day(date); ok && missing > 0 {
				expected, known = expected+calls*float64(missing)/float64(due), true
			}
		}
		end()
	}
	return expected, known
}

// finish tells how many days of quota calls take, and when they are done.
func (l Live) finish(now time.Time, q Quota, costs Costs, calls int64, f *Forecast) {
	took := time.Duration(calls) * costs.Call
	if calls == 0 || q.Limit == 0 {
		f.Done = now.Add(took)
		return
	}
	spare := q.Limit - f.Live
	if spare <= 0 {
		f.Days = -1
		return
	}
	f.Days = float64(calls) / float64(spare)
	left := spare
	midnight := l.Midnight(now)
	if q.Left >= 0 { // live polling still needs its part of today's
		left = max(0, q.Left-f.Live*int64(midnight.Sub(now))/int64(24*time.Hour))
	}
	if calls <= left {
		f.Done = now.Add(took)
		return
	}
	full := (calls - left - 1) / spare // days spent to the end
	rest := calls - left - full*spare
	f.Done = midnight.AddDate(0, 0, int(full)).Add(time.Duration(rest) * costs.Call)
	if slow := now.Add(took); slow.After(f.Done) {
		f.Done = slow
	}
}

// Midnight is the next one of the operation's zone.
func (l Live) Midnight(now time.Time) time.Time {
	tomorrow := l.Zone.Local(now).Date() + 1
	if hours := l.Zone.Windows(tomorrow, window.Grid(time.Hour)); len(hours) > 0 {
		return hours[0].Start
	}
	return now.Add(24 * time.Hour)
}
