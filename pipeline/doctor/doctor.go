// Package doctor owns the examination of one operation's source: it asks the
// real thing, with few calls, what no documentation settles, and says what it
// found. How windows are asked, and whether any may be derived by subtraction,
// rests on its [Finding].
//
// # What is examined
//
// In this order, so that an early end leaves the most useful part:
//
//   - the token and its quota, and that a window can be asked for at all;
//   - the source's clock, by the Date of its answers, and how long they take;
//   - the busiest day of the last 31 that can be found cheaply: by months,
//     then by halves of days;
//   - whether date_end itself is in the answer, on two neighbouring seconds of
//     that day that hold an interaction;
//   - whether counts add up: the day is cut at random seconds and at windows'
//     bounds, and the parts are compared with the whole.
//
// # What a finding is worth
//
// What could not be found out stays nil; it is never guessed. An inclusive
// end is proven by one answer. An exclusive one is told by answers without
// rows, which a source gives by mistake too, so it is asked for twice, between
// answers that have rows. That counts do not add up is said only where the
// whole was the same before and after, and where no empty part can explain it.
//
// Counts are compared by agent and code as the source writes them. A key that
// stands twice in an answer, or in a row that cannot be read, is compared by
// its sum, duplicates being dropped or not as the operation has it; where the
// sums differ, or where the whole has changed meanwhile, the key is left out.
// If less is left than was left out, nothing is concluded.
//
// The package keeps nothing but by [Store], and makes no call by itself: leases
// and quotas are around the [Source].
package doctor

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"wolkpipe/pipeline/chat7"
	"wolkpipe/pipeline/window"
)

// Source is what is examined. Each method is one call to the source, not
// retried; an error that decides is a [*chat7.Error], any other ends the
// examination. Methods are called one after the other.
type Source interface {
	// Rows asks for the range r. With exclusive, date_end is r.To, as a
	// server wants it that leaves it out, else the second before it.
	Rows(ctx context.Context, r window.Range, exclusive bool) (chat7.Answer, error)

	// TokenInfo asks for the state of the quota.
	TokenInfo(ctx context.Context) (chat7.TokenInfo, error)
}

// Options say how to examine an operation. Zone is needed, the rest is not.
type Options struct {
	Zone     window.Zone
	Grid     window.Grid // of the operation's windows; 0: 5m
	Sum      bool        // rows alike to the byte are summed, not dropped
	MaxCalls int         // 0: 60; at most half of what is left of the quota is used all the same
	Random   *rand.Rand  // draws the cuts; nil: another one each time

	Now      func() time.Time                           // nil: time.Now
	Sleep    func(context.Context, time.Duration) error // between tries; nil: the machine's clock
	Progress func(string)                               // told what is being done; nil: nobody
}

// Quota is what the source says of the day's calls; nil is not told.
type Quota struct {
	Limit     *int64 `json:"limit,omitempty"`     // calls a day of this token
	Used      *int64 `json:"used,omitempty"`      // by this token
	AllUsed   *int64 `json:"all_used,omitempty"`  // by all tokens of the operation
	Available *int64 `json:"available,omitempty"` // calls left
}

// Finding is what an examination found out. Pointers are nil, and Day is
// empty, where it did not.
type Finding struct {
	At    time.Time `json:"at"`    // when it began, UTC
	Calls int       `json:"calls"` // made, those that failed included

	Quota      Quota          `json:"quota"`
	ClockSkew  *time.Duration `json:"clock_skew_ns,omitempty"` // the source's clock less ours
	LatencyP50 time.Duration  `json:"latency_p50_ns"`          // of the reports that were answered
	LatencyMax time.Duration  `json:"latency_max_ns"`

	Day          string `json:"day,omitempty"` // 2006-01-02: what was examined
	Interactions int64  `json:"interactions"`  // of that day; modulo unreadable rows

	ExclusiveEnd *bool `json:"exclusive_end,omitempty"` // date_end itself is left out
	Additive     *bool `json:"additive,omitempty"`      // counts of parts add up to the whole's
	Cuts         int   `json:"cuts"`                    // between parts that were compared with the whole

	Notes []string `json:"notes,omitempty"` // for an operator: what was odd, what to do
}

const (
	defaultMaxCalls = 60
	defaultGrid     = window.Grid(5 * time.Minute)
)

