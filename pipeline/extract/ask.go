package extract

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"wolkpipe/pipeline/chat7"
	"wolkpipe/pipeline/window"
)

// callTime is how long the source may work on a call after it was made.
const callTime = 60 * time.Second

// once asks for the rows of a range, in one call.
func (p *Poller) once(ctx context.Context, r window.Range) ([]rawRow, error) {
	var answer chat7.Answer
	err := p.call(ctx, func(ctx context.Context) (err error) {
		answer, err = p.client.Rows(ctx, r)
		return err
	})
	var failure *chat7.Error
	switch {
	case err == nil:
		p.Metrics.request(p.Operation, "ok")
		return answer.Rows, nil
	case errors.As(err, &failure):
		p.Metrics.request(p.Operation, string(failure.Kind))
	}
	return nil, err
}

// fetch asks for the rows of a window. What is too much for one answer, or
// too slow twice, is asked for in halves and put together.
func (p *Poller) fetch(ctx context.Context, r window.Range) ([]rawRow, error) {
	if p.slow[r] {
		return p.halves(ctx, r)
	}
	rows, err := p.once(ctx, r)
	switch {
	case !tooMuch(err) || r.Seconds() <= 1:
		return rows, err
	case chat7.KindOf(err) != chat7.Timeout:
		return p.halves(ctx, r)
	}
	p.slow[r] = p.backoff.failures > 0
	return nil, err
}

// tooMuch reports whether a range is to be asked for in parts.
func tooMuch(err error) bool {
	switch chat7.KindOf(err) {
	case chat7.Truncated, chat7.TooLarge, chat7.Timeout:
		return true
	}
	return false
}

// halves asks for both halves of a range. The same row in both is two
// rows, each with its own count: they are marked, so that they do not pass
// for one row sent twice.
func (p *Poller) halves(ctx context.Context, r window.Range) ([]rawRow, error) {
	middle := r.From + (r.To-r.From)/2
	first, err := p.fetch(ctx, window.Range{From: r.From, To: middle})
	if err != nil {
		return nil, err
	}
	second, err := p.fetch(ctx, window.Range{From: middle, To: r.To})
	if err != nil {
		return nil, err
	}
	rows := make([]rawRow, 0, len(first)+len(second))
	for _, row := range first {
		rows = append(rows, mark(row, r.From))
	}
	for _, row := range second {
		rows = append(rows, mark(row, middle))
	}
	delete(p.slow, r)
	return rows, nil
}

// mark notes in a row the start of the range that it answers.
func mark(row rawRow, from window.Local) rawRow {
	body, isObject := bytes.CutPrefix(bytes.TrimLeft(row, " \t\r\n"), []byte("{"))
	if !isObject || bytes.HasPrefix(body, []byte(`"wolkpipe_from"`)) {
		return row
	}
	comma := ","
	if bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("}")) {
		comma = ""
	}
	return fmt.Appendf(nil, `{"wolkpipe_from":"%s"%s%s`, from, comma, body)
}

// call makes one call to the source, when its token is free and the quota
// allows.
func (p *Poller) call(ctx context.Context, call func(context.Context) error) error {
	token, err := p.Source.Token(ctx)
	if err != nil {
		return &chat7.Error{Op: "reading the token", Kind: chat7.Transient, Hint: "check the operation's `token`", Err: err}
	}
	gate := p.Gates.For(p.url, token)
	if err := gate.enter(ctx, p.Clock); err != nil {
		return err
	}
	p.token = token
	var until time.Time
	defer func() { gate.leave(until) }()
	start := p.Clock.Now()
	if !p.quota.take(p.Live.Zone.Local(start)) {
		return &chat7.Error{Op: "asking", Kind: chat7.Quota, Message: "the day's calls are used up, by our own count"}
	}
	err = call(ctx)
	var failure *chat7.Error
	if errors.As(err, &failure) && failure.Open() {
		until = start.Add(callTime)
	}
	return err
}

// askQuota asks the source for the day's limit and what is spent of it.
func (p *Poller) askQuota(ctx context.Context) error {
	var info chat7.TokenInfo
	err := p.call(ctx, func(ctx context.Context) (err error) {
		info, err = p.client.TokenInfo(ctx)
		return err
	})
	if err != nil {
		return err
	}
	p.quota.learn(info)
	return nil
}

// wait lets the time pass that a failure of the source asks for.
func (p *Poller) wait(ctx context.Context, err error) {
	var failure *chat7.Error
	if !errors.As(err, &failure) {
		failure = &chat7.Error{Kind: chat7.Transient, Err: err}
	}
	now := p.Clock.Now()
	switch failure.Kind {
	case chat7.BadToken:
		p.waitForToken(ctx, err)
	case chat7.Quota:
		until := p.quota.reset(p.Live.Zone, now)
		p.Log.Warn("the day's calls are used up", "until", until, "error", err)
		p.status.wait("quota", until, err)
		_ = p.Clock.Sleep(ctx, until.Sub(now))
		p.quota.asked = time.Time{}
	case chat7.Permanent:
		until := now.Add(permanentWait)
		p.Log.Error("the source refuses the request", "until", until, "error", err)
		p.status.wait("permanent", until, err)
		_ = p.Clock.Sleep(ctx, permanentWait)
	default:
		pause := max(p.backoff.next(), failure.RetryAfter)
		p.Log.Warn("the source failed; asking again", "in", pause.Round(time.Millisecond), "error", err)
		p.status.wait(string(failure.Kind), now.Add(pause), err)
		_ = p.Clock.Sleep(ctx, pause)
	}
	p.status.wait("", time.Time{}, nil)
}

const (
	permanentWait = 15 * time.Minute // before a refused request is tried again
	tokenWait     = 10 * time.Second // between looks at a token that was refused
)

// waitForToken stops the operation until its token changes.
func (p *Poller) waitForToken(ctx context.Context, cause error) {
	refused, _ := p.Source.Token(ctx)
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
