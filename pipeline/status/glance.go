package status

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Level is how much a person has to do with something. On the page each has
// its own shape and word, not only a colour.
type Level int

const (
	fine Level = iota
	told       // worth reading
	warn       // goes on by itself, but should not last
	bad        // needs a hand, or is already felt
)

// String is the level's class in the style sheet and its shape's id.
func (l Level) String() string { return [...]string{"fine", "told", "warn", "bad"}[l] }

// Word is l where a shape stands alone.
func (l Level) Word() string { return [...]string{"well", "note", "warning", "problem"}[l] }

// answer is one of the questions that a first glance asks.
type answer struct {
	Level          Level
	Question       string
	Short, Details string
}

// matter is something that a person should look at.
type matter struct {
	Level       Level
	Where, Link string
	What, Text  string
}

// slack is what an answer may take beyond the usual.
const slack = 2 * time.Minute

// Lag is how long the latest observed window has been over.
func (o Operation) Lag() time.Duration {
	if o.LastEnd.IsZero() {
		return 0
	}
	return max(0, o.Now.Sub(o.LastEnd))
}

// Late reports whether a window more than the one under way should be there.
func (o Operation) Late() bool {
	if o.LastEnd.IsZero() {
		return o.Due > 1
	}
	return o.Lag() > 2*o.Every+o.Delay+slack
}

// Lacking is how many windows are missing beside the one that is being asked for.
func (o Operation) Lacking() int {
	if o.Missing > 0 && !o.Late() && o.Lag() >= o.Every+o.Delay {
		return o.Missing - 1
	}
	return o.Missing
}

// stopped are the states that do not end by themselves.
var stopped = []string{"bad_token", "not running", "unknown_forbidden", "permanent"}

// Condition is how bad the operation's state is.
func (o Operation) Condition() Level {
	switch {
	case slices.Contains(stopped, o.State), o.Late():
		return bad
	case o.State != "running", o.Quota.Fails(), o.Lacking() > 0 && !o.Reading:
		return warn
	}
	return fine
}

// Says is the operation's state in words.
func (o Operation) Says() string {
	state := strings.ReplaceAll(o.State, "_", " ")
	switch {
	case o.State == "running" && o.Late():
		return "late"
	case o.State == "running" && o.Reading:
		return "reading the journal"
	case o.State == "running" && o.Lacking() > 0:
		return "catching up"
	case o.State == "running", o.State == "not running":
		return state
	case slices.Contains(stopped, o.State):
		return "stopped: " + state
	}
	return "waits: " + state
}

// Lasts reports whether what is left is enough for live polling until Until.
func (q Quota) Lasts() bool { return q.Limit > 0 && !q.Short && q.Left >= q.Needed }

// Fails reports whether it is known not to be enough.
func (q Quota) Fails() bool { return q.Short || q.Limit > 0 && q.Left < q.Needed }

// Spare is what is left beyond the need of live polling; below 0 it is short.
func (q Quota) Spare() int64 { return q.Left - q.Needed }

// Percent is how much of the limit is spent.
func (q Quota) Percent() int {
	if q.Limit <= 0 {
		return 0
	}
	return int(min(100, 100*q.Spent()/q.Limit))
}

// Condition is how a sink does.
func (s Sink) Condition() Level {
	if s.Error != "" {
		return bad
	}
	return fine
}

// Percent is how far a backfill has come.
func (b Backfill) Percent() int {
	if b.Windows == 0 {
		return 100
	}
	return 100 * (b.Windows - b.Missing) / b.Windows
}

// glance answers what a first look asks: is it late, is anything missing, is
// anything wrong, will the quota last.
func (s Installation) glance() []answer {
	return []answer{s.punctuality(), s.completeness(), s.health(), s.outlook()}
}

