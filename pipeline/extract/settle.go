package extract

import (
	"context"
	"time"

	"wolkpipe/pipeline/compare"
	"wolkpipe/pipeline/journal"
	"wolkpipe/pipeline/window"
	"wolkpipe/schemas"
)

// Complete days are compared with the source again at the ages that the plan
// gives: one fresh call must say what their windows add up to. Where it does
// not, package compare finds the windows that changed, and they are asked for
// again. That a day agreed is written into the journal, since it would be due
// for ever otherwise; at its last age it is settled by that, and rolled up.
//
// A source can answer "nothing" for a while. So where rows are known, "nothing"
// is believed when it is answered again emptyAgain later, and not before.

const (
	emptyAgain = 10 * time.Minute
	emptyFor   = 36 * time.Hour   // and after that it is news again
	firstRest  = 15 * time.Minute // before a day that did not agree is compared again; doubles
	lastRest   = 24 * time.Hour
	patientFor = 3                  // comparisons that a backfill waits for
	directFor  = 7 * 24 * time.Hour // after its last age, a day is worth asking for window by window
	leastCalls = 48                 // a day that comparing may take whatever the quota
)

// settling is what is remembered between comparisons. It is lost with the
// process, which costs some calls.
type settling struct {
	rests map[window.Date]rest
	empty map[window.Range]time.Time // answered "nothing" where rows are known, then
	day   window.Date                // that spent is of
	spent int64                      // calls
	noise float64                    // windows that changed, by the days compared last
}

type rest struct {
	until time.Time
	tries int
}

func newSettling() settling {
	return settling{rests: map[window.Date]rest{}, empty: map[window.Range]time.Time{}}
}

// wake is when the next day has rested.
func (s *settling) wake(now time.Time) (first time.Time) {
	for _, r := range s.rests {
		if r.until.After(now) && (first.IsZero() || r.until.Before(first)) {
			first = r.until
		}
	}
	return first
}

// doubted is when "nothing" was first answered for a range, or for a longer one
// that holds it. What was answered too long ago is forgotten.
func (s *settling) doubted(now time.Time, r window.Range) (first time.Time, ok bool) {
	for of, at := range s.empty {
		switch {
		case now.Sub(at) >= emptyFor:
			delete(s.empty, of)
		case of.From <= r.From && r.To <= of.To && (!ok || at.Before(first)):
			first, ok = at, true
		}
	}
	return first, ok
}

// believe forgets what was answered of a range that agrees with the source, or
// of a part of it.
func (s *settling) believe(r window.Range) {
	for of := range s.empty {
		if of.From < r.To && r.From < of.To {
			delete(s.empty, of)
		}
	}
}

func (s *settling) rest(now time.Time, date window.Date) {
	r := s.rests[date]
	wait := lastRest
	if r.tries < 6 {
		wait = min(firstRest<<r.tries, lastRest)
	}
	s.rests[date] = rest{now.Add(wait), r.tries + 1}
}

// settle goes on with a comparison, or begins the one that is due first.
func (p *Poller) settle(ctx context.Context, now time.Time) (busy bool, err error) {
	if c := p.checking; c != nil && now.Sub(c.last).Abs() > tooOld {
		p.checking = nil
	}
	if p.checking == nil {
		if !p.mayCompare(now) {
			return false, nil
		}
		dates := p.Live.Stale(now, &p.coverage, p.notNow(now))
		if len(dates) == 0 {
			return false, nil
		}
		if !p.sums() { // window by window: a day at a time
			dates = dates[:1]
		}
		if p.checking, err = p.check(ctx, dates, now); err != nil || p.checking == nil {
			return true, err
		}
	}
	return true, p.compareNext(ctx)
}

// mayCompare reports whether the day's budget leaves room for a comparison:
// where a day is asked for window by window, for all of it.
func (p *Poller) mayCompare(now time.Time) bool {
	left := p.allowance(now)
	return left > 0 && (p.sums() || p.settling.spent == 0 || left >= int64(p.Live.Grid.PerDay()))
}

// allowance is how many calls comparing may still take today: of what live
// polling leaves of the quota a half, as many as live polling where no quota
// is known.
func (p *Poller) allowance(now time.Time) int64 {
	if today := p.Live.Zone.Local(now).Date(); today != p.settling.day {
		p.settling.day, p.settling.spent = today, 0
	}
	live := int64(24 * time.Hour / time.Duration(p.Live.Grid))
	limit := live
	if holder := p.holder.Load(); holder != nil {
		if state := holder.State(); state.Limit > 0 {
			limit = (state.Limit - live) / 2
		}
	}
	return max(limit, leastCalls) - p.settling.spent
}

