package extract

import (
	"context"
	"errors"
	"slices"
	"time"

	"wolkpipe/pipeline/descend"
	"wolkpipe/pipeline/journal"
	"wolkpipe/pipeline/lease"
	"wolkpipe/pipeline/plan"
	"wolkpipe/pipeline/transform"
	"wolkpipe/pipeline/window"
	"wolkpipe/schemas"
)

// job is windows to establish by asking for ranges.
type job struct {
	plan.Job
	kind    lease.Kind
	descent *descend.Descent
	days    map[window.Date]*journal.Day // as they were before the first call
	last    time.Time                    // of the latest answer
}

// tooOld is how long a job may rest: answers are subtracted from one another,
// and should not be hours apart.
const tooOld = 30 * time.Minute

// catchUp goes on with what is missing of the coverage that is kept up.
func (p *Poller) catchUp(ctx context.Context, now time.Time) (busy bool, err error) {
	if p.Fill {
		return false, nil
	}
	return p.establish(ctx, now, &p.catchup, lease.Catchup, func() (plan.Job, bool) {
		return p.Live.CatchUp(now, &p.coverage, p.putOff(now))
	})
}

// establish goes on with a job, or begins the one that is planned next.
func (p *Poller) establish(ctx context.Context, now time.Time, slot **job, kind lease.Kind, next func() (plan.Job, bool)) (busy bool, err error) {
	if *slot != nil && now.Sub((*slot).last).Abs() > tooOld {
		*slot = nil
	}
	if *slot == nil {
		todo, ok := next()
		if !ok {
			return false, nil
		}
		if *slot, err = p.begun(ctx, todo, kind, now); err != nil || *slot == nil {
			return true, err
		}
	}
	return true, p.advance(ctx, slot)
}

// begun makes a job. It is nil where the journal knew more than the plan.
func (p *Poller) begun(ctx context.Context, todo plan.Job, kind lease.Kind, now time.Time) (*job, error) {
	j := &job{Job: todo, kind: kind, days: map[window.Date]*journal.Day{}, last: now}
	for _, w := range todo.Windows {
		date := w.From.Date()
		if j.days[date] != nil {
			continue
		}
		known := p.seen[date]
		day, err := p.before(ctx, date)
		if err != nil {
			return nil, err
		}
		if p.seen[date] != known {
			return nil, nil // another process has recorded something: plan anew
		}
		j.days[date] = day
	}
	var err error
	if j.descent, err = descend.New(todo.Windows, descend.Options{Derive: p.learned.Additive}); err != nil {
		return nil, wrap("planning what to ask for", err)
	}
	return j, nil
}

// putOff tells which windows are not to be asked for at now.
func (p *Poller) putOff(now time.Time) func(window.Local) bool {
	for local, until := range p.deferred {
		if !until.After(now) {
			delete(p.deferred, local)
		}
	}
	return func(local window.Local) bool { return p.deferred[local].After(now) }
}

// deferFor is how long a window that keeps failing is put off.
const deferFor = 10 * time.Minute

// stuck deals with a range that keeps failing while others are answered, or
// for very long: it is asked for in parts; a single window is put off, so
// that it does not keep the rest from being asked for.
func (p *Poller) stuck(slot **job, r window.Range) {
	p.failures.forget(r)
	p.jobRest = time.Time{}
	if (*slot).descent.Failed(r) {
		return
	}
	p.Log.Error("a window keeps failing; it is put off, and the others go on", "window", r.From.String(), "for", deferFor)
	p.deferred[r.From] = p.Clock.Now().Add(deferFor)
	*slot = nil
}

// appended notes that a chunk of a day was appended after message after: what
// is under way may still be recorded, behind it.
func (p *Poller) appended(date window.Date, after, seq uint64) {
	p.seen[date] = seq
	var all []map[window.Date]*journal.Day
	for _, j := range []*job{p.catchup, p.filling} {
		if j != nil {
			all = append(all, j.days)
		}
	}
	if p.checking != nil {
		all = append(all, p.checking.days)
	}
	for _, days := range all {
		if days[date] == nil || days[date].Seq != after {
			continue
		}
		day := *days[date]
		day.Seq = seq
		days[date] = &day
	}
}

// advance makes a job's next call, and records what it established.
func (p *Poller) advance(ctx context.Context, slot **job) error {
	j := *slot
	r, ok := j.descent.Next()
	if !ok {
		*slot = nil
		return p.flush(ctx)
	}
	ctx, span := p.traced(ctx, j.why(), r)
	defer span.End()
	rows, err := p.askRange(ctx, j, r)
	switch {
	case err == nil:
	case errors.Is(err, errMoved):
		return p.othersRecorded(ctx)
	case tooMuch(err) && j.descent.Failed(r):
		return nil
	default:
		if err := p.failed(ctx, r, err, &p.jobRest); err != nil {
			return err
		}
		if *slot == j && p.failures.stuck(r) {
			p.stuck(slot, r)
		}
		return nil
	}
	p.succeeded(r)
	j.last = p.Clock.Now()
	j.descent.Answered(r, prepare(rows))
	for _, result := range j.descent.Take() {
		if p.coverage.Observed(result.Window.From) {
			continue // live polling was faster, and its answer may be the newer one
		}
		w := established{result.Window, schemas.Method(result.Method), result.Rows}
		if _, err := p.record(ctx, j.days[result.Window.From.Date()], j.Cause, w); err != nil {
			return err
		}
		if *slot != j {
			return nil // refused by the journal: planned anew
		}
	}
	return nil
}

// askRange asks for one window, in parts if need be, or for more in one call.
func (p *Poller) askRange(ctx context.Context, j *job, r window.Range) ([]rawRow, error) {
	if w, ok := j.single(r); ok {
		return p.fetch(ctx, j.kind, w)
	}
	return p.once(ctx, j.kind, r, lastEnd(j.Windows, r))
}

// lastEnd is when the windows in r are over.
func lastEnd(windows []window.Window, r window.Range) (end time.Time) {
	for _, w := range windows {
		if w.From >= r.From && w.From < r.To && w.End.After(end) {
			end = w.End
		}
	}
	return end
}

// single finds the window that r is; ok is false if it is more than one.
func (j *job) single(r window.Range) (w window.Window, ok bool) {
	i, found := slices.BinarySearchFunc(j.Windows, r.From, func(w window.Window, from window.Local) int { return int(w.From - from) })
	if !found || j.Windows[i].Range != r {
		return w, false
	}
	return j.Windows[i], true
}

// prepare reads an answer for the descent.
func prepare(rows []rawRow) descend.Answer {
	tally := transform.Keys(rows)
	answer := descend.Answer{Rows: rows, Usable: tally.Usable, Total: tally.Total}
	if tally.Usable {
		answer.Counts = make(map[descend.Key]int64, len(tally.Counts))
		for k, n := range tally.Counts {
			answer.Counts[descend.Key(k)] = n
		}
		answer.Labels = make(map[descend.Key]string, len(tally.Labels))
		for k, label := range tally.Labels {
			answer.Labels[descend.Key(k)] = label
		}
	}
	return answer
}
