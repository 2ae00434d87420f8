package extract

import (
	"context"
	"time"

	"wolkpipe/pipeline/descend"
	"wolkpipe/pipeline/journal"
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
	todo, ok := p.Live.CatchUp(now, &p.coverage)
	if !ok {
		return nil
	}
	j := &job{Job: todo, days: map[window.Date]*journal.Day{}}
	for _, w := range todo.Windows {
		date := w.From.Date()
		if j.days[date] != nil {
			continue
		}
		day, err := p.before(ctx, date)
		if err != nil {
			return err
		}
		if day.Grid != 0 && day.Grid.Seconds() != w.Seconds() {
			return nil // it has just been found to have other windows: plan anew
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
	case tooMuch(err) && p.job.descent.Failed(r):
		return nil
	case err != nil:
		return p.failed(ctx, err)
	}
	p.succeeded()
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
	if r.Seconds() <= p.coverage.Grid(r.From.Date()).Seconds() {
		return p.fetch(ctx, r)
	}
	return p.once(ctx, r)
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
