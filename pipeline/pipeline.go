package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"wolkpipe/pipeline/chat7"
	"wolkpipe/pipeline/codes"
	"wolkpipe/pipeline/doctor"
	"wolkpipe/pipeline/erase"
	"wolkpipe/pipeline/extract"
	"wolkpipe/pipeline/journal"
	"wolkpipe/pipeline/lease"
	"wolkpipe/pipeline/notice"
	"wolkpipe/pipeline/plan"
	"wolkpipe/pipeline/window"
	"wolkpipe/schemas"
	"wolkpipe/sinks"
)

// StateBucket holds what an installation must remember and cannot derive.
const StateBucket = "CHAT7_STATE"

// Options of a Pipeline; all are needed but those said to be optional.
type Options struct {
	Version    string
	NATS       *nats.Conn // its streams must have been checked
	Owner      string     // identity of the data folder, which one process at a time holds
	Replicas   int        // of the bucket; 0 means 1
	Operations []Operation
	Sinks      []Sink
	AgentKey   []byte        // optional: agents' names become a hash keyed with it
	Clock      extract.Clock // optional
	SweepEvery time.Duration // optional: how often every day is compared; 0 means daily
	LookOnly   bool          // optional: Status is wanted, Run is not
	Fill       bool          // optional: only backfills asked for by this process are wanted, no live polling
	Trouble    func() error  // optional: why the streams cannot be written, nil while they can
	Registerer prometheus.Registerer
	Log        *slog.Logger
}

// Operation is one operation to keep covered.
type Operation struct {
	Name   string        // part of subjects and paths
	Source chat7.Options // where and with which token it is asked
	Zone   window.Zone
	Grid   window.Grid
	Delay  time.Duration
	Since  *window.Date    // nil: the day of the first run
	Ages   []time.Duration // at which a day is compared with the source again; rising
	Sum    bool            // rows alike to the byte are summed, not dropped
	Quota  int64           // calls a day; 0: ask the source
}

// Sink is a sink with the name that the configuration gives it.
type Sink struct {
	Name string
	sinks.Sink
}

// Pipeline runs the stages. Make it with New.
type Pipeline struct {
	o        Options
	js       jetstream.JetStream
	journal  *journal.Journal
	leases   *lease.Leases // nil when only looking
	asked    *asked
	codes    keeping
	notices  *notice.Book
	erased   *erase.Book
	rejected rejected
	source   *source
	state    jetstream.KeyValue
	pollers  []*extract.Poller
	workers  []*worker
	started  time.Time
	beat     heartbeat
}

