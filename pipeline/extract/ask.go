package extract

import (
	"bytes"
	"context"
	"errors"
	"time"

	"wolkpipe/pipeline/chat7"
	"wolkpipe/pipeline/lease"
	"wolkpipe/pipeline/trace"
	"wolkpipe/pipeline/window"
)

// once asks for the rows of a range, in one call. end is when the range is
// over.
func (p *Poller) once(ctx context.Context, kind lease.Kind, r window.Range, end time.Time) ([]rawRow, error) {
	var answer chat7.Answer
	var before, after time.Time
	err := p.call(ctx, kind, func(ctx context.Context) (_ *lease.Told, err error) {
		before = p.Clock.Now()
		answer, err = p.client.Rows(ctx, r)
		after = p.Clock.Now()
		if span := trace.Current(ctx); span.On() {
			span.Number("attempt", p.failures.inRowOf(r)+1)
			if err == nil {
				span.Status(answer.Status)
				span.Number("rows", len(answer.Rows))
				span.Number("bytes", answer.Bytes)
			}
		}
		return nil, err
	})
	if err == nil {
		p.dated(ctx, answer.Date, before, after)
		err = early(answer, end)
	}
	rows, _ := p.Erased.Rows(p.Operation, answer.Rows)
	return rows, err
}

// fetch asks for the rows of a window. What is too much for one answer, or
// too slow twice, is asked for in parts and put together.
func (p *Poller) fetch(ctx context.Context, kind lease.Kind, w window.Window) ([]rawRow, error) {
	parts, err := p.parts(ctx, kind, w.Range, w.End)
	if err != nil || len(parts) == 1 {
		return parts[0], err
	}
	// A row in two parts is two rows, each with its own count. They are told
	// apart by white space behind them, so as not to pass for one sent twice.
	var rows []rawRow
	for i, part := range parts {
		for _, row := range part {
			rows = append(rows, append(bytes.Clone(row), bytes.Repeat([]byte{' '}, i)...))
		}
	}
	return rows, nil
}

// parts asks for a range, if need be in halves of halves. There is at least
// one part, also with an error.
func (p *Poller) parts(ctx context.Context, kind lease.Kind, r window.Range, end time.Time) ([][]rawRow, error) {
	if !p.slow[r] {
		rows, err := p.once(ctx, kind, r, end)
		switch {
		case !tooMuch(err) || r.Seconds() <= 1:
			delete(p.slow, r)
			return [][]rawRow{rows}, err
		case chat7.KindOf(err) == chat7.Timeout:
			_, before := p.slow[r]
			p.slow[r] = before // in halves at the third try
			return [][]rawRow{nil}, err
		}
	}
	middle := r.From + (r.To-r.From)/2
	first, err := p.parts(ctx, kind, window.Range{From: r.From, To: middle}, end)
	if err != nil {
		return [][]rawRow{nil}, err
	}
	second, err := p.parts(ctx, kind, window.Range{From: middle, To: r.To}, end)
	if err != nil {
		return [][]rawRow{nil}, err
	}
	delete(p.slow, r)
	return append(first, second...), nil
}

// tooMuch reports whether a range is to be asked for in parts.
func tooMuch(err error) bool {
	switch chat7.KindOf(err) {
	case chat7.Truncated, chat7.TooLarge, chat7.Timeout:
		return true
	}
	return false
}

// pause is until when a failure lets its call rest; wait is what back-off says.
func (p *Poller) pause(now time.Time, wait time.Duration, err error) (until time.Time) {
	var failure *chat7.Error
	if !errors.As(err, &failure) {
		failure = &chat7.Error{Kind: chat7.Transient, Err: err}
	}
	switch failure.Kind {
	case chat7.Quota:
		until = now.Add(failure.RetryAfter)
		if state := p.holder.Load().State(); state.Until.After(until) {
			until = state.Until
		}
		if p.Quota == 0 { // asked then, the source may tell that its day has begun anew
			p.renewed = p.Live.Midnight(now).Add(time.Minute)
			until = minTime(until, minTime(p.renewed, now.Add(quotaAge)))
		}
		until = maxTime(until, now.Add(firstWait))
		if failure.Status != 0 { // the source says so, whatever we counted
			p.asked = time.Time{}
		}
		said := "the day's calls are used up"
		if failure.Message == keptForLive {
			said = "the calls that live polling does not need are used up; it goes on, the rest waits"
		}
		p.Log.Warn(said, "until", until, "error", err)
	case chat7.Permanent:
		until = now.Add(permanentWait)
		p.Log.Error("the source refuses the request", "until", until, "error", err)
	default:
		until = now.Add(max(wait, failure.RetryAfter))
		p.Log.Warn("the source failed; asking again", "in", until.Sub(now).Round(time.Millisecond), "error", err)
	}
	return until
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// sleepUntil waits for a time, in short pieces: a machine that sleeps
// meanwhile must not make it longer, nor a clock that is set back. It ends when
// something changes.
func (p *Poller) sleepUntil(ctx context.Context, until time.Time, changed <-chan struct{}) {
	const piece = 15 * time.Minute
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-changed:
			cancel()
		case <-ctx.Done():
		}
	}()
	begin := p.Clock.Now()
	steady := begin.Add(until.Sub(begin)) // by the steady clock, which no setting moves
	for ctx.Err() == nil {
		now := p.Clock.Now()
		left := min(until.Sub(now), steady.Sub(now))
		if left <= 0 {
			return
		}
		_ = p.Clock.Sleep(ctx, min(left, piece))
	}
}

const (
	permanentWait = 15 * time.Minute // before a refused request is tried again
	tokenWait     = 10 * time.Second // between looks at a token that was refused
)

// waitForToken stops the operation until its token changes.
func (p *Poller) waitForToken(ctx context.Context, cause error) {
	refused := p.token
	p.Log.Error("the operation is stopped until its token changes", "error", cause)
	p.status.wait("bad_token", time.Time{}, cause)
	for ctx.Err() == nil {
		_ = p.Clock.Sleep(ctx, tokenWait)
		if token, err := p.Source.Token(ctx); err == nil && token != refused {
			p.Log.Info("the token has changed; going on")
			return
		}
	}
}