func (s Installation) punctuality() answer {
	a := answer{Question: "On time?", Short: "On time"}
	var late []Operation
	var last Operation
	for _, o := range s.Operations {
		if o.Late() {
			late = append(late, o)
		}
		if o.Lag() >= last.Lag() {
			last = o
		}
	}
	switch {
	case len(late) > 0:
		slices.SortStableFunc(late, func(a, b Operation) int { return int(b.Lag() - a.Lag()) })
		a.Level, a.Short = bad, plural(len(late), "operation")+" late"
		a.Details = late[0].Name + ", the latest, by " + span(late[0].Lag())
		if late[0].LastEnd.IsZero() {
			a.Details = late[0].Name + " has no window yet"
		}
	case !last.LastEnd.IsZero():
		a.Details = "the last window ended " + span(last.Lag()) + " ago"
		if len(s.Operations) > 1 {
			a.Details = "the longest lag is " + span(last.Lag()) + ", of " + last.Name
		}
	default:
		a.Short, a.Details = "Nothing due yet", "the first window is still open"
	}
	return a
}

func (s Installation) completeness() answer {
	a := answer{Question: "Complete?", Short: "Nothing missing"}
	due, missing, reading := 0, 0, 0
	var in []string
	for _, o := range s.Operations {
		due += o.Due
		if o.Reading {
			reading++
		} else if n := o.Lacking(); n > 0 {
			missing += n
			in = append(in, o.Name)
		}
	}
	a.Details = "all " + number(int64(due)) + " windows due are there"
	switch {
	case missing > 0:
		a.Level, a.Short = warn, plural(missing, "window")+" missing"
		a.Details = "in " + some(in, 2) + ", of " + number(int64(due)) + " due"
	case reading > 0:
		a.Level, a.Short, a.Details = told, "Not known yet", plural(reading, "operation")+" still reading the journal"
	}
	return a
}

func (s Installation) health() answer {
	a := answer{Question: "Anything wrong?", Short: "Nothing wrong"}
	a.Details = "all of " + plural(len(s.Operations), "operation") + " and " + plural(len(s.Sinks), "sink") + " run"
	var wrong []string
	add := func(n int, one, many string) {
		if n == 1 {
			wrong = append(wrong, "1 "+one)
		} else if n > 1 {
			wrong = append(wrong, number(int64(n))+" "+many)
		}
	}
	halted, waits, failing := 0, 0, 0
	for _, o := range s.Operations {
		switch {
		case slices.Contains(stopped, o.State):
			halted++
		case o.State != "running":
			waits++
		}
	}
	for _, k := range s.Sinks {
		if k.Error != "" {
			failing++
		}
	}
	add(halted, "operation stopped", "operations stopped")
	add(failing, "sink failing", "sinks failing")
	add(waits, "operation waits", "operations wait")
	if s.NATS != "connected" {
		wrong = append([]string{"NATS " + s.NATS}, wrong...)
	}
	if len(wrong) > 0 {
		a.Level = warn
		if halted+failing > 0 || s.NATS != "connected" {
			a.Level = bad
		}
		a.Short, a.Details = wrong[0], strings.Join(append(wrong[1:], "see below"), ", ")
	}
	return a
}

func (s Installation) outlook() answer {
	a := answer{Question: "Will the quota last?", Short: "Quota lasts"}
	var short []string
	known, least := 0, Operation{}
	for _, o := range s.Operations {
		q := o.Quota
		if q.Fails() {
			short = append(short, o.Name)
		}
		if q.Limit > 0 {
			if known == 0 || q.Percent() > least.Quota.Percent() {
				least = o
			}
			known++
		}
	}
	switch {
	case len(short) > 0:
		a.Level, a.Short = warn, "Quota is short"
		a.Details = "for live polling of " + some(short, 2)
	case known == 0:
		a.Level, a.Short, a.Details = told, "Quota not known", "the source has not told it yet"
	default:
		a.Details = fmt.Sprintf("%s has spent most: %d%%", least.Name, least.Quota.Percent())
		if len(s.Operations) == 1 {
			a.Details = fmt.Sprintf("%d%% is spent, live polling needs %s more today", least.Quota.Percent(), number(least.Quota.Needed))
		}
	}
	return a
}
