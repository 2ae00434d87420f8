package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"wolkpipe/pipeline/trace"
	"wolkpipe/sinks"
)

// parallel is how many days one sink converges at once: waiting for a disk
// or a store is most of the work. More than two were measured to be slower
// where all of them wait for one stream. A sink that gathers what is committed
// at the same time says itself how many it wants: [sinks.Batcher].
const parallel = 2

// worker brings one sink to hold what the journal says, a day at a time.
//
// A hint says only that a day moved. Of several hints for one day the last
// is enough: it is acknowledged when the sink holds the day including it, and
// the earlier ones at once, since the last, unacknowledged, comes again after
// a crash. So a sink that is down holds up one hint a day, no more.
type worker struct {
	name   string
	sink   sinks.Sink
	source sinks.Source
	log    *slog.Logger
	slots  chan struct{}
	batch  int // days that a sweep converges at once

	mu      sync.Mutex
	days    map[sinks.Key]*daywork
	failing map[sinks.Key]string // days whose last attempt failed, and why
	backlog int                  // windows of hints that the sink does not hold yet
	total   sinks.Change
}

type daywork struct {
	turn     chan struct{} // holds one token: one convergence of a day at a time
	done     uint64        // the journal's sequence up to which the sink held the day
	newest   uint64        // the latest hint
	replaced chan struct{} // closed when a newer hint comes
	users    int
	owed     int          // of the backlog, superseded hints' windows included
	told     []told       // hints in a trace, that the sink does not hold yet
	by       trace.Origin // the convergence that done is of
}

func newWorker(name string, sink sinks.Sink, source sinks.Source, log *slog.Logger) *worker {
	batch := 1
	if b, ok := sink.(sinks.Batcher); ok {
		batch = b.Batch()
	}
	return &worker{
		name: name, sink: sink, source: source, log: log.With("sink", name), batch: batch,
		slots: make(chan struct{}, max(parallel, batch)), days: map[sinks.Key]*daywork{}, failing: map[sinks.Key]string{},
	}
}

// durable is the consumer of the journal that brings the sink's hints.
func (w *worker) durable() string { return "sink_" + w.name }

