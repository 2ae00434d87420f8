package extract

import (
	"context"
	"errors"
	"slices"
	"time"

	"wolkpipe/pipeline/backfill"
	"wolkpipe/pipeline/lease"
	"wolkpipe/pipeline/plan"
	"wolkpipe/pipeline/window"
)

// Backfills tells what was asked for.
type Backfills interface {
	// All gives an operation's requests in the order of asking.
	All(operation string) []backfill.Request
	// Changed is closed when a request changes after the call.
	Changed() <-chan struct{}
	// End notes that a request has come to its end.
	End(ctx context.Context, id string, state backfill.State, now time.Time) error
}

type none struct{}

func (none) All(string) []backfill.Request                                { return nil }
func (none) Changed() <-chan struct{}                                     { return nil }
func (none) End(context.Context, string, backfill.State, time.Time) error { return nil }

// fill goes on with the backfill that was asked for first. One whose days are
// all observed, and compared where that is due, is done.
func (p *Poller) fill(ctx context.Context, now time.Time) (busy bool, err error) {
	active := p.active()
	if !slices.ContainsFunc(active, func(r backfill.Request) bool { return r.ID() == p.fillingFor }) {
		p.filling = nil // cancelled
	}
	for _, r := range active {
		b := p.backfill(r)
		_, missing := p.Live.Progress(now, &p.coverage, b)
		if missing == 0 && p.unsettled(now, r.From, r.To) == 0 {
			return true, p.done(ctx, r, now)
		}
		if p.filling != nil && p.fillingFor != r.ID() {
			continue // what was begun is gone on with
		}
		p.fillingFor = r.ID()
		busy, err := p.establish(ctx, now, &p.filling, lease.Backfill, func() (plan.Job, bool) {
			return p.Live.Fill(now, &p.coverage, b, p.putOff(now))
		})
		if busy || err != nil {
			return busy, err
		}
	}
	return false, nil
}

// done notes the end of a backfill, once all that it brought is in the journal.
func (p *Poller) done(ctx context.Context, r backfill.Request, now time.Time) error {
	if err := p.flush(ctx); err != nil {
		return err
	}
	if _, missing := p.Live.Progress(now, &p.coverage, p.backfill(r)); missing > 0 {
		return nil // the journal refused some of it
	}
	err := p.Backfills.End(ctx, r.ID(), backfill.Done, now)
	if err == nil {
		p.Log.Info("a backfill is done", "id", r.ID())
	}
	if err == nil || errors.Is(err, backfill.ErrEnded) || errors.Is(err, backfill.ErrUnknown) || ctx.Err() != nil {
		return nil // or cancelled meanwhile
	}
	p.Log.Warn("the end of a backfill is not written yet", "id", r.ID(), "error", err)
	p.jobRest = now.Add(lastWait)
	return nil
}

// takeOver has the days read of backfills that ended since it was last called:
// another process may have filled them.
func (p *Poller) takeOver() {
	for _, r := range p.Backfills.All(p.Operation) {
		if r.State == backfill.Active || r.Ended.Equal(p.ended[r.ID()]) {
			continue
		}
		p.ended[r.ID()] = r.Ended
		for day := r.From; day <= r.To; day++ {
			p.unread = append(p.unread, day)
		}
	}
}

func (p *Poller) active() (all []backfill.Request) {
	for _, r := range p.Backfills.All(p.Operation) {
		if r.State == backfill.Active {
			all = append(all, r)
		}
	}
	return all
}

func (p *Poller) backfill(r backfill.Request) plan.Backfill {
	return plan.Backfill{From: r.From, To: r.To, Grid: r.Grid}
}

// Backfill is a request and how far it has come.
type Backfill struct {
	ID         string         `json:"id"`
	Operation  string         `json:"operation"`
	From       string         `json:"from"`
	To         string         `json:"to"`
	State      backfill.State `json:"state"`
	Asked      time.Time      `json:"asked_at"`
	Ended      time.Time      `json:"ended_at,omitzero"`
	Windows    int            `json:"windows"`         // due by now
	Missing    int            `json:"windows_missing"` // of them not observed
	Uncompared int            `json:"days_uncompared"` // complete, and to be compared with the source
}

// backfills tells of the requests that are active, or ended a short while ago.
func (p *Poller) backfills(now time.Time) []Backfill {
	all := []Backfill{} // an array in JSON whatever happens
	for _, r := range p.Backfills.All(p.Operation) {
		if r.State != backfill.Active && now.Sub(r.Ended) > endedFor {
			continue
		}
		b := Backfill{
			ID: r.ID(), Operation: r.Operation, From: r.From.String(), To: r.To.String(),
			State: r.State, Asked: r.Asked, Ended: r.Ended,
		}
		b.Windows, b.Missing = p.Live.Progress(now, &p.coverage, p.backfill(r))
		b.Uncompared = p.Live.Uncompared(now, &p.coverage, r.From, r.To, func(window.Date, time.Duration) bool { return false })
		all = append(all, b)
	}
	return all
}

// endedFor is how long a request is told of after its end.
const endedFor = 7 * 24 * time.Hour

// Forecast tells what a request will take. Call Load before it, or Run.
func (p *Poller) Forecast(r backfill.Request, quota plan.Quota, costs plan.Costs) plan.Forecast {
	return p.Live.Forecast(p.Clock.Now(), &p.coverage, p.backfill(r), quota, costs)
}
