package pipeline

import (
	"context"
	"slices"
	"sync"
	"time"

	"wolkpipe/pipeline/extract"
	"wolkpipe/pipeline/status"
	"wolkpipe/pipeline/window"
)

// Page gives the status page what it shows. All but a day's windows comes from
// memory, and the quarantine's counts from one request for all operations.
type Page struct {
	p *Pipeline

	mu    sync.Mutex
	taken time.Time
	last  status.Installation
}

// NewPage makes the page of p.
func NewPage(p *Pipeline) *Page { return &Page{p: p} }

const (
	stripDays = 35          // of each operation, on the overview
	pageAge   = time.Second // for so long all who look are shown the same
)

// Installation is the overview.
func (g *Page) Installation(ctx context.Context) status.Installation {
	g.mu.Lock()
	defer g.mu.Unlock()
	if time.Since(g.taken) < pageAge {
		return g.last
	}
	p := g.p
	now := p.o.Clock.Now()
	s := status.Installation{
		Version: p.o.Version, Now: now, Started: p.started, NATS: p.connection(),
	}
	for _, poller := range p.pollers {
		today := poller.Live.Zone.Local(now).Date()
		s.Operations = append(s.Operations, g.operation(ctx, poller, today-stripDays+1, today))
	}
	for _, w := range p.workers {
		k := w.status()
		s.Sinks = append(s.Sinks, status.Sink{
			Name: k.Name, Backlog: k.Backlog, Failing: k.Failing, Error: k.Error,
			Windows: int64(k.Change.Windows), Rows: int64(k.Change.Rows),
		})
	}
	g.last, g.taken = s, time.Now()
	return s
}

// Operation is one operation with the days from one to another, both included.
func (g *Page) Operation(ctx context.Context, name, from, to string) (status.Operation, error) {
	poller := g.poller(name)
	first, err1 := window.ParseDate(from)
	last, err2 := window.ParseDate(to)
	if poller == nil || err1 != nil || err2 != nil {
		return status.Operation{}, status.ErrUnknown
	}
	return g.operation(ctx, poller, first, min(last, first+mostDays-1)), nil
}

func (g *Page) poller(name string) *extract.Poller {
	i := slices.IndexFunc(g.p.pollers, func(o *extract.Poller) bool { return o.Operation == name })
	if i < 0 {
		return nil
	}
	return g.p.pollers[i]
}

func (g *Page) operation(ctx context.Context, poller *extract.Poller, from, to window.Date) status.Operation {
	s, live := poller.Status(), poller.Live
	o := status.Operation{
		Name: s.Operation, Zone: live.Zone.Location(), Now: g.p.o.Clock.Now(), Since: live.Since.String(), First: poller.First().String(),
		Every: time.Duration(live.Grid), Delay: live.Delay,
		State: s.State, Error: s.Error, Reading: s.Reading,
		LastWindow: s.LastWindow, LastEnd: s.LastEnd, LastAnswer: s.LastAnswer, Due: s.Due, Missing: s.Missing,
		Settled: s.Settling.Settled, Provisional: s.Settling.Provisional, Corrected: s.Settling.Corrected, Advice: s.Settling.Advice,
	}
	if s.Until != nil {
		o.Until = *s.Until
	}
	outlook := poller.Outlook()
	o.Quota = status.Quota{Needed: outlook.Needed, Until: outlook.Until, Short: outlook.Short}
	if s.QuotaLimit != nil && s.QuotaLeft != nil {
		o.Quota.Limit, o.Quota.Left = *s.QuotaLimit, *s.QuotaLeft
	}
	for _, b := range s.Backfills {
		o.Backfills = append(o.Backfills, status.Backfill{
			ID: b.ID, From: b.From, To: b.To, State: string(b.State), Asked: b.Asked, Ended: b.Ended,
			Windows: b.Windows, Missing: b.Missing, Uncompared: b.Uncompared,
		})
	}
	for _, n := range g.p.notices.Standing(s.Operation) {
		o.Notices = append(o.Notices, status.Notice{Kind: string(n.Kind), Text: n.Text, Since: n.FirstAt})
	}
	days, known := g.p.rejected.of(ctx, s.Operation)
	if !known {
		o.Quarantined = -1
	}
	for _, n := range days {
		o.Quarantined += int64(n)
	}
	for _, d := range poller.Days(from, to) {
		o.Days = append(o.Days, status.Day{
			Day: d.Date.String(), Filling: d.Filling, Recorded: d.Recorded, Settled: d.Settled, Due: d.Due, Missing: d.Missing,
			Corrected: d.Corrected, Rejected: days[d.Date],
		})
	}
	return o
}