// hint converges a day up to the journal's message seq, which tells of so
// many windows. It returns nil early when a newer hint takes over.
func (w *worker) hint(ctx context.Context, key sinks.Key, seq uint64, windows int) (err error) {
	w.mu.Lock()
	d := w.join(key)
	if seq > d.done {
		w.backlog, d.owed = w.backlog+windows, d.owed+windows
	}
	if seq > d.newest {
		if d.replaced != nil {
			close(d.replaced)
		}
		d.newest, d.replaced = seq, make(chan struct{})
	}
	d.tell(ctx, seq)
	replaced := d.replaced
	superseded := seq < d.newest
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if err != nil { // it comes again
			w.forgive(d, windows)
		}
		w.part(key, d)
	}()
	for failed := 0; !superseded; failed++ {
		err := w.attempt(ctx, key, seq, d, replaced)
		if err == nil || ctx.Err() != nil {
			return err
		}
		wait := retryWait(failed)
		w.log.Warn("a sink failed; trying again", "operation", key.Operation, "day", key.Day, "in", wait.Round(time.Millisecond), "error", err)
		select {
		case <-time.After(wait):
		case <-replaced:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// retryWait doubles from 200 ms to 1 min, with jitter.
func retryWait(failed int) time.Duration {
	wait := time.Minute
	if failed < 8 {
		wait = 200 * time.Millisecond << failed
	}
	return wait/2 + rand.N(wait/2+1)
}

// attempt converges a day once, unless that has been done or a newer hint
// takes over.
func (w *worker) attempt(ctx context.Context, key sinks.Key, seq uint64, d *daywork, replaced <-chan struct{}) error {
	select {
	case <-d.turn:
	case <-replaced:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { d.turn <- struct{}{} }()
	w.mu.Lock()
	done, by := d.done >= seq, d.by
	w.mu.Unlock()
	if done {
		w.held(ctx, key, by)
		return nil
	}
	return w.converge(ctx, key, d)
}

// sweep converges a day whatever hints have said.
func (w *worker) sweep(ctx context.Context, key sinks.Key) error {
	w.mu.Lock()
	d := w.join(key)
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.part(key, d)
	}()
	select {
	case <-d.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { d.turn <- struct{}{} }()
	return w.converge(ctx, key, d)
}

// sweepAll sweeps days. The error is the first; without goOn no day is begun
// after it.
func (w *worker) sweepAll(ctx context.Context, keys []sinks.Key, goOn bool) error {
	var failed atomic.Pointer[error]
	var g errgroup.Group
	g.SetLimit(w.batch)
	for _, key := range keys {
		if !goOn && failed.Load() != nil {
			break
		}
		g.Go(func() error {
			if err := w.sweep(ctx, key); err != nil {
				failed.CompareAndSwap(nil, &err)
			}
			return nil
		})
	}
	_ = g.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

// join and part count who works on a day, so that its record lives no longer
// than it is needed. w.mu is held.
func (w *worker) join(key sinks.Key) *daywork {
	d := w.days[key]
	if d == nil {
		d = &daywork{turn: make(chan struct{}, 1)}
		d.turn <- struct{}{}
		w.days[key] = d
	}
	d.users++
	return d
}

func (w *worker) part(key sinks.Key, d *daywork) {
	if d.users--; d.users == 0 {
		w.forgive(d, d.owed)
		delete(w.days, key)
	}
}

// forgive takes windows of a day off the backlog. w.mu is held.
func (w *worker) forgive(d *daywork, windows int) {
	windows = min(windows, d.owed)
	w.backlog, d.owed = w.backlog-windows, d.owed-windows
}

// converge does it, with the day's turn held.
func (w *worker) converge(ctx context.Context, key sinks.Key, d *daywork) error {
	select {
	case w.slots <- struct{}{}:
		defer func() { <-w.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	// Not by a deadline: a request to NATS under one waits until then for an
	// answer that an election has lost, without one for the client's own time.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer time.AfterFunc(convergeTime, cancel).Stop()
	ctx, traced := w.traced(ctx, key, d)
	change, seq, err := sinks.Converge(ctx, traced.sink, traced.source, key)
	traced.end(change, err)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.total.Add(change)
	if err != nil {
		w.failing[key] = err.Error()
		return fmt.Errorf("sink %s: %w", w.name, err)
	}
	d.holds(ctx, seq)
	delete(w.failing, key)
	if d.done >= d.newest {
		w.forgive(d, d.owed)
	}
	return nil
}

// convergeTime bounds one attempt: a store that hangs must not hold a place
// for ever.
const convergeTime = 5 * time.Minute

// SinkStatus is what an operator wants to know of one sink.
type SinkStatus struct {
	Name    string       `json:"name"`
	Backlog int          `json:"backlog_windows"` // told of by the journal and not yet held
	Change  sinks.Change `json:"written"`         // since the process started
	Failing int          `json:"days_failing"`    // days whose last attempt failed
	Error   string       `json:"error,omitempty"` // of one of them
}

func (w *worker) status() SinkStatus {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := SinkStatus{Name: w.name, Backlog: w.backlog, Change: w.total, Failing: len(w.failing)}
	for key, err := range w.failing {
		if s.Error == "" || err < s.Error { // any, but always the same
			s.Error = key.String() + ": " + err
		}
	}
	return s
}

// convergeAll makes the sink hold days, as many at once as it wants, for a
// command that waits for it. told is given how many are done.
func (w *worker) convergeAll(ctx context.Context, keys []sinks.Key, told func(done int)) (total sinks.Change, err error) {
	var all errgroup.Group
	all.SetLimit(w.batch)
	var mu sync.Mutex
	done := 0
	for _, key := range keys {
		all.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			change, _, err := sinks.Converge(ctx, w.sink, w.source, key)
			mu.Lock()
			defer mu.Unlock()
			total.Add(change)
			if err != nil {
				return fmt.Errorf("sink %s: %w", w.name, err)
			}
			done++
			told(done)
			return nil
		})
	}
	err = all.Wait()
	return total, err
}
