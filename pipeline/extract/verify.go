package extract

import (
	"context"
	"errors"
	"time"

	"wolkpipe/pipeline/compare"
	"wolkpipe/pipeline/lease"
	"wolkpipe/pipeline/plan"
	"wolkpipe/pipeline/transform"
	"wolkpipe/pipeline/window"
	"wolkpipe/schemas"
)

// Verified is what comparing days with the source came to.
type Verified struct {
	Due     int            // windows of the days that are over
	Missing []window.Local // of them, those that the journal does not have
	Changed []Changed      // those of which the source says something else now
	Unsure  []window.Date  // days that moved while they were compared, or could not be
	Filled  int            // windows recorded that were missing; 0 without repair
	Calls   int            // made
}

// Changed is a window of which the source says something else than is recorded.
type Changed struct {
	Window    window.Local
	Have, Now []schemas.Row // as recorded, as the source says; normalised
}

// Verify compares the days from one to another with the source, by few calls.
// With repair, what is missing and what changed is recorded. It must not run
// beside Run. Failures are waited out as in Run, but for a bad token's.
func (p *Poller) Verify(ctx context.Context, from, to window.Date, repair bool) (v Verified, err error) {
	p.strict = true
	if err := p.learn(ctx); err != nil {
		return v, err
	}
	to = min(to, p.Live.Zone.Local(p.Clock.Now()).Date())
	for date := from; date <= to; date++ {
		if _, err := p.loadDay(ctx, date); err != nil {
			return v, err
		}
	}
	days := plan.Backfill{From: from, To: to}
	if repair {
		if v.Filled, err = p.refill(ctx, days, &v.Calls); err != nil {
			return v, err
		}
	}
	for month := from; month <= to; {
		_, next := month.Month()
		if err := p.verify(ctx, month, min(next-1, to), repair, &v); err != nil {
			return v, err
		}
		month = next
	}
	return v, p.flush(ctx)
}

// refill asks for what is missing, and gives the number of windows recorded.
func (p *Poller) refill(ctx context.Context, days plan.Backfill, calls *int) (filled int, err error) {
	_, before := p.Live.Progress(p.Clock.Now(), &p.coverage, days)
	for ctx.Err() == nil {
		now := p.Clock.Now()
		if now.Before(p.jobRest) {
			p.sleepUntil(ctx, p.jobRest, nil)
			continue
		}
		busy, err := p.establish(ctx, now, &p.filling, lease.Backfill, func() (plan.Job, bool) {
			job, ok := p.Live.Fill(now, &p.coverage, days, p.putOff(now))
			job.Cause = schemas.Repair
			return job, ok
		})
		if err != nil {
			return 0, err
		}
		if !busy {
			break
		}
		*calls++
	}
	if err := p.flush(ctx); err != nil {
		return 0, err
	}
	_, after := p.Live.Progress(p.Clock.Now(), &p.coverage, days)
	return before - after, ctx.Err()
}

// verify compares what is recorded of a month's days, or some of them.
func (p *Poller) verify(ctx context.Context, from, to window.Date, repair bool, v *Verified) error {
	now := p.Clock.Now()
	c := newCheck(now)
	var known []compare.Known
	for date := from; date <= to; date++ {
		day, err := p.before(ctx, date)
		if err != nil {
			return err
		}
		c.days[date] = day
		grid := day.Grid
		if grid == 0 {
			grid = p.Live.Grid
		}
		for _, w := range p.Live.Zone.Windows(date, grid) {
			if w.End.Add(p.Live.Delay).After(now) {
				continue
			}
			v.Due++
			o, ok := day.Window(w.From)
			if !ok {
				v.Missing = append(v.Missing, w.From)
				continue
			}
			known = append(known, compare.Known{Window: w, Content: content(o.Rows, o.Sum)})
			c.windows = append(c.windows, w)
			c.rows[w.From] = len(o.Rows) > 0
		}
	}
	var err error
	if c.comparison, err = compare.New(known, compare.Options{Additive: p.sums()}); err != nil {
		return wrap("planning what to compare", err)
	}
	p.checking = c // so that a chunk appended meanwhile moves what it rests on
	defer func() { p.checking = nil }()
	for r, more := c.comparison.Next(); more; r, more = c.comparison.Next() {
		if err := p.verifyRange(ctx, c, r, repair, v); err != nil {
			return err
		}
	}
	if err := p.flush(ctx); err != nil {
		return err
	}
	if err := p.undisturbed(c); err != nil {
		return err
	}
	confirmed := map[window.Date]bool{}
	for _, date := range c.comparison.Confirmed() {
		confirmed[date] = true
	}
	for date := from; date <= to; date++ {
		if day := c.days[date]; day.Grid != 0 && !confirmed[date] && p.complete(date) {
			v.Unsure = append(v.Unsure, date)
		}
	}
	return nil
}

