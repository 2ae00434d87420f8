// Package extract asks the source and records its answers in the journal.
//
// A [Poller] keeps one operation covered: it takes the next window from the
// plan, asks for it, and appends what it learned as a chunk. A window counts
// as observed when the journal has acknowledged it, never before. An error is
// never read as "no rows": only an answer that proves emptiness is.
//
// One call at a time is in flight on a token, whichever operations share it
// ([Gates]). Failures are waited out by their kind: see [Poller.Run].
package extract

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"wolkpipe/pipeline/chat7"
	"wolkpipe/pipeline/journal"
	"wolkpipe/pipeline/plan"
	"wolkpipe/pipeline/transform"
	"wolkpipe/pipeline/window"
	"wolkpipe/schemas"
)

// Clock tells the time and waits. [System] is the real one.
type Clock interface {
	Now() time.Time
	// Sleep waits for d, or until ctx ends: then it returns ctx's error.
	Sleep(ctx context.Context, d time.Duration) error
}

// Options of a Poller; all are needed.
type Options struct {
	Operation string
	Live      plan.Live
	Sum       bool          // rows alike to the byte are summed, not dropped
	Quota     int64         // calls a day; 0: ask the source
	Source    chat7.Options // its Token gives the token as it now is
	Gates     *Gates
	Learned   func(context.Context) (Learned, error) // what trying the source has shown; may be nil
	Journal   *journal.Journal
	Clock     Clock
	Metrics   *Metrics
	Log       *slog.Logger
}

// Learned is what trying a source has shown of it. The zero value is what is
// safe to assume.
type Learned struct {
	Exclusive bool // date_end itself is left out
	Additive  bool // the counts of two ranges add up to those of both
}

// Poller keeps one operation's windows observed.
type Poller struct {
	Options
	client   *chat7.Client
	url      string // of the source: with the token, what a gate is for
	token    string // of the call under way
	coverage plan.Coverage
	pending  chunk
	job      *job // under way, nil for none
	quota    quota
	status   status
	backoff  backoff
	learned  Learned               // as last looked up
	looked   time.Time             // when learned was last looked up
	counted  time.Time             // when coverage was last counted
	slow     map[window.Range]bool // ranges that timed out: asked in halves
}

// New makes a poller; Run starts it. The error is of the source's options.
func New(o Options) (*Poller, error) {
	o.Log = o.Log.With("operation", o.Operation)
	p := &Poller{Options: o, slow: map[window.Range]bool{}}
	p.quota.limit = o.Quota
	if err := p.connect(); err != nil {
		return nil, err
	}
	var err error
	if p.url = o.Source.BaseURL; p.url == "" {
		p.url, err = chat7.BaseURL(o.Source.Server)
	}
	return p, err
}

// connect makes the client. The token that it sends is the one whose gate was
// entered.
func (p *Poller) connect() (err error) {
	source := p.Source
	source.Exclusive = source.Exclusive || p.learned.Exclusive
	source.Token = func(context.Context) (string, error) { return p.token, nil }
	p.client, err = chat7.New(source)
	return err
}

// learnEvery is how often it is looked up what trying the source has shown.
const learnEvery = time.Minute

// learn takes over what trying the source has shown, when it was tried anew.
func (p *Poller) learn(ctx context.Context) error {
	now := p.Clock.Now()
	if p.Options.Learned == nil || now.Sub(p.looked) < learnEvery {
		return nil
	}
	learned, err := p.Options.Learned(ctx)
	if err != nil {
		return err
	}
	p.looked = now
	if learned == p.learned {
		return nil
	}
	p.Log.Info("the source has been tried", "date_end_exclusive", learned.Exclusive, "counts_add_up", learned.Additive)
	p.learned = learned
	return p.connect()
}

// Run polls until ctx ends, and returns after what was learned is in the
// journal. It returns an error only when the journal's record cannot be used.
//
//   - concurrency, maintenance, 5xx, cut or unreadable answers: asked again
//     after 1 s to 1 min, doubling, with jitter;
//   - a call that may still be running at the source: not before its 60 s are over;
//   - an exhausted quota: at the next midnight of the operation's zone, then hourly;
//   - a bad token: when the token has changed.
func (p *Poller) Run(ctx context.Context) error {
	if err := p.Load(ctx); err != nil {
		return stopped(ctx, err)
	}
	p.status.wait("", time.Time{}, nil)
	defer p.flushLast(ctx)
	for ctx.Err() == nil {
		if err := p.step(ctx); err != nil {
			return stopped(ctx, err)
		}
	}
	return nil
}

// step makes one call, or waits until one is due. Live windows come first,
// then the job under way, then what the plan says.
func (p *Poller) step(ctx context.Context) error {
	if err := p.learn(ctx); err != nil {
		return err
	}
	p.count()
	now := p.Clock.Now()
	live, isLive := p.Live.Live(now, &p.coverage)
	if !isLive && p.job == nil {
		if err := p.take(ctx, now); err != nil {
			return err
		}
	}
	if !isLive && p.job == nil {
		if err := p.flush(ctx); err != nil {
			return err
		}
		p.counted = time.Time{}
		p.count()
		_ = p.Clock.Sleep(ctx, p.Live.Wake(now, &p.coverage).Sub(p.Clock.Now()))
		return nil
	}
	if p.Quota == 0 && now.Sub(p.quota.asked) >= quotaAge {
		p.refreshQuota(ctx)
		return nil
	}
	if isLive {
		return p.live(ctx, live)
	}
	return p.advance(ctx)
}

