// Package extract asks the source and records its answers in the journal.
//
// A [Poller] keeps one operation covered: it takes the next window from the
// plan, asks for it, and appends what it learned as a chunk. A window counts
// as observed when the journal has acknowledged it, never before. An error is
// never read as "no rows": only an answer that proves emptiness is.
//
// Three kinds of work go on beside polling live windows, each only where the
// ones before it have nothing to do: catching up, looking again at days that
// are complete (see settle.go), and backfills. Each is planned from what should
// be there less what is there, and can be dropped and planned anew at any time.
//
// One call at a time is in flight on a token, over all processes and
// operations that share it, and none past the quota: package lease sees to it.
// Failures are waited out by their kind: see [Poller.Run].
package extract

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"wolkpipe/pipeline/chat7"
	"wolkpipe/pipeline/codes"
	"wolkpipe/pipeline/erase"
	"wolkpipe/pipeline/journal"
	"wolkpipe/pipeline/lease"
	"wolkpipe/pipeline/notice"
	"wolkpipe/pipeline/plan"
	"wolkpipe/pipeline/trace"
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

// Options of a Poller; all are needed but those that may be nil.
type Options struct {
	Operation string
	Live      plan.Live
	Sum       bool                                   // rows alike to the byte are summed, not dropped
	Quota     int64                                  // calls a day; 0: ask the source
	Source    chat7.Options                          // its Token gives the token as it now is
	Learned   func(context.Context) (Learned, error) // what trying the source has shown; may be nil
	Backfills Backfills                              // what was asked for; nil: nothing
	Fill      bool                                   // only backfills are wanted: no live polling, no catching up
	Codes     *codes.Book                            // activity codes; nil: they are not asked for
	Notices   *notice.Book                           // may be nil
	Erased    *erase.Book                            // agents whose names are not recorded; nil: none
	Journal   *journal.Journal
	Leases    *lease.Leases
	Clock     Clock
	Metrics   *Metrics
	Log       *slog.Logger
}

// Learned is what trying a source has shown of it. The zero value is what is
// safe to assume.
type Learned struct {
	Exclusive bool // date_end itself is left out
	Additive  bool // the counts of two ranges add up to those of both
	Examined  bool // whether they do has been found out
}

// Poller keeps one operation's windows observed.
type Poller struct {
	Options
	client *chat7.Client
	url    string                      // of the source
	token  string                      // of the call under way
	holder atomic.Pointer[lease.Token] // of the last call
	permit atomic.Pointer[lease.Call]  // of the call under way
	asked  time.Time                   // when the source last told the quota

	renewed time.Time // when its day may have begun anew, and it is to be asked again; zero: not waited for

	learned Learned   // as last looked up
	looked  time.Time // when that was

	coverage plan.Coverage
	unread   []window.Date          // days whose coverage is still to be read from the journal
	seen     map[window.Date]uint64 // up to which message of the journal coverage knows a day
	ended    map[string]time.Time   // when the backfills ended whose days coverage knows
	pending  chunk

	catchup, filling *job   // under way, nil for none
	fillingFor       string // id of the request that filling is of
	checking         *check // likewise
	settling         settling
	coding           coding
	watching         watching

	liveRest, jobRest time.Time // until then no such call is made
	failures          failures
	strict            bool                       // what nobody mends while this waits is an error
	deferred          map[window.Local]time.Time // windows that keep failing, until then
	slow              map[window.Range]bool      // ranges that timed out; true: asked in halves

	status status
}

// New makes a poller; Run starts it. The error is of the source's options.
func New(o Options) (*Poller, error) {
	o.Log = o.Log.With("operation", o.Operation)
	p := &Poller{
		Options: o, seen: map[window.Date]uint64{}, ended: map[string]time.Time{}, slow: map[window.Range]bool{},
		deferred: map[window.Local]time.Time{}, failures: newFailures(), settling: newSettling(),
	}
	if o.Backfills == nil {
		p.Backfills = none{}
	}
	if err := p.connect(); err != nil {
		return nil, err
	}
	var err error
	if p.url = o.Source.BaseURL; p.url == "" {
		p.url, err = chat7.BaseURL(o.Source.Server)
	}
	return p, err
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
	first := p.looked.IsZero()
	p.looked = now
	if learned == p.learned {
		return nil
	}
	level := slog.LevelInfo
	if first { // at the start, it is known
		level = slog.LevelDebug
	}
	p.Log.Log(ctx, level, "doctor has found out how to ask the source", "date_end_exclusive", learned.Exclusive, "counts_add_up", learned.Additive)
	p.learned = learned
	p.examined(ctx)
	p.replan()
	return p.connect()
}