// verifyRange asks for a range, and compares what was answered.
func (p *Poller) verifyRange(ctx context.Context, c *check, r window.Range, repair bool, v *Verified) error {
	ctx, span := p.traced(ctx, "verify", r)
	defer span.End()
	rows, err := p.surely(ctx, c, r, &v.Calls)
	if tooMuch(err) && c.comparison.Failed(r) {
		return nil
	}
	if err != nil {
		return err
	}
	c.comparison.Answered(r, compare.Answer{Rows: rows, Content: content(rows, p.Sum)})
	for _, result := range c.comparison.Take() {
		if err := p.compareWindow(ctx, c, result, repair, v); err != nil {
			return err
		}
	}
	return nil
}

// complete reports whether a day is over and none of its windows is missing:
// only then can it be confirmed as a whole.
func (p *Poller) complete(date window.Date) bool {
	now := p.Clock.Now()
	due, missing := p.Live.Progress(now, &p.coverage, plan.Backfill{From: date, To: date})
	whole, _ := p.Live.Progress(now.Add(72*time.Hour), &p.coverage, plan.Backfill{From: date, To: date})
	return missing == 0 && due == whole
}

// compareWindow holds a window's own answer against what is recorded of it.
func (p *Poller) compareWindow(ctx context.Context, c *check, result compare.Result, repair bool, v *Verified) error {
	date := result.Window.From.Date()
	day := c.days[date]
	o, _ := day.Window(result.Window.From)
	options := transform.Options{Sum: p.Sum}
	fresh := transform.Window(result.Rows, options)
	if fresh.Digest() == o.Digest {
		return nil
	}
	v.Changed = append(v.Changed, Changed{o.Local, transform.Window(o.Rows, transform.Options{Sum: o.Sum}).Rows, fresh.Rows})
	if !repair {
		return nil
	}
	if _, err := p.record(ctx, c.days[date], schemas.Repair, established{result.Window, direct(result.Rows), result.Rows}); err != nil {
		return err
	}
	return p.undisturbed(c)
}

// undisturbed is an error where the journal has refused what was found.
func (p *Poller) undisturbed(c *check) error {
	if p.checking == c {
		return nil
	}
	return errors.New("another process has recorded some of the days while they were compared: verify again")
}

// Pauses before "nothing" is taken for an answer where rows are known.
var emptyPauses = []time.Duration{10 * time.Second, 50 * time.Second}

// surely asks for a range until there is an answer. "Nothing" where rows are
// known is asked for again: once about a window, twice about more.
func (p *Poller) surely(ctx context.Context, c *check, r window.Range, calls *int) ([]rawRow, error) {
	pauses := emptyPauses
	for _, w := range c.windows {
		if w.Range == r {
			pauses = emptyPauses[:1]
		}
	}
	for {
		rows, err := p.patiently(ctx, c, r, calls)
		if err != nil || len(rows) > 0 || len(pauses) == 0 || !c.hasRows(r) {
			return rows, err
		}
		if err := p.Clock.Sleep(ctx, pauses[0]); err != nil {
			return nil, err
		}
		pauses = pauses[1:]
	}
}

// patiently asks for a range until there is an answer, or a failure that
// waiting does not mend.
func (p *Poller) patiently(ctx context.Context, c *check, r window.Range, calls *int) ([]rawRow, error) {
	for {
		p.sleepUntil(ctx, p.jobRest, nil)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		*calls++
		rows, err := p.askAgain(ctx, c, r)
		switch {
		case err == nil:
			p.succeeded(r)
			return rows, nil
		case errors.Is(err, errMoved):
			*calls-- // none was made
			continue // nothing that was asked for rests on what others did meanwhile
		case tooMuch(err), p.failures.stuck(r):
			return nil, err
		}
		if err := p.failed(ctx, r, err, &p.jobRest); err != nil {
			return nil, err
		}
	}
}

// hasRows reports whether any window in r is known to have rows.
func (c *check) hasRows(r window.Range) bool {
	for from, rows := range c.rows {
		if rows && from >= r.From && from < r.To {
			return true
		}
	}
	return false
}
