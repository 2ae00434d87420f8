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
	descent *descend.Descent
	days    map[window.Date]*journal.Day // as they were before the first call
}

// take begins the job that the plan says is next; there may be none.
func (p *Poller) take(ctx context.Context, now time.Time) error {
	todo, ok := p.Live.CatchUp(now, &p.coverage, p.putOff(now))
	if !ok {
		return nil
	}
	j := &job{Job: todo, days: map[window.Date]*journal.Day{}}
	for _, w := range todo.Windows {
		date := w.From.Date()
		if j.days[date] != nil {
			continue
		}
		known := p.seen[date]
		day, err := p.before(ctx, date)
		if err != nil {
			return err
		}
		if p.seen[date] != known {
			return nil // another process has recorded something: plan anew
		}
		j.days[date] = day
	}
	var err error
	if j.descent, err = descend.New(todo.Windows, descend.Options{Derive: p.learned.Additive}); err != nil {
		return wrap("planning what to ask for", err)
	}
	p.job = j
	return nil
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
func (p *Poller) stuck(r window.Range) {
	p.failures.forget(r)
	p.jobRest = time.Time{}
	if p.job.descent.Failed(r) {
		return
	}
	p.Log.Error("a window keeps failing; it is put off, and the others go on", "window", r.From.String(), "for", deferFor)
	p.deferred[r.From] = p.Clock.Now().Add(deferFor)
	p.job = nil
}

// appended notes that a chunk of a day was appended after message after: the
// job's answers may still be recorded, behind it.
func (j *job) appended(date window.Date, after, seq uint64) {
	if j == nil || j.days[date] == nil || j.days[date].Seq != after {
		return
	}
	day := *j.days[date]
	day.Seq = seq
	j.days[date] = &day
}

// advance makes the job's next call, and records what it established.
func (p *Poller) advance(ctx context.Context) error {
	r, ok := p.job.descent.Next()
	if !ok {
		p.job = nil
		return p.flush(ctx)
	}
	rows, err := p.askRange(ctx, r)
	switch {
	case err == nil:
	case errors.Is(err, errMoved):
		p.job = nil // what was planned may have been done
		return nil
	case tooMuch(err) && p.job.descent.Failed(r):
		return nil
	default:
		if err := p.failed(ctx, r, err, &p.jobRest); err != nil {
			return err
		}
		if p.job != nil && p.failures.stuck(r) {
			p.stuck(r)
		}
		return nil
	}
	p.succeeded(r)
	p.job.descent.Answered(r, prepare(rows))
	for _, result := range p.job.descent.Take() {
		w := established{result.Window, schemas.Method(result.Method), result.Rows}
		if err := p.record(ctx, p.job.days[result.Window.From.Date()], p.job.Cause, w); err != nil {
			return err
		}
		if p.job == nil {
			return nil // refused by the journal: planned anew
		}
	}
	return nil
}

// askRange asks for one window, in parts if need be, or for more in one call.
func (p *Poller) askRange(ctx context.Context, r window.Range) ([]rawRow, error) {
	kind := lease.Catchup
	if p.job.Cause == schemas.Backfill {
		kind = lease.Backfill
	}
	if w, ok := p.job.single(r); ok {
		return p.fetch(ctx, kind, w)
	}
	end := p.job.Windows[0].End
	for _, w := range p.job.Windows {
		if w.From < r.To && w.End.After(end) {
			end = w.End
		}
	}
	return p.once(ctx, kind, r, end)
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