// New prepares a pipeline: it opens the journal and chooses where coverage
// begins. Nothing is asked of a source before Run.
func New(ctx context.Context, o Options) (*Pipeline, error) {
	if o.Clock == nil {
		o.Clock = extract.System{}
	}
	if o.Trouble == nil {
		o.Trouble = func() error { return nil }
	}
	if o.SweepEvery == 0 {
		o.SweepEvery = 24 * time.Hour
	}
	js, err := jetstream.New(o.NATS)
	if err != nil {
		return nil, fmt.Errorf("opening JetStream: %w", err)
	}
	p := &Pipeline{o: o, js: js, rejected: rejected{js: js}, started: o.Clock.Now()}
	p.beat.last.Store(time.Now().UnixNano())
	if p.journal, err = journal.Open(ctx, js); err != nil {
		return nil, err
	}
	state, err := js.KeyValue(ctx, StateBucket) // as it is: its settings are the operator's
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		state, err = js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
			Bucket: StateBucket, Description: "wolkpipe: what cannot be derived", Replicas: max(o.Replicas, 1),
		})
	}
	if err != nil {
		return nil, fmt.Errorf("opening bucket %s: %w", StateBucket, err)
	}
	p.state = state
	metrics := extract.NewMetrics(o.Registerer)
	if !o.LookOnly {
		p.leases, err = lease.Open(ctx, js, lease.Options{Owner: o.Owner, Replicas: o.Replicas, Clock: o.Clock, Log: o.Log})
		if err != nil {
			return nil, err
		}
	}
	if p.asked, err = openAsked(ctx, state, o.Fill); err != nil {
		return nil, err
	}
	if p.codes.Book, err = codes.Open(ctx, state, o.Log); err != nil {
		return nil, err
	}
	if p.notices, err = notice.Open(ctx, state, o.Log); err != nil {
		return nil, err
	}
	if p.erased, err = erase.Open(ctx, state, o.Log); err != nil {
		return nil, err
	}
	for _, op := range o.Operations {
		since, err := p.since(ctx, state, op)
		if err != nil {
			return nil, err
		}
		poller, err := extract.New(extract.Options{
			Operation: op.Name, Source: op.Source, Sum: op.Sum, Quota: op.Quota,
			Live:      plan.Live{Zone: op.Zone, Grid: op.Grid, Delay: op.Delay, Since: since, Ages: op.Ages},
			Backfills: p.asked, Fill: o.Fill, Codes: p.codes.Book, Notices: p.notices, Erased: p.erased,
			Learned: func(ctx context.Context) (extract.Learned, error) { return learned(ctx, state, op.Name) },
			Leases:  p.leases, Journal: p.journal, Clock: o.Clock, Metrics: metrics, Log: o.Log,
		})
		if err != nil {
			return nil, fmt.Errorf("operation %s: %w", op.Name, err)
		}
		p.pollers = append(p.pollers, poller)
	}
	source := newSource(p.journal, o.AgentKey, p.codes.Texts, p.erased)
	p.source = source
	for _, s := range o.Sinks {
		p.workers = append(p.workers, newWorker(s.Name, s.Sink, source, o.Log))
	}
	p.register()
	return p, nil
}

// learned is what `wolkpipe doctor` has stored of an operation.
func learned(ctx context.Context, state jetstream.KeyValue, operation string) (l extract.Learned, err error) {
	finding, _, err := doctor.Load(ctx, state, operation)
	if finding.ExclusiveEnd != nil {
		l.Exclusive = *finding.ExclusiveEnd
	}
	if finding.Additive != nil {
		l.Additive, l.Examined = *finding.Additive, true
	}
	return l, err
}

func (p *Pipeline) since(ctx context.Context, state jetstream.KeyValue, op Operation) (window.Date, error) {
	if op.Since != nil {
		return *op.Since, nil
	}
	return extract.Since(ctx, state, op.Name, op.Zone.Local(p.o.Clock.Now()).Date(), !p.o.LookOnly && !p.o.Fill)
}

// Look makes Status tell what the journal holds, without running.
func (p *Pipeline) Look(ctx context.Context) error {
	for _, poller := range p.pollers {
		if err := poller.Load(ctx); err != nil {
			return err
		}
	}
	return nil
}

// drainTime bounds how long a stopping pipeline lets the sinks take what the
// pollers recorded last. What they do not take, they take at the next start.
const drainTime = 10 * time.Second

// Run works until ctx ends, then drains: calls under way are abandoned, what
// was answered is recorded, and the sinks get a while to take it. It fails
// only if it cannot start, or the sinks' router ends.
func (p *Pipeline) Run(ctx context.Context) error {
	router, err := p.route()
	if err != nil {
		return err
	}
	service, err := p.serve()
	if err != nil {
		return err
	}
	defer func() { _ = service.Stop() }()

	// The sinks outlive the pollers.
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	routed := make(chan error, 1)
	go func() { routed <- router.Run(working) }()
	select {
	case <-router.Running():
	case err := <-routed:
		return fmt.Errorf("starting the sinks: %w", errors.Join(err, router.Close()))
	}
	polling, stopPolling := context.WithCancel(ctx)
	defer stopPolling()
	var sinking, pollers sync.WaitGroup
	sinking.Go(func() { p.sweep(working) })
	sinking.Go(func() { p.keepCodes(working) })
	sinking.Go(func() { p.beat.run(working) })
	for _, poller := range p.pollers {
		pollers.Go(func() { p.poll(polling, poller) })
	}
	select {
	case <-ctx.Done():
		err = nil
	case err = <-routed: // without its sinks it does half of its work: let it be started again
		err = errors.Join(errors.New("the router of the sinks ended"), err)
		stopPolling()
	}
	pollers.Wait()
	p.letGo(working)
	p.drain(working)
	p.putLast(working)
	stop()
	if err := router.Close(); err != nil {
		p.o.Log.Warn("the sinks did not finish in time; they go on at the next start", "error", err)
	}
	sinking.Wait()
	return err
}

