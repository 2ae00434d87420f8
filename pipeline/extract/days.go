package extract

import (
	"slices"
	"time"

	"wolkpipe/pipeline/backfill"
	"wolkpipe/pipeline/plan"
	"wolkpipe/pipeline/window"
)

// Day is what is known of a day without reading the journal.
type Day struct {
	Date      window.Date
	Filling   bool // it is wanted by a backfill alone
	Recorded  bool // something of it is in the journal
	Due       int  // windows that are to be observed by now
	Missing   int  // of them not observed
	Settled   bool // agreed with the source at its last age
	Corrected int  // windows whose content changed after they were first recorded
}

// Days tells of the days from one to another, both included, without those
// that are still to come and those of which nothing is wanted or recorded.
func (p *Poller) Days(from, to window.Date) []Day {
	now := p.Clock.Now()
	to = min(to, p.Live.Zone.Local(now).Date())
	asked := p.Backfills.All(p.Operation)
	asked = slices.DeleteFunc(slices.Clone(asked), func(r backfill.Request) bool { return r.State != backfill.Active })
	known := map[window.Date]summary{}
	p.status.mu.Lock()
	for date := from; date <= to; date++ {
		if s, ok := p.status.days[date]; ok {
			known[date] = s
		}
	}
	p.status.mu.Unlock()
	var all []Day
	for date := from; date <= to; date++ {
		s, recorded := known[date]
		d := Day{Date: date, Recorded: recorded, Settled: s.settled, Corrected: s.corrected}
		b := plan.Backfill{From: date, To: date}
		for _, r := range asked {
			if date < p.Live.Since && !d.Filling && r.From <= date && date <= r.To {
				d.Filling, b.Grid = true, r.Grid
			}
		}
		if date >= p.Live.Since || d.Filling || d.Recorded {
			d.Due, d.Missing = p.Live.Progress(now, &p.coverage, b)
			all = append(all, d)
		}
	}
	return all
}

// First is the earliest day that is wanted or recorded.
func (p *Poller) First() window.Date {
	first := p.Live.Since
	for _, r := range p.Backfills.All(p.Operation) {
		if r.State == backfill.Active {
			first = min(first, r.From)
		}
	}
	p.status.mu.Lock()
	defer p.status.mu.Unlock()
	for date := range p.status.days {
		first = min(first, date)
	}
	return first
}

// Outlook is whether the quota lasts for live polling.
type Outlook struct {
	Needed int64     // calls that live polling makes until Until
	Until  time.Time // the operation's next midnight
	Daily  int64     // calls that it makes in 24 hours
	Short  bool      // at some time in the next 24 hours it will have to wait
}

// Outlook costs no I/O. As long as no call has been made, Short is false.
func (p *Poller) Outlook() Outlook {
	now := p.Clock.Now()
	o := Outlook{Until: p.Live.Midnight(now), Daily: p.ahead(24*time.Hour) - 1}
	o.Needed = p.ahead(o.Until.Sub(now)) - 1
	if holder := p.holder.Load(); holder != nil && !p.Fill {
		o.Short, _ = p.short(holder, holder.State())
	}
	return o
}