// refreshQuota asks what is left of the quota. Going on without knowing is
// better than not polling, unless the token itself is refused.
func (p *Poller) refreshQuota(ctx context.Context) {
	err := p.askQuota(ctx)
	if ctx.Err() != nil {
		return
	}
	var failure *chat7.Error
	if errors.As(err, &failure) && failure.Kind == chat7.BadToken {
		p.wait(ctx, err)
		return
	}
	p.quota.asked = p.Clock.Now()
	if err != nil {
		p.Log.Warn("the source does not tell the quota", "error", err)
	}
}

// count notes the state of coverage for Status, once a second at most: with
// years to catch up on it is long work.
func (p *Poller) count() {
	now := p.Clock.Now()
	if now.Sub(p.counted) < time.Second {
		return
	}
	p.counted = now
	p.status.plan(p.Live.Counts(now, &p.coverage))
}

// stopped tells a wanted end from a failure.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// Load reads from the journal which windows have been observed. Until Run is
// called, Status says that the operation is not running.
func (p *Poller) Load(ctx context.Context) error {
	p.status.wait("not running", time.Time{}, nil)
	days, err := p.Journal.Days(ctx, p.Operation)
	if err != nil {
		return err
	}
	for _, key := range days {
		if key.Day < p.Live.Since {
			continue
		}
		if _, err := p.loadDay(ctx, key.Day); err != nil {
			return err
		}
	}
	p.count()
	return nil
}

func (p *Poller) loadDay(ctx context.Context, date window.Date) (*journal.Day, error) {
	day, err := p.Journal.Day(ctx, journal.Key{Operation: p.Operation, Day: date})
	if err != nil {
		return nil, err
	}
	if day.Grid == 0 {
		p.coverage.Forget(date)
		return day, nil
	}
	observed := make([]window.Local, len(day.Windows))
	for i, o := range day.Windows {
		observed[i] = o.Local
	}
	p.coverage.Load(p.Live.Zone, date, day.Grid, observed)
	p.status.observedUpTo(p.Live.Zone, day)
	return day, nil
}

// live asks for one window and records the answer. A failure of the source is
// waited out here; errors are the journal's.
func (p *Poller) live(ctx context.Context, w window.Window) error {
	day, err := p.before(ctx, w.From.Date())
	if err != nil {
		return err
	}
	rows, err := p.fetch(ctx, w.Range)
	if err != nil {
		return p.failed(ctx, err)
	}
	p.succeeded()
	if err := p.record(ctx, day, schemas.Live, established{w, direct(rows), rows}); err != nil {
		return err
	}
	return p.flush(ctx)
}

// failed waits out a failure of the source, after what was learned before it
// is recorded.
func (p *Poller) failed(ctx context.Context, failure error) error {
	if ctx.Err() != nil {
		return nil
	}
	if err := p.flush(ctx); err != nil {
		return err
	}
	p.wait(ctx, failure)
	return nil
}

func (p *Poller) succeeded() {
	p.backoff.reset()
	p.quota.granted()
	p.status.answered(p.Clock.Now())
}

// established is what is known of a window.
type established struct {
	window window.Window
	method schemas.Method
	rows   []rawRow
}

// direct is the method of a window that was asked for itself.
func direct(rows []rawRow) schemas.Method {
	if len(rows) == 0 {
		return schemas.Empty
	}
	return schemas.Direct
}

// record adds a window to the pending chunk of its day, unless it tells
// nothing new. day is the journal's record from before the first call that
// the window rests on.
func (p *Poller) record(ctx context.Context, day *journal.Day, cause schemas.Cause, w established) error {
	now := p.Clock.Now().UTC().Truncate(time.Microsecond)
	snapshot := transform.Window(w.rows, transform.Options{Sum: p.Sum})
	o := journal.Observation{
		Local: w.window.From, Revision: 1, Method: w.method, Cause: cause,
		ObservedAt: now, Digest: snapshot.Digest(), Sum: p.Sum, Rows: w.rows,
	}
	if known, ok := day.Window(o.Local); ok {
		o.Revision = known.Revision + 1
		if known.Digest == o.Digest {
			p.coverage.Mark(day.Day, o.Local)
			return nil
		}
		if !o.ObservedAt.After(known.ObservedAt) { // the clock went back
			o.ObservedAt = known.ObservedAt.Add(time.Microsecond)
		}
	}
	p.Metrics.rejected(p.Operation, len(snapshot.Rejects))
	if err := p.keep(ctx, day, window.Grid(time.Duration(w.window.Seconds())*time.Second), o); err != nil {
		return err
	}
	p.coverage.Mark(day.Day, o.Local)
	if p.pending.full(now) {
		return p.flush(ctx)
	}
	return nil
}

// Observe asks for the given windows now, whether or not they are known, and
// records what changed. It must not run beside Run.
func (p *Poller) Observe(ctx context.Context, cause schemas.Cause, windows ...window.Window) error {
	for _, w := range windows {
		day, err := p.before(ctx, w.From.Date())
		if err != nil {
			return err
		}
		rows, err := p.fetch(ctx, w.Range)
		if err != nil {
			return errors.Join(err, p.flush(ctx))
		}
		if err := p.record(ctx, day, cause, established{w, direct(rows), rows}); err != nil {
			return err
		}
		if err := p.flush(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (p *Poller) key(date window.Date) journal.Key {
	return journal.Key{Operation: p.Operation, Day: date}
}

func wrap(what string, err error) error { return fmt.Errorf("%s: %w", what, err) }
