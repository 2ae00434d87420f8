package extract

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"wolkpipe/pipeline/chat7"
	"wolkpipe/pipeline/lease"
	"wolkpipe/pipeline/trace"
	"wolkpipe/pipeline/window"
)

// errMoved means that another process has used the token since this one did:
// what was planned may have been done.
var errMoved = errors.New("another process has used the token meanwhile")

// call makes one call to the source, when the token's lease lets it in. The
// error is the source's, a chat7.Error of kind Quota where the quota leaves no
// room, errMoved, or ctx's.
func (p *Poller) call(ctx context.Context, kind lease.Kind, call func(context.Context) (*lease.Told, error)) error {
	token, err := p.Source.Token(ctx)
	if err != nil {
		return &chat7.Error{Op: "reading the token", Kind: chat7.Transient, Hint: "check the operation's `token`", Err: err}
	}
	holder := p.Leases.Token(p.url, token, lease.Quota{Limit: p.Quota, Zone: p.Live.Zone})
	p.holder.Store(holder)
	_, waiting := trace.Start(ctx, "lease")
	permit, err := holder.Enter(ctx, lease.Ask{Kind: kind, Prompt: true, Ahead: p.ahead})
	entered(waiting, permit, err)
	var over *lease.OverQuotaError
	switch {
	case errors.As(err, &over):
		return &chat7.Error{
			Op: "asking", Kind: chat7.Quota, Message: overQuota(kind),
			RetryAfter: over.Until.Sub(p.Clock.Now()),
		}
	case err != nil:
		return err
	case permit.Moved:
		permit.Done(lease.Outcome{Ended: true})
		return errMoved
	}
	p.token = token
	p.permit.Store(permit)
	asking, span := trace.StartCall(ctx, "call")
	told, err := call(asking)
	answered(span, err)
	outcome := lease.Outcome{Ended: true, Granted: err == nil, Told: told}
	var failure *chat7.Error
	if errors.As(err, &failure) {
		outcome.Ended = !failure.Open()
		outcome.Refused = failure.Kind == chat7.Quota
		p.Metrics.request(p.Operation, string(failure.Kind))
		defer p.refused(ctx, failure.Kind)
	} else if err == nil {
		p.Metrics.request(p.Operation, "ok")
	}
	permit.Done(outcome)
	return err
}

// overQuota says why the quota leaves no room for a call.
func overQuota(kind lease.Kind) string {
	if kind == lease.Live || kind == lease.Info {
		return "the day's calls are used up, by our own count"
	}
	return keptForLive
}

const keptForLive = "what is left of the day's calls is kept for live polling"

// ahead is how many calls live polling will make within d: what others leave
// of the quota.
func (p *Poller) ahead(d time.Duration) int64 { return p.Live.Reserve(d) }

// connect makes the client. It sends the token whose lease was entered, and
// nothing after the lease's time for that.
func (p *Poller) connect() (err error) {
	source := p.Source
	source.Exclusive = source.Exclusive || p.learned.Exclusive
	source.Token = func(context.Context) (string, error) { return p.token, nil }
	if source.Transport == nil {
		source.Transport = p.guarded(chat7.NewTransport())
	}
	p.client, err = chat7.New(source)
	return err
}

// guarded makes a transport whose connections write only while the call under
// way may be sent: a process that was stopped in between finds that it is not.
func (p *Poller) guarded(t *http.Transport) *http.Transport {
	dial := t.DialContext
	if dial == nil {
		dial = (&net.Dialer{Timeout: 10 * time.Second}).DialContext
	}
	t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &guardedConn{conn, p}, nil
	}
	return t
}

type guardedConn struct {
	net.Conn
	poller *Poller
}

var errTooLate = errors.New("the call's time to be sent is over")

func (c *guardedConn) Write(b []byte) (int, error) {
	if permit := c.poller.permit.Load(); permit == nil || !permit.MaySend() {
		return 0, errTooLate
	}
	return c.Conn.Write(b)
}

// quotaAge is how often the source is asked what is left of the quota.
const quotaAge = 6 * time.Hour

// refreshQuota asks the source for the day's limit and what is spent of it.
// Going on without knowing is better than not polling, but for failures that
// any call would meet.
func (p *Poller) refreshQuota(ctx context.Context) {
	ctx, span := p.traced(ctx, "quota", window.Range{})
	defer span.End()
	err := p.call(ctx, lease.Info, func(ctx context.Context) (*lease.Told, error) {
		info, err := p.client.TokenInfo(ctx)
		if err != nil {
			return nil, err
		}
		return told(info), nil
	})
	if ctx.Err() != nil || errors.Is(err, errMoved) {
		return
	}
	switch chat7.KindOf(err) {
	case chat7.BadToken, chat7.Quota, chat7.Concurrency, chat7.Maintenance:
		// The journal is not asked for anything here: there is nothing to flush.
		_ = p.failed(ctx, window.Range{}, err, &p.liveRest)
		return
	}
	p.asked = p.Clock.Now()
	p.counted(ctx)
	if err != nil {
		p.Log.Warn("the source does not tell the quota", "error", err)
	}
}

// told reads what the source says of the quota: what all tokens of the
// operation have used, where it says that.
func told(info chat7.TokenInfo) *lease.Told {
	t := &lease.Told{Used: -1}
	switch {
	case info.AllUsed != nil:
		t.Used = *info.AllUsed
	case info.Used != nil:
		t.Used = *info.Used
	}
	if info.Used != nil {
		t.Own = *info.Used
	}
	switch {
	case info.Limit != nil:
		t.Limit = *info.Limit
	case info.Available != nil && t.Used >= 0:
		t.Limit = t.Used + *info.Available
	}
	return t
}

// early is an answer that the source gave, by its own clock, before what was
// asked for was over: our clock is ahead. Later it may say more.
func early(answer chat7.Answer, end time.Time) error {
	if answer.Date.IsZero() || !answer.Date.Before(end.Truncate(time.Second)) {
		return nil
	}
	return &chat7.Error{
		Op: "asking", Kind: chat7.Transient,
		Message: fmt.Sprintf("by the source's clock it is %s, and what was asked for is over at %s",
			answer.Date.UTC().Format(time.TimeOnly), end.UTC().Format(time.TimeOnly)),
		Hint: "set this machine's clock, or raise `delay` by the difference",
	}
}