// notNow tells which days are not to be compared at now.
func (p *Poller) notNow(now time.Time) func(window.Date, time.Duration) bool {
	return func(date window.Date, age time.Duration) bool {
		if p.settling.rests[date].until.After(now) || p.unsummable(age) {
			return true
		}
		for _, j := range []*job{p.catchup, p.filling} { // neighbours may be compared together soon
			if j != nil && date >= j.Windows[0].From.Date() && date <= j.Windows[len(j.Windows)-1].From.Date() {
				return true
			}
		}
		return p.Fill && !p.wanted(date)
	}
}

// sums reports whether days can be compared by their sums: that counts add up
// is taken for granted until doctor has found that they do not.
func (p *Poller) sums() bool { return p.learned.Additive || !p.learned.Examined }

// unsummable reports whether a day cannot be compared by its sum and is not to
// be asked for window by window: that is done once, a while after its last age,
// and for old days it would only say again what backfills were just told.
func (p *Poller) unsummable(age time.Duration) bool {
	if p.sums() || len(p.Live.Ages) == 0 {
		return false
	}
	last := p.Live.Ages[len(p.Live.Ages)-1]
	return age < last || age > last+directFor
}

// wanted reports whether an active backfill asks for a day.
func (p *Poller) wanted(date window.Date) bool {
	for _, r := range p.active() {
		if date >= r.From && date <= r.To {
			return true
		}
	}
	return false
}

// unsettled counts the days of a backfill that wait for a comparison which may
// still come soon.
func (p *Poller) unsettled(now time.Time, from, to window.Date) int {
	if !p.mayCompare(now) {
		return 0
	}
	return p.Live.Uncompared(now, &p.coverage, from, to, func(date window.Date, age time.Duration) bool {
		return p.settling.rests[date].tries >= patientFor || p.unsummable(age)
	})
}

// partsOf is in how many parts a day is compared. A sum does not show what
// cancels out within it: a closing that is deleted where another of the same
// agent and code comes in. Where nothing changes that is no matter; where much
// does, a day is compared in more parts, at its last age in so many that no two
// changes are likely to share one.
func (p *Poller) partsOf(day *journal.Day, now time.Time) int {
	changes := p.settling.noise
	if p.old(day.Day, now) { // what changes these days says nothing of it
		changes = 0
	}
	for _, o := range day.Windows {
		if o.Cause == schemas.Settle {
			changes++
		}
	}
	switch {
	case changes < 0.5:
		return 1
	case !p.Live.Final(&p.coverage, day.Day, now):
		return 4
	}
	return min(max(4, int(changes*changes)), len(day.Windows))
}

// old reports whether a day has long passed its last age: a backfill filled it.
func (p *Poller) old(date window.Date, now time.Time) bool {
	last := p.Live.Ages[len(p.Live.Ages)-1]
	return p.Live.Zone.Local(now.Add(-last-directFor)).Date() > date
}

// cut notes where a day's windows are to be parted, so that the parts hold
// about as many interactions each.
func cut(known []compare.Known, parts int, cuts map[window.Local]bool) {
	if parts >= len(known) {
		for _, k := range known {
			cuts[k.From] = true
		}
		return
	}
	var total, sum int64
	weigh := func(k compare.Known) (n int64) {
		for _, count := range k.Counts {
			n += count
		}
		return n + 1 // so that nothing at all is parted too
	}
	for _, k := range known {
		total += weigh(k)
	}
	part := int64(1)
	for _, k := range known {
		if part < int64(parts) && sum >= part*total/int64(parts) {
			cuts[k.From] = true
			part++
		}
		sum += weigh(k)
	}
}

// tooEmpty reports whether an answer about several windows says "nothing"
// where rows are known, and is not believed yet.
func (p *Poller) tooEmpty(c *check, r window.Range, rows []rawRow) bool {
	if len(rows) > 0 {
		delete(p.settling.empty, r)
		return false
	}
	for _, w := range c.windows {
		if w.Range == r {
			return false // the caller doubts it
		}
	}
	return p.doubts(c, r)
}

// doubts reports whether "nothing" for a range is not believed yet, and
// remembers that it was answered.
func (p *Poller) doubts(c *check, r window.Range) bool {
	now := p.Clock.Now()
	first, before := p.settling.doubted(now, r)
	if before && now.Sub(first) >= emptyAgain {
		return false
	}
	if !c.hasRows(r) {
		return false
	}
	if !before {
		p.settling.empty[r] = now
	}
	return true
}
