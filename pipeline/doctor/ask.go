package doctor

import (
	"context"
	"errors"
	"time"

	"wolkpipe/pipeline/chat7"
	"wolkpipe/pipeline/window"
)

// errSpent ends the examination: no further call is allowed.
var errSpent = errors.New("no calls are left for the examination")

// How often and how patiently a call is made.
const (
	maxTries    = 6
	firstPause  = time.Second // doubles from try to try
	maxPause    = 2 * time.Minute
	callTime    = 60 * time.Second // how long the source may work on a call
	maxTimeouts = 2                // tries: a range that is too long stays so
)

// call makes a call until it succeeds or fails for good.
func (e *exam) call(ctx context.Context, once func() error) error {
	for try := 1; ; try++ {
		if e.left() <= 0 {
			return errSpent
		}
		if wait := e.notBefore.Sub(e.Now()); wait > 0 {
			if err := e.Sleep(ctx, wait); err != nil {
				return err
			}
		}
		e.found.Calls++
		began := e.Now()
		err := once()
		var failure *chat7.Error
		if !errors.As(err, &failure) {
			return err
		}
		if failure.Open() {
			e.notBefore = began.Add(callTime)
		}
		pause, again := retry(failure, try)
		if !again {
			return err
		}
		if err := e.Sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// retry says whether a failure may be gone after a pause.
func retry(failure *chat7.Error, try int) (time.Duration, bool) {
	tries := maxTries
	switch failure.Kind {
	case chat7.Concurrency, chat7.Maintenance, chat7.UnknownForbidden, chat7.Transient:
	case chat7.Timeout:
		tries = maxTimeouts
	default:
		return 0, false
	}
	pause := max(firstPause<<(try-1), failure.RetryAfter)
	return pause, try < tries && pause <= maxPause
}

// left is the number of calls that may still be made.
func (e *exam) left() int { return e.limit - e.found.Calls }

// rows asks for a range in the form that this server takes, as far as it is
// known, and notes what the answer tells of clock and speed.
func (e *exam) rows(ctx context.Context, r window.Range) (tally, error) {
	var answer chat7.Answer
	err := e.call(ctx, func() (err error) {
		answer, err = e.source.Rows(ctx, r, e.exclusive)
		return err
	})
	if err != nil {
		return tally{}, err
	}
	e.took = append(e.took, answer.Took)
	if !answer.Date.IsZero() {
		e.compareClocks(answer, e.Now())
	}
	return tallyRows(answer.Rows, e.Sum), nil
}

// compareClocks narrows the bounds of the source's clock less ours. Date is
// cut to the second, and was written at some time while the call lasted; the
// answers of many calls together say more than one.
func (e *exam) compareClocks(answer chat7.Answer, now time.Time) {
	early := answer.Date.Sub(now)
	late := answer.Date.Add(time.Second).Sub(now.Add(-answer.Took))
	if !e.dated {
		e.dated, e.early, e.late = true, early, late
		return
	}
	e.early, e.late = max(e.early, early), min(e.late, late)
}

// tooMuch reports whether a shorter range may succeed where this one failed.
// A source that refuses long ranges does so with a message that nobody knows.
func tooMuch(err error) bool {
	switch chat7.KindOf(err) {
	case chat7.Truncated, chat7.TooLarge, chat7.Timeout, chat7.Permanent:
		return true
	}
	return false
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