// letGo gives up the leases: others need not wait for the sinks to drain.
func (p *Pipeline) letGo(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err := p.leases.Close(ctx); err != nil {
		p.o.Log.Warn("the lease of a token was not given up; another process waits for its end", "error", err)
	}
}

// poll runs a poller, again after a failure of the journal.
func (p *Pipeline) poll(ctx context.Context, poller *extract.Poller) {
	for {
		err := safely(func() error { return poller.Run(ctx) })
		if ctx.Err() != nil {
			return
		}
		p.o.Log.Error("polling stopped; trying again in a while", "operation", poller.Operation, "error", err)
		if p.o.Clock.Sleep(ctx, 10*time.Second) != nil {
			return
		}
	}
}

// safely makes an error of a panic: what one operation's source sends must
// not end the others.
func safely(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return f()
}

// sweep converges every sink with every day of the journal, at the start and
// then regularly: it needs no hint, so one that was lost does no harm, and a
// sink that is new fills itself.
func (p *Pipeline) sweep(ctx context.Context) {
	for ctx.Err() == nil {
		wait := p.o.SweepEvery
		if err := p.ConvergeAll(ctx); err != nil && ctx.Err() == nil {
			p.o.Log.Warn("comparing the sinks with the journal; trying again in a while", "error", err)
			wait = min(wait, time.Minute)
		}
		_ = extract.System{}.Sleep(ctx, wait)
	}
}

// ConvergeAll makes every sink hold every day of the journal, and returns
// when each has been tried. The error is the first.
func (p *Pipeline) ConvergeAll(ctx context.Context) error {
	days, err := p.journal.Days(ctx, "")
	if err != nil {
		return err
	}
	keys := make([]sinks.Key, len(days))
	for i, day := range days {
		keys[i] = sinks.Key{Operation: day.Operation, Day: day.Day.String()}
	}
	var all errgroup.Group
	for _, w := range p.workers {
		all.Go(func() error { return w.sweepAll(ctx, keys, true) })
	}
	return all.Wait()
}

// drain waits until the sinks have taken what the journal told them of.
func (p *Pipeline) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, drainTime)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for p.pending(ctx) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// LetGo gives up the leases of a pipeline that was not run.
func (p *Pipeline) LetGo(ctx context.Context) error { return p.leases.Close(ctx) }

// Converge makes every sink hold an operation's days, both included, without
// waiting for hints. The error is the first.
func (p *Pipeline) Converge(ctx context.Context, operation string, from, to window.Date) error {
	var keys []sinks.Key
	for date := from; date <= to; date++ {
		keys = append(keys, sinks.Key{Operation: operation, Day: date.String()})
	}
	for _, w := range p.workers {
		if err := w.sweepAll(ctx, keys, false); err != nil {
			return err
		}
	}
	return nil
}

// pending reports whether any sink has hints that are not acknowledged.
func (p *Pipeline) pending(ctx context.Context) bool {
	for _, w := range p.workers {
		consumer, err := p.js.Consumer(ctx, schemas.JournalStream, w.durable())
		if err != nil {
			return ctx.Err() == nil
		}
		if info := consumer.CachedInfo(); w.status().Error == "" && (info.NumPending > 0 || info.NumAckPending > 0) {
			return true // one that fails is not waited for
		}
	}
	return false
}
