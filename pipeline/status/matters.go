package status

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// matters lists what a person should look at, the worst first.
func (s Installation) matters() (all []matter) {
	if s.NATS != "connected" {
		all = append(all, matter{bad, "NATS", "#top", "is " + s.NATS, "nothing is recorded until it is reached again; it is tried by itself"})
	}
	for _, k := range s.Sinks {
		if k.Error == "" {
			continue
		}
		all = append(all, matter{bad, k.Name, "#sinks", fmt.Sprintf("fails for %s", plural(k.Failing, "day")), k.Error})
	}
	for _, o := range s.Operations {
		all = append(all, o.matters()...)
	}
	slices.SortStableFunc(all, func(a, b matter) int { return cmp.Compare(b.Level, a.Level) })
	return all
}

func (o Operation) matters() (all []matter) {
	add := func(l Level, what, text string) {
		all = append(all, matter{l, o.Name, "/operations/" + o.Name, what, text})
	}
	if o.State != "running" {
		what, said := "waits", []string{}
		if slices.Contains(stopped, o.State) {
			what = "has stopped"
		}
		if !o.Until.IsZero() {
			said = append(said, "until "+moment(o.Until, o.Zone))
		}
		if !strings.Contains(o.Error, o.State) { // most errors name it
			said = append(said, strings.ReplaceAll(o.State, "_", " "))
		}
		if o.Error != "" {
			said = append(said, o.Error)
		}
		add(max(o.Condition(), warn), what, strings.Join(said, ": "))
	}
	if o.Late() && o.State == "running" {
		text := "no window is recorded yet"
		if !o.LastEnd.IsZero() {
			text = "the latest recorded window, " + wall(o.LastWindow) + ", ended " + span(o.Lag()) + " ago"
		}
		add(bad, "is late", text)
	}
	if n := o.Lacking(); n > 0 && !o.Reading && !o.Late() {
		add(warn, "lacks "+plural(n, "window"), fmt.Sprintf("since %s; they are caught up with by themselves", o.Since))
	}
	if o.Quota.Fails() && o.State != "quota" {
		add(warn, "is short of calls", o.Quota.says(o))
	}
	for _, n := range o.Notices {
		if n.Kind == "quota_will_not_last" && o.Quota.Fails() {
			continue // said
		}
		add(told, strings.ReplaceAll(n.Kind, "_", " "), n.Text)
	}
	if o.Advice != "" {
		add(told, "advice on settle", o.Advice)
	}
	return all
}

// says tells how the quota stands, in a sentence.
func (q Quota) says(o Operation) string {
	if q.Limit == 0 {
		return "the source has not told the quota yet"
	}
	text := fmt.Sprintf("%s of %s calls left, and live polling needs %s until %s", number(q.Left), number(q.Limit), number(q.Needed), moment(q.Until, o.Zone))
	if q.Short && q.Left >= q.Needed {
		text += "; but they do not last for the next 24 hours"
	}
	return text
}

// headline is the overview in a sentence.
func (s Installation) headline() (Level, string) {
	worst, n := fine, 0
	for _, m := range s.matters() {
		worst = max(worst, m.Level)
		if m.Level > told {
			n++
		}
	}
	switch {
	case n == 1:
		return worst, "1 thing needs a look"
	case n > 1:
		return worst, number(int64(n)) + " things need a look"
	case worst == told:
		return told, "All well, with something to read"
	}
	return fine, "All well"
}