// Run polls until ctx ends, and returns after what was learned is in the
// journal. It returns an error only when the journal's record cannot be used.
//
//   - concurrency, maintenance, 5xx, cut or unreadable answers: asked again
//     after 1 s to 1 min, doubling, with jitter;
//   - a past range that keeps failing while others are answered is asked for in
//     parts, and a past window that does is put off, so that the rest goes on;
//   - a call that may still be running at the source: not before its 60 s are over;
//   - an exhausted quota: at the next midnight of the operation's zone, then hourly;
//   - a bad token: when the token has changed.
func (p *Poller) Run(ctx context.Context) error {
	if err := p.begin(ctx); err != nil {
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

// step makes one call, or waits until one is due.
func (p *Poller) step(ctx context.Context) error {
	if err := p.learn(ctx); err != nil {
		return err
	}
	now := p.Clock.Now()
	p.inspect(ctx, now)
	changed := p.Backfills.Changed()
	p.takeOver()
	if p.Fill && len(p.unread) > 0 {
		return p.readNext(ctx)
	}
	if p.Fill && len(p.active()) == 0 { // nothing is asked of this operation
		p.replan()
		if err := p.flush(ctx); err != nil {
			return err
		}
		p.sleepUntil(ctx, now.Add(24*time.Hour), changed)
		return nil
	}
	renewed := !p.renewed.IsZero() && !now.Before(p.renewed)
	if p.Quota == 0 && (renewed || now.Sub(p.asked) >= quotaAge) && !now.Before(p.liveRest) {
		p.renewed = time.Time{}
		p.refreshQuota(ctx)
		return nil
	}
	if !p.Fill && !now.Before(p.liveRest) {
		if p.unlisted() { // once: so that the first rows have descriptions
			_, err := p.askCodes(ctx, now)
			return err
		}
		if live, ok := p.Live.Live(now, &p.coverage); ok {
			return p.live(ctx, live)
		}
	}
	if len(p.unread) > 0 {
		return p.readNext(ctx)
	}
	if !now.Before(p.jobRest) {
		if busy, err := p.work(ctx, now); busy || err != nil {
			return err
		}
	}
	if err := p.flush(ctx); err != nil {
		return err
	}
	p.sleepUntil(ctx, p.wake(now), changed)
	return nil
}

// work makes one call, or takes one step towards one, for whatever is most
// urgent besides live polling; busy is false if there is nothing.
func (p *Poller) work(ctx context.Context, now time.Time) (busy bool, err error) {
	for _, kind := range []func(context.Context, time.Time) (bool, error){p.askCodes, p.catchUp, p.settle, p.fill} {
		if busy, err := kind(ctx, now); busy || err != nil {
			return busy, err
		}
	}
	return false, nil
}

// replan drops what is under way.
func (p *Poller) replan() { p.catchup, p.filling, p.checking = nil, nil, nil }

// othersRecorded drops what is under way on days that another process has
// recorded something of: what is to be asked there may have been.
func (p *Poller) othersRecorded(ctx context.Context) error {
	for _, j := range []**job{&p.catchup, &p.filling} {
		if *j == nil {
			continue
		}
		moved, err := p.moved(ctx, (*j).days)
		if err != nil {
			return err
		}
		if moved {
			*j = nil
		}
	}
	if p.checking == nil {
		return nil
	}
	moved, err := p.moved(ctx, p.checking.days)
	if moved {
		p.checking = nil
	}
	return err
}

// moved reports whether the journal has more of any of the days, and takes it over.
func (p *Poller) moved(ctx context.Context, days map[window.Date]*journal.Day) (moved bool, err error) {
	for date, known := range days {
		day, err := p.Journal.Day(ctx, p.key(date))
		if err != nil {
			return moved, err
		}
		if day.Seq != known.Seq {
			p.load(day)
			moved = true
		}
	}
	return moved, nil
}

// wake is when there may be something to do again.
func (p *Poller) wake(now time.Time) time.Time {
	until := now.Add(24 * time.Hour)
	if !p.Fill {
		until = p.Live.Wake(now, &p.coverage)
	}
	rests := []time.Time{p.liveRest, p.jobRest, p.settling.wake(now), p.Live.NextStale(now, &p.coverage)}
	if !p.mayCompare(now) {
		rests = append(rests, p.Live.Midnight(now).Add(time.Second)) // the budget is a day's
	}
	for _, rest := range p.deferred {
		rests = append(rests, rest)
	}
	if due, ok := p.codesDue(); ok {
		rests = append(rests, due)
	}
	for _, rest := range rests {
		if rest.After(now) && rest.Before(until) {
			until = rest
		}
	}
	return until
}

// stopped tells a wanted end from a failure.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// begin reads the coverage of the latest days, so that live polling can begin;
// that of the others is read between calls.
func (p *Poller) begin(ctx context.Context) error {
	p.status.wait("not running", time.Time{}, nil)
	p.takeOver() // of what has ended by now all is read
	days, err := p.Journal.Days(ctx, p.Operation)
	if err != nil {
		return err
	}
	p.listen(ctx)
	p.status.read(false)
	p.unread = p.unread[:0]
	for _, key := range days {
		p.unread = append(p.unread, key.Day) // rising: the latest is read first
	}
	for range 2 {
		if err := p.readNext(ctx); err != nil {
			return err
		}
	}
	return nil
}

// readNext reads the coverage of one more day.
func (p *Poller) readNext(ctx context.Context) error {
	if len(p.unread) == 0 {
		p.status.read(true)
		return nil
	}
	last := len(p.unread) - 1
	if _, err := p.loadDay(ctx, p.unread[last]); err != nil {
		return err
	}
	p.unread = p.unread[:last]
	p.status.read(last == 0)
	return nil
}

// Load reads from the journal which windows have been observed. Until Run is
// called, Status says that the operation is not running.
func (p *Poller) Load(ctx context.Context) error {
	if err := p.begin(ctx); err != nil {
		return err
	}
	for len(p.unread) > 0 {
		if err := p.readNext(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (p *Poller) loadDay(ctx context.Context, date window.Date) (*journal.Day, error) {
	day, err := p.Journal.Day(ctx, p.key(date))
	if err != nil {
		return nil, err
	}
	p.load(day)
	return day, nil
}

// load takes over what the journal's record of a day says of its coverage.
func (p *Poller) load(day *journal.Day) {
	p.seen[day.Day] = day.Seq
	if day.Grid == 0 {
		p.coverage.Forget(day.Day)
		p.summarise(day)
		return
	}
	observed := make([]window.Local, len(day.Windows))
	for i, o := range day.Windows {
		observed[i] = o.Local
		p.watching.rows = p.watching.rows || len(o.Rows) > 0
	}
	var compared time.Time
	if day.Compared != nil {
		compared = day.Compared.At
	}
	p.coverage.Load(p.Live.Zone, day.Day, day.Grid, observed, compared)
	p.status.observedUpTo(p.Live.Zone, day)
	p.summarise(day)
}

// live asks for one window and records the answer. Errors are the journal's.
func (p *Poller) live(ctx context.Context, w window.Window) error {
	day, err := p.before(ctx, w.From.Date())
	if err != nil || p.coverage.Observed(w.From) {
		return err // another process was faster
	}
	ctx, span := p.traced(ctx, string(schemas.Live), w.Range)
	defer span.End()
	rows, err := p.fetch(ctx, lease.Live, w)
	if err != nil {
		return p.failed(ctx, w.Range, err, &p.liveRest)
	}
	p.succeeded(w.Range)
	if _, err := p.record(ctx, day, schemas.Live, established{w, direct(rows), rows}); err != nil {
		return err
	}
	return p.flush(ctx)
}

// failed sets until when calls rest after one failed, having recorded what
// was learned before it.
func (p *Poller) failed(ctx context.Context, r window.Range, failure error, rest *time.Time) error {
	if ctx.Err() != nil || errors.Is(failure, errMoved) {
		return nil
	}
	if err := p.flush(ctx); err != nil {
		return err
	}
	kind := chat7.KindOf(failure)
	if p.strict && (kind == chat7.BadToken || kind == chat7.Permanent) {
		return failure
	}
	if kind == chat7.BadToken {
		trace.Current(ctx).End() // of the step: what follows may take days
		p.waitForToken(ctx, failure)
		p.status.wait("", time.Time{}, nil)
		return nil
	}
	var wait time.Duration
	if kind != chat7.Quota { // that says nothing of the range
		wait = p.failures.add(r)
	}
	until := p.pause(p.Clock.Now(), wait, failure)
	p.status.wait(string(kind), until, failure)
	*rest = until
	switch kind {
	case chat7.Quota:
		if rest == &p.jobRest {
			return nil // the rest of the quota is kept for live polling
		}
		p.raiseShortage(ctx, p.holder.Load().State().Limit)
		p.jobRest = until
	case chat7.Concurrency, chat7.Maintenance, chat7.UnknownForbidden, chat7.Permanent:
		p.liveRest, p.jobRest = until, until // any call would meet them
	}
	return nil
}

func (p *Poller) succeeded(r window.Range) {
	p.failures.succeeded(r)
	p.status.wait("", time.Time{}, nil)
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
// the window rests on. news is false where nothing was to be added.
func (p *Poller) record(ctx context.Context, day *journal.Day, cause schemas.Cause, w established) (news bool, err error) {
	now := p.Clock.Now().UTC().Truncate(time.Microsecond)
	snapshot := transform.Window(w.rows, transform.Options{Sum: p.Sum})
	o := journal.Observation{
		Local: w.window.From, Revision: 1, Method: w.method, Cause: cause,
		ObservedAt: now, Digest: snapshot.Digest(), Sum: p.Sum, Rows: w.rows,
	}
	if known, ok := day.Window(o.Local); ok {
		o.Revision = known.Revision + 1
		if known.Digest == o.Digest {
			if !p.coverage.Observed(o.Local) { // recorded by another process
				p.coverage.Mark(day.Day, o.Local)
			}
			return false, nil
		}
		if !o.ObservedAt.After(known.ObservedAt) { // the clock went back
			o.ObservedAt = known.ObservedAt.Add(time.Microsecond)
		}
	}
	p.Metrics.rejected(p.Operation, len(snapshot.Rejects))
	p.sight(now, day.Day, snapshot.Rows)
	if len(w.rows) > 0 {
		p.rowsSeen(ctx)
	}
	if err := p.keep(ctx, day, window.Grid(time.Duration(w.window.Seconds())*time.Second), o); err != nil {
		return false, err
	}
	p.coverage.Mark(day.Day, o.Local)
	if p.pending.full(now) {
		return true, p.flush(ctx)
	}
	return true, nil
}

// Observe asks for the given windows now, whether or not they are known, and
// records what changed. It must not run beside Run.
func (p *Poller) Observe(ctx context.Context, cause schemas.Cause, windows ...window.Window) error {
	for _, w := range windows {
		day, err := p.before(ctx, w.From.Date())
		if err != nil {
			return err
		}
		rows, err := p.fetch(ctx, lease.Live, w)
		for errors.Is(err, errMoved) {
			if day, err = p.before(ctx, w.From.Date()); err != nil {
				return err
			}
			rows, err = p.fetch(ctx, lease.Live, w)
		}
		if err != nil {
			return errors.Join(err, p.flush(ctx))
		}
		if _, err := p.record(ctx, day, cause, established{w, direct(rows), rows}); err != nil {
			return err
		}
		if err := p.flush(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Ask gives what the source says of a window now, normalised, and records
// nothing. It must not run beside Run.
func (p *Poller) Ask(ctx context.Context, w window.Window) ([]schemas.Row, error) {
	rows, err := p.fetch(ctx, lease.Live, w)
	for errors.Is(err, errMoved) {
		rows, err = p.fetch(ctx, lease.Live, w)
	}
	return transform.Window(rows, transform.Options{Sum: p.Sum}).Rows, err
}

func (p *Poller) key(date window.Date) journal.Key {
	return journal.Key{Operation: p.Operation, Day: date}
}

func wrap(what string, err error) error { return fmt.Errorf("%s: %w", what, err) }
