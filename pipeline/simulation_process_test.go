package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"wolkpipe/pipeline/chat7"
	"wolkpipe/pipeline/codes"
	"wolkpipe/pipeline/extract"
	"wolkpipe/pipeline/journal"
	"wolkpipe/pipeline/lease"
	"wolkpipe/pipeline/notice"
	"wolkpipe/pipeline/plan"
	"wolkpipe/sinks"
)

// simProcess is one start of one process: a pipeline made of the same parts as
// [New] makes it, but for Watermill's router, that hands hints on.
type simProcess struct {
	*Pipeline
	link    *simLink
	conn    *nats.Conn
	ctx     context.Context
	cancel  context.CancelFunc
	polling sync.WaitGroup
}

func (w *simWorld) start(owner string, number int) (*simProcess, error) {
	clocks := map[string]*simClock{}
	link := &simLink{w: w, process: fmt.Sprintf("%s.%d", owner, number), gone: make(chan struct{})}
	link.unsure = func(subject string) {
		if key, err := journal.ParseSubject(subject); err == nil {
			clocks[key.Operation].unsure.Store(true)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	conn, err := link.dial()
	if err != nil {
		cancel()
		return nil, err
	}
	js := &simJetStream{link: link, conn: conn}
	p := &simProcess{link: link, conn: conn, ctx: ctx, cancel: cancel, Pipeline: &Pipeline{
		o:  Options{Owner: owner, Clock: extract.System{}, SweepEvery: w.sweepEvery, Log: slog.New(slog.DiscardHandler)},
		js: js,
	}}
	err = p.compose(ctx, w, clocks)
	if err != nil {
		p.kill()
		return nil, err
	}
	for i, poller := range p.pollers {
		wait := takes(w.dice.of(link.process+" begins"), time.Second, time.Minute) + time.Duration(i)*time.Second
		p.polling.Go(func() {
			if sleep(ctx, link, wait) == nil {
				p.poll(ctx, poller)
			}
		})
	}
	go p.sweep(ctx)
	return p, nil
}

func (p *simProcess) compose(ctx context.Context, w *simWorld, clocks map[string]*simClock) (err error) {
	if p.journal, err = journal.Open(ctx, p.js); err != nil {
		return err
	}
	if p.state, err = p.js.KeyValue(ctx, StateBucket); err != nil {
		return err
	}
	if p.leases, err = lease.Open(ctx, p.js, lease.Options{Owner: p.o.Owner, Clock: simLeaseClock{link: p.link}, Log: p.o.Log}); err != nil {
		return err
	}
	if p.asked, err = openAsked(ctx, p.state, false); err != nil {
		return err
	}
	if p.codes.Book, err = codes.Open(ctx, p.state, p.o.Log); err != nil {
		return err
	}
	if p.notices, err = notice.Open(ctx, p.state, p.o.Log); err != nil {
		return err
	}
	for _, op := range w.operations {
		clock, transport := &simClock{link: p.link, name: op.Name}, &simTransport{link: p.link, name: op.Name}
		apart := takes(w.dice.of(p.link.process+" "+op.Name), time.Millisecond, time.Second) // nothing is due at one instant
		ages := slices.Clone(op.Ages)
		for i := range ages {
			ages[i] += apart
		}
		clocks[op.Name] = clock
		poller, err := extract.New(extract.Options{
			Operation: op.Name, Quota: op.Quota, Sum: op.Sum,
			Source: chat7.Options{
				BaseURL: "http://source", Transport: transport,
				Token: func(context.Context) (string, error) { return simToken, nil },
			},
			Live:      plan.Live{Zone: op.Zone, Grid: op.Grid, Delay: op.Delay + apart, Since: *op.Since, Ages: ages},
			Backfills: p.asked, Codes: p.codes.Book, Notices: p.notices,
			Learned: func(context.Context) (extract.Learned, error) { return w.learned, nil },
			Leases:  p.leases, Journal: p.journal, Clock: clock,
			Metrics: extract.NewMetrics(prometheus.NewRegistry()), Log: p.o.Log,
		})
		if err != nil {
			return err
		}
		clock.poller, transport.poller = poller, poller
		p.pollers = append(p.pollers, poller)
	}
	p.source = newSource(p.journal, nil, p.codes.Texts, nil)
	for _, name := range []string{"events", "memory"} {
		sink := &simSink{Sink: w.sinks[name], name: name, link: p.link}
		p.workers = append(p.workers, newWorker(name, sink, p.source, p.o.Log))
	}
	return nil
}

// hint lets a worker converge a day until it has.
func (p *simProcess) hint(worker int, key sinks.Key) {
	w := p.workers[worker]
	for failed := 0; p.ctx.Err() == nil; failed++ {
		if w.sweep(p.ctx, key) == nil {
			return
		}
		wait := takes(p.link.w.dice.of(p.link.process+" waits "+w.name+key.String()), time.Second<<min(failed, 5), time.Minute)
		if sleep(p.ctx, p.link, wait) != nil {
			return
		}
	}
}

// kill ends the process at this instant: nothing that it still has to say
// leaves it, but for what has left already.
func (p *simProcess) kill() {
	close(p.link.gone)
	p.cancel()
	p.conn.Close()
}

// end lets the process drain first.
func (p *simProcess) end() {
	p.cancel()
	p.polling.Wait()
	if p.leases != nil {
		_ = p.leases.Close(context.Background())
	}
	p.kill()
}
