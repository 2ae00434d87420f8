package extract

import (
	"context"
	"errors"
	"time"

	"wolkpipe/pipeline/compare"
	"wolkpipe/pipeline/journal"
	"wolkpipe/pipeline/lease"
	"wolkpipe/pipeline/notice"
	"wolkpipe/pipeline/transform"
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

func (s *settling) rest(now time.Time, date window.Date) {
	r := s.rests[date]
	wait := lastRest
	if r.tries < 6 {
		wait = min(firstRest<<r.tries, lastRest)
	}
	s.rests[date] = rest{now.Add(wait), r.tries + 1}
}

// check is a comparison under way.
type check struct {
	comparison *compare.Comparison
	windows    []window.Window
	rows       map[window.Local]bool        // windows that are known to have rows
	days       map[window.Date]*journal.Day // as they were before the first call
	doubted    map[window.Date]bool         // days with a window that may be empty now
	changed    int                          // windows that were recorded anew
	begun      time.Time
	last       time.Time // of the latest answer
}

func newCheck(now time.Time) *check {
	return &check{
		rows: map[window.Local]bool{}, days: map[window.Date]*journal.Day{}, doubted: map[window.Date]bool{},
		begun: now, last: now,
	}
}

// settle goes on with a comparison, or begins the one that is due first.
func (p *Poller) settle(ctx context.Context, now time.Time) (busy bool, err error) {
	if c := p.checking; c != nil && now.Sub(c.last).Abs() > tooOld {
		p.checking = nil
	}
	if p.checking == nil {
		if p.allowance(now) <= 0 {
			return false, nil
		}
		dates := p.Live.Stale(now, &p.coverage, p.notNow(now))
		if len(dates) == 0 {
			return false, nil
		}
		if !p.sums() { // window by window: a day at a time, and not what the budget would break off
			dates = dates[:1]
			if p.settling.spent > 0 && p.allowance(now) < int64(p.Live.Grid.PerDay()) {
				return false, nil
			}
		}
		if p.checking, err = p.check(ctx, dates, now); err != nil || p.checking == nil {
			return true, err
		}
	}
	return true, p.compareNext(ctx)
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
	if p.allowance(now) <= 0 {
		return 0
	}
	return p.Live.Uncompared(now, &p.coverage, from, to, func(date window.Date, age time.Duration) bool {
		return p.settling.rests[date].tries >= patientFor || p.unsummable(age)
	})
}

// check begins the comparison of days. It is nil where the journal knew more
// than the plan.
func (p *Poller) check(ctx context.Context, dates []window.Date, now time.Time) (*check, error) {
	c := newCheck(now)
	if err := p.flush(ctx); err != nil {
		return nil, err
	}
	var known []compare.Known
	cuts := map[window.Local]bool{}
	for _, date := range dates {
		seen := p.seen[date]
		day, err := p.before(ctx, date)
		if err != nil || p.seen[date] != seen {
			return nil, err
		}
		c.days[date] = day
		first := len(known)
		for _, w := range p.Live.Zone.Windows(date, day.Grid) {
			o, ok := day.Window(w.From)
			if !ok { // a message of the journal that cannot be read any more
				p.load(day)
				return nil, nil
			}
			known = append(known, compare.Known{Window: w, Content: content(o.Rows, o.Sum)})
			c.windows = append(c.windows, w)
			c.rows[w.From] = len(o.Rows) > 0
		}
		cut(known[first:], p.partsOf(day, now), cuts)
	}
	var err error
	c.comparison, err = compare.New(known, compare.Options{
		Additive: p.sums(), DirectLimit: int(p.allowance(now)),
		Cut: func(w window.Window) bool { return cuts[w.From] },
	})
	if err != nil {
		return nil, wrap("planning what to compare", err)
	}
	return c, nil
}

// partsOf is in how many parts a day is compared. A sum does not show what
// cancels out within it: a closing that is deleted where another of the same
// agent and code comes in. Where nothing changes that is no matter; where much
// does, a day is compared in more parts, at its last age in so many that no two
// changes are likely to share one.
func (p *Poller) partsOf(day *journal.Day, now time.Time) int {
	changes := p.settling.noise
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

func content(rows []rawRow, sum bool) compare.Content {
	from := transform.Compare(rows, transform.Options{Sum: sum})
	c := compare.Content{Counts: make(map[compare.Key]int64, len(from.Counts)), Blind: from.Blind}
	for k, n := range from.Counts {
		c.Counts[compare.Key(k)] = n
	}
	for _, k := range from.Unsure {
		c.Unsure = append(c.Unsure, compare.Key(k))
	}
	return c
}

// compareNext makes a comparison's next call, and records what changed.
func (p *Poller) compareNext(ctx context.Context) error {
	c := p.checking
	r, ok := c.comparison.Next()
	if !ok {
		return p.compared(ctx)
	}
	p.settling.spent++
	rows, err := p.askAgain(ctx, c, r)
	switch {
	case err == nil:
	case errors.Is(err, errMoved):
		p.replan()
		return nil
	case tooMuch(err) && c.comparison.Failed(r):
		return nil
	default:
		if err := p.failed(ctx, r, err, &p.jobRest); err != nil {
			return err
		}
		if p.checking == c && p.failures.stuck(r) {
			p.failures.forget(r)
			p.jobRest = time.Time{}
			p.giveUp()
		}
		return nil
	}
	p.succeeded(r)
	c.last = p.Clock.Now()
	if p.tooEmpty(c, r, rows) {
		p.giveUp()
		return nil
	}
	c.comparison.Answered(r, compare.Answer{Rows: rows, Content: content(rows, p.Sum)})
	for _, result := range c.comparison.Take() {
		w := result.Window
		if len(result.Rows) == 0 && p.doubts(c, w.Range) {
			c.doubted[w.From.Date()] = true
			continue
		}
		news, err := p.record(ctx, c.days[w.From.Date()], schemas.Settle, established{w, direct(result.Rows), result.Rows})
		if err != nil {
			return err
		}
		if p.checking != c {
			return nil // refused by the journal: planned anew
		}
		if news {
			c.changed++
		}
	}
	return nil
}

// askAgain asks for one window, in parts if need be, or for more in one call.
func (p *Poller) askAgain(ctx context.Context, c *check, r window.Range) ([]rawRow, error) {
	for _, w := range c.windows {
		if w.Range == r {
			return p.fetch(ctx, lease.Catchup, w)
		}
	}
	return p.once(ctx, lease.Catchup, r, lastEnd(c.windows, r))
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
	first, before := p.settling.empty[r]
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

// giveUp ends a comparison that came to nothing; its days are compared later.
func (p *Poller) giveUp() {
	now := p.Clock.Now()
	for date := range p.checking.days {
		p.settling.rest(now, date)
	}
	p.checking = nil
}

// compared ends a comparison: of the days that agree it is written into the
// journal that they do, the others are compared again later.
func (p *Poller) compared(ctx context.Context) error {
	c := p.checking
	if err := p.flush(ctx); err != nil || p.checking != c {
		return err
	}
	p.checking = nil
	if len(c.days) == 1 {
		p.settling.noise = 0.7*p.settling.noise + 0.3*float64(c.changed)
	}
	agreed := map[window.Date]bool{}
	for _, date := range c.comparison.Confirmed() {
		agreed[date] = !c.doubted[date]
	}
	now := p.Clock.Now()
	for date, day := range c.days {
		if !agreed[date] {
			p.settling.rest(now, date)
			r := p.settling.rests[date]
			if r.tries >= patientFor {
				p.raise(ctx, notice.CountsDiffer, differDays, "days do not agree with the source, comparison after comparison; they are compared again", date.String())
			}
			p.Log.Warn("a day does not agree with the source; it is compared again", "day", date.String(), "at", r.until, "tries", r.tries)
			continue
		}
		if err := p.agree(ctx, date, day, c.begun); err != nil {
			return err
		}
	}
	return nil
}

// agree writes into the journal that a day agreed with the source at a time.
func (p *Poller) agree(ctx context.Context, date window.Date, before *journal.Day, at time.Time) error {
	day, err := p.Journal.Day(ctx, p.key(date))
	if err != nil {
		return err
	}
	if day.Seq != before.Seq {
		p.load(day) // recorded by another process meanwhile: compared anew
		return nil
	}
	c := &journal.Chunk{Key: day.Key, Timezone: day.Timezone, Grid: day.Grid}
	c.Compared = &journal.Comparison{At: at.UTC().Truncate(time.Microsecond), Final: p.Live.Final(&p.coverage, date, at)}
	for _, o := range day.Windows {
		snapshot := transform.Window(o.Rows, transform.Options{Sum: o.Sum})
		for _, r := range snapshot.Rows {
			c.Compared.Total += r.Interactions
		}
	}
	if c.Compared.Final && len(day.Bad) == 0 {
		c.Windows, c.Whole = day.Windows, true
	}
	seq, err := p.append(ctx, c, day.Seq)
	if errors.Is(err, journal.ErrMoved) {
		_, err := p.loadDay(ctx, date)
		return err
	}
	if err != nil {
		return err
	}
	p.appended(date, day.Seq, seq)
	p.coverage.Compared(date, c.Compared.At)
	p.summariseAnew(ctx, date)
	delete(p.settling.rests, date)
	p.over(ctx, notice.CountsDiffer, differDays, date.String())
	return nil
}
