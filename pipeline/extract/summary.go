package extract

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"wolkpipe/pipeline/journal"
	"wolkpipe/pipeline/plan"
	"wolkpipe/pipeline/window"
	"wolkpipe/schemas"
)

// Settling tells how far the recorded days can be trusted, and how long counts
// were seen to change.
type Settling struct {
	Settled     int `json:"days_settled"`      // agreed with the source at their last age
	Provisional int `json:"days_provisional"`  // the others that are recorded
	Corrected   int `json:"windows_corrected"` // their content changed after they were first recorded

	// Of the corrections that comparisons found: how long after the end of
	// its window each was recorded.
	AgeP90 float64 `json:"correction_age_p90_seconds"`
	AgeMax float64 `json:"correction_age_max_seconds"`

	Advice string `json:"advice,omitempty"` // on `settle`, where it is too short or wastes calls

	// Periods are the recorded days, neighbours of one state together, in the
	// order of time. Days that are not in them have no record.
	Periods []Period `json:"periods"`
}

// Period is neighbouring days of one state.
type Period struct {
	From  string `json:"from"`
	To    string `json:"to"`
	State string `json:"state"` // "settled", "provisional", or "incomplete": windows that are over are missing
}

// summary is what Settling is made of, for a day.
type summary struct {
	settled   bool
	corrected int
	ages      []time.Duration
}

func (p *Poller) summarise(day *journal.Day) {
	s := summary{settled: day.Compared != nil && day.Compared.Final}
	for _, o := range day.Windows {
		if o.Revision > 1 {
			s.corrected++
		}
		if o.Cause != schemas.Settle {
			continue
		}
		if w, ok := p.Live.Zone.Window(day.Grid.At(o.Local)); ok {
			s.ages = append(s.ages, o.ObservedAt.Sub(w.End))
		}
	}
	p.status.mu.Lock()
	defer p.status.mu.Unlock()
	if p.status.days == nil {
		p.status.days = map[window.Date]summary{}
	}
	if day.Grid == 0 { // its record is gone
		delete(p.status.days, day.Day)
		return
	}
	p.status.days[day.Day] = s
}

// summariseAnew takes up what was appended to a day.
func (p *Poller) summariseAnew(ctx context.Context, date window.Date) {
	if day, err := p.Journal.Day(ctx, p.key(date)); err == nil { // else the next one tells
		p.summarise(day)
	}
}

// settled sums up all days.
func (p *Poller) settled() (s Settling) {
	p.status.mu.Lock()
	defer p.status.mu.Unlock()
	s.Periods = p.periods()
	var ages []time.Duration
	for _, day := range p.status.days {
		if day.settled {
			s.Settled++
		} else {
			s.Provisional++
		}
		s.Corrected += day.corrected
		ages = append(ages, day.ages...)
	}
	if len(ages) == 0 {
		return s
	}
	slices.Sort(ages)
	s.AgeP90 = ages[len(ages)*9/10].Seconds()
	longest := ages[len(ages)-1]
	s.AgeMax = longest.Seconds()
	s.Advice = advice(p.Live.Ages, s.Settled, len(ages), longest)
	return s
}

// periods groups the recorded days. p.status.mu is held.
func (p *Poller) periods() []Period {
	all := []Period{} // an array in JSON whatever happens
	var last window.Date
	now := p.Clock.Now()
	for _, date := range slices.Sorted(maps.Keys(p.status.days)) {
		state := "provisional"
		if p.status.days[date].settled {
			state = "settled"
		} else if _, missing := p.Live.Progress(now, &p.coverage, plan.Backfill{From: date, To: date}); missing > 0 {
			state = "incomplete"
		}
		if n := len(all); n > 0 && date == last+1 && all[n-1].State == state {
			all[n-1].To = date.String()
		} else {
			all = append(all, Period{date.String(), date.String(), state})
		}
		last = date
	}
	return all
}

// Enough days and corrections to judge by.
const (
	judgedDays        = 28
	judgedCorrections = 10
)

// advice tells where the ages do not fit the corrections that were seen.
func advice(ages []time.Duration, settled, corrections int, longest time.Duration) string {
	if len(ages) == 0 {
		return ""
	}
	last := ages[len(ages)-1]
	const day = 24 * time.Hour // a day's first window ends so long before the day does
	switch {
	case longest >= last:
		return fmt.Sprintf("counts still changed at the last age of `settle`, %s: add a later one, such as %s", last, 2*last)
	case settled >= judgedDays && corrections >= judgedCorrections && len(ages) > 1 && longest+day < ages[len(ages)-2]:
		return fmt.Sprintf("no count changed later than %s after its window: `settle` could end at %s", longest.Round(time.Minute), ages[len(ages)-2])
	}
	return ""
}