// Examine tries an operation for real. Calls that failed for a while are made
// again a few times, after pauses.
//
// An error means that the operation cannot work as it is, and names the mend;
// the Finding then tells how far it came. An operation without rows, one that
// ran out of calls or failed in the middle is no error: what was not found out
// stays nil, and a note says why.
func Examine(ctx context.Context, source Source, o Options) (Finding, error) {
	if o.Zone == (window.Zone{}) {
		return Finding{}, errors.New("examining an operation: no time zone is given")
	}
	if o.Grid == 0 {
		o.Grid = defaultGrid
	}
	if o.MaxCalls <= 0 {
		o.MaxCalls = defaultMaxCalls
	}
	if o.Random == nil {
		o.Random = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	e := &exam{Options: o, source: source, limit: o.MaxCalls, found: Finding{At: o.Now().UTC()}}
	err := e.run(ctx)
	e.sumUp()
	return e.found, err
}

// exam is one examination under way.
type exam struct {
	Options
	source Source
	found  Finding
	limit  int // of calls

	took        []time.Duration // of answered reports
	early, late time.Duration   // bounds of the clock's skew
	dated       bool            // they are known
	notBefore   time.Time       // the source may work on an abandoned call until then
	exclusive   bool            // how ranges are asked: as found out
}

func (e *exam) note(format string, args ...any) {
	e.found.Notes = append(e.found.Notes, fmt.Sprintf(format, args...))
}

func (e *exam) run(ctx context.Context) error {
	if err := e.quota(ctx); err != nil {
		return err
	}
	if err := e.window(ctx); err != nil {
		return err
	}
	// The operation works: from here on, what fails is left open.
	err := e.examineDay(ctx)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errSpent):
		e.note("%d calls were too few to find out more: run doctor again with more of the quota left", e.found.Calls)
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	switch chat7.KindOf(err) {
	case "", chat7.BadToken, chat7.Canceled:
		return err
	}
	e.note("the examination ended early: %v", err)
	return nil
}

// quota asks what is left of the day's calls. A source that does not tell is
// an oddity, one that refuses the token cannot be worked with.
func (e *exam) quota(ctx context.Context) error {
	e.Progress("asking for the quota")
	var info chat7.TokenInfo
	err := e.call(ctx, func() (err error) {
		info, err = e.source.TokenInfo(ctx)
		return err
	})
	switch chat7.KindOf(err) {
	case chat7.BadToken, chat7.Quota, chat7.Canceled:
		return err
	case "":
		if err != nil {
			return err
		}
	default:
		e.note("the quota is not known, set `quota` in the configuration: %v", err)
		return nil
	}
	e.found.Quota = Quota(info)
	if left, known := e.found.Quota.left(); known && left/2 < int64(e.limit) {
		e.limit = int(max(left/2, 0)) + e.found.Calls
		e.note("only %d of the day's calls are left, at most half of them are used: run doctor again after the quota's reset", left)
	}
	return nil
}

// left is how many calls the source still allows today.
func (q Quota) left() (int64, bool) {
	used := q.AllUsed
	if used == nil {
		used = q.Used
	}
	switch {
	case q.Available != nil:
		return *q.Available, true
	case q.Limit != nil && used != nil:
		return max(*q.Limit-*used, 0), true
	}
	return 0, false
}

// settledFor is how old the end of a range is at least. Answers about what has
// only just ended are known to be empty for a while.
const settledFor = 15 * time.Minute

// window asks for one window, as live polling does. What fails here will fail
// then.
func (e *exam) window(ctx context.Context) error {
	e.Progress("asking for a window")
	r := e.Grid.At(e.Zone.Local(e.Now().Add(-settledFor)) - window.Local(e.Grid.Seconds()))
	_, err := e.rows(ctx, r)
	if errors.Is(err, errSpent) {
		return &chat7.Error{Op: "examining", Kind: chat7.Quota, Hint: "wait for the quota's reset",
			Err: fmt.Errorf("hardly any of the day's calls are left, and %d were used", e.found.Calls)}
	}
	return err
}

func (e *exam) examineDay(ctx context.Context) error {
	r, err := e.busiest(ctx)
	if err != nil {
		return err
	}
	if r.Empty() {
		e.note("there were no interactions in 31 days, so nothing could be found out: chat_7 counts e-mail, Facebook pages, " +
			"Instagram and Twitter, and may leave out WhatsApp and web chats; compare with the same report in wolkvox")
		return nil
	}
	e.found.Day = r.From.Date().String()
	second, err := e.dateEnd(ctx, r)
	if err != nil || e.found.ExclusiveEnd == nil {
		return err
	}
	return e.additivity(ctx, r, second)
}

// skewTolerated is what HTTP's whole seconds and a slow line can feign.
const skewTolerated = 5 * time.Second

// sumUp works out what needed all the answers.
func (e *exam) sumUp() {
	if len(e.took) > 0 {
		slices.Sort(e.took)
		e.found.LatencyP50 = e.took[(len(e.took)-1)/2]
		e.found.LatencyMax = e.took[len(e.took)-1]
		if !e.dated {
			e.note("the source does not tell its clock's time")
		}
	}
	if e.dated {
		skew := (e.early + e.late) / 2
		e.found.ClockSkew = &skew
		if skew.Abs() > skewTolerated {
			e.note("the source's clock and this machine's differ by %v: set this one by NTP, or if it is right make `delay` longer than that", skew.Round(time.Second))
		}
	}
}
