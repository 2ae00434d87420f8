package extract

import (
	"context"
	"fmt"
	"time"

	"wolkpipe/pipeline/chat7"
	"wolkpipe/pipeline/lease"
	"wolkpipe/pipeline/notice"
)

// What makes a notice, and when it is over: see the kinds in package notice.
const (
	inspectEvery = 10 * time.Minute

	emptyDays   = 3  // observed whole, of which
	emptyWithin = 14 // of the last days

	skewTolerated = 30 * time.Second
	skewAnswers   = 3 // running: a cache on the way may answer with an old Date

	fewOthers  = 5 // calls with the token that may be a person's who tries it
	sharedFor  = 24 * time.Hour
	newFor     = 7 * 24 * time.Hour
	differFor  = 30 * 24 * time.Hour
	differDays = "days" // the subject of days that did not agree
)

// watching is what is remembered between looks at what makes a notice.
type watching struct {
	inspected time.Time
	rows      bool // the source has ever had a row
	off       int  // answers running whose Date was far away
}

// raise raises a notice of this operation.
func (p *Poller) raise(ctx context.Context, kind notice.Kind, subject, text string, items ...string) {
	p.Notices.Raise(ctx, p.Operation, notice.Fact{Kind: kind, Subject: subject, Text: text, Items: items}, p.Clock.Now())
}

// over ends one.
func (p *Poller) over(ctx context.Context, kind notice.Kind, subject string, items ...string) {
	p.Notices.End(ctx, p.Operation, kind, subject, p.Clock.Now(), items...)
}

// inspect looks now and then at what nobody else comes across.
func (p *Poller) inspect(ctx context.Context, now time.Time) {
	if p.Fill || p.Notices == nil || now.Sub(p.watching.inspected).Abs() < inspectEvery {
		return
	}
	p.watching.inspected = now
	p.emptiness(ctx, now)
	p.shortage(ctx)
	p.examined(ctx)
	p.Notices.Expire(ctx, p.Operation, notice.TokenShared, now.Add(-sharedFor), now)
	p.Notices.Expire(ctx, p.Operation, notice.UnknownCode, now.Add(-newFor), now)
	p.Notices.Expire(ctx, p.Operation, notice.CountsDiffer, now.Add(-differFor), now)
}

// emptiness looks whether the source never has rows.
func (p *Poller) emptiness(ctx context.Context, now time.Time) {
	today := p.Live.Zone.Local(now).Date()
	switch {
	case len(p.unread) > 0: // not known yet
	case p.watching.rows:
		p.over(ctx, notice.AlwaysEmpty, "")
	case p.coverage.Complete(today-emptyWithin, today-1) >= emptyDays:
		p.raise(ctx, notice.AlwaysEmpty, "", "chat_7 has never had a row, on any day: it counts e-mail, Facebook pages, Instagram and Twitter, "+
			"and may leave out WhatsApp and web chats; or the token or server is not that of this operation: compare with the same report in wolkvox")
	}
}

// rowsSeen notes that the source has rows.
func (p *Poller) rowsSeen(ctx context.Context) {
	if !p.watching.rows {
		p.watching.rows = true
		p.over(ctx, notice.AlwaysEmpty, "")
	}
}

// shortage looks whether the quota lasts for live polling.
func (p *Poller) shortage(ctx context.Context) {
	holder := p.holder.Load()
	if holder == nil {
		return
	}
	state := holder.State()
	switch short, calls := p.short(holder, state); {
	case short:
		p.raiseShortage(ctx, state.Limit)
	case calls == 0:
		p.over(ctx, notice.QuotaShort, "")
	}
}

// short reports whether the quota is too small for live polling, and how many
// calls it lacks. What retries take is no shortage, but a limit that is too low
// at all is.
func (p *Poller) short(holder *lease.Token, state lease.State) (short bool, calls int64) {
	need := p.ahead(24*time.Hour) - 1
	calls = holder.Short(p.ahead)
	return state.Refused || state.Limit > 0 && state.Limit < need || calls > need/20+fewOthers, calls
}

func (p *Poller) raiseShortage(ctx context.Context, limit int64) {
	if p.Fill { // no live polling
		return
	}
	allowed := ""
	if limit > 0 {
		allowed = fmt.Sprintf(", %d are allowed", limit)
	}
	p.raise(ctx, notice.QuotaShort, "", fmt.Sprintf("the day's calls do not last: live polling takes %d a day%s, "+
		"and others may use them too: get more calls a day, or make `window` longer", p.ahead(24*time.Hour)-1, allowed))
}

// dated compares an answer's Date with our clock before and after the call.
func (p *Poller) dated(ctx context.Context, date, before, after time.Time) {
	if date.IsZero() {
		return
	}
	ahead := before.Sub(date.Add(time.Second)) // a Date has whole seconds
	behind := date.Sub(after)
	off, way := ahead, "ahead of"
	if behind > ahead {
		off, way = behind, "behind"
	}
	if off <= skewTolerated {
		p.watching.off = 0
		p.over(ctx, notice.ClockOff, "")
		return
	}
	if p.watching.off++; p.watching.off < skewAnswers {
		return
	}
	p.raise(ctx, notice.ClockOff, "", fmt.Sprintf("this machine's clock is %s the source's by %s: set it by NTP, "+
		"or if it is right make `delay` longer than that", way, off.Round(30*time.Second)))
}

// refused looks at a call that the source refused.
func (p *Poller) refused(ctx context.Context, kind chat7.Kind) {
	if kind == chat7.Concurrency { // the lease was ours, and no earlier call of ours open
		p.raise(ctx, notice.TokenShared, "simultaneous", "somebody else uses this token: the source refused a call because others were under way: "+
			"give each program a token of its own")
	}
}

// counted looks at what token_info told.
func (p *Poller) counted(ctx context.Context) {
	if holder := p.holder.Load(); holder != nil && holder.State().Others > fewOthers {
		p.raise(ctx, notice.TokenShared, "count", "somebody else uses this token: the source counts more calls with it than were made here: "+
			"give each program a token of its own")
	}
}

// examined looks at what doctor found.
func (p *Poller) examined(ctx context.Context) {
	switch {
	case p.learned.Examined && !p.learned.Additive:
		p.raise(ctx, notice.CountsDiffer, "", "counts do not add up at this source, as `wolkpipe doctor` found: "+
			"no window is derived, each is asked for, which takes more calls")
	case p.learned.Additive:
		p.over(ctx, notice.CountsDiffer, "")
	}
}
