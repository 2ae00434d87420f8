package extract

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"wolkpipe/pipeline/compare"
	"wolkpipe/pipeline/journal"
	"wolkpipe/pipeline/lease"
	"wolkpipe/pipeline/notice"
	"wolkpipe/pipeline/trace"
	"wolkpipe/pipeline/transform"
	"wolkpipe/pipeline/window"
	"wolkpipe/schemas"
)

// check is a comparison under way.
type check struct {
	comparison *compare.Comparison
	windows    []window.Window
	rows       map[window.Local]bool        // windows that are known to have rows
	days       map[window.Date]*journal.Day // as they were before the first call
	doubted    map[window.Date]bool         // days with a window that may be empty now
	changed    int                          // windows that were recorded anew
	begun      time.Time
	last       time.Time     // of the latest answer
	from       trace.Origins // the steps that asked
}

func newCheck(now time.Time) *check {
	return &check{
		rows: map[window.Local]bool{}, days: map[window.Date]*journal.Day{}, doubted: map[window.Date]bool{},
		begun: now, last: now,
	}
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
	ctx, span := p.traced(ctx, string(schemas.Settle), r)
	defer span.End()
	p.settling.spent++
	rows, err := p.askAgain(ctx, c, r)
	switch {
	case err == nil:
	case errors.Is(err, errMoved):
		p.settling.spent-- // none was made
		return p.othersRecorded(ctx)
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
	c.last, c.from = p.Clock.Now(), c.from.And(ctx)
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
	for _, date := range slices.Sorted(maps.Keys(c.days)) {
		day := c.days[date]
		if !agreed[date] {
			p.settling.rest(now, date)
			r := p.settling.rests[date]
			if r.tries >= patientFor {
				p.raise(ctx, notice.CountsDiffer, differDays, "days do not agree with the source, comparison after comparison; they are compared again", date.String())
			}
			p.Log.Warn("a day does not agree with the source; it is compared again", "day", date.String(), "at", r.until, "tries", r.tries)
			continue
		}
		if err := p.agree(ctx, date, day, c); err != nil {
			return err
		}
	}
	return nil
}

// agree writes into the journal that a day agreed with the source when it was
// compared.
func (p *Poller) agree(ctx context.Context, date window.Date, before *journal.Day, compared *check) error {
	day, err := p.Journal.Day(ctx, p.key(date))
	if err != nil {
		return err
	}
	if day.Seq != before.Seq {
		p.load(day) // recorded by another process meanwhile: compared anew
		return nil
	}
	at := compared.begun
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
	seq, err := p.append(ctx, c, day.Seq, compared.from)
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
	p.settling.believe(window.Range{From: date.Start(), To: date.End()})
	p.over(ctx, notice.CountsDiffer, differDays, date.String())
	return nil
}
