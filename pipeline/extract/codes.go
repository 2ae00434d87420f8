package extract

import (
	"context"
	"errors"
	"slices"
	"time"

	"wolkpipe/pipeline/chat7"
	"wolkpipe/pipeline/codes"
	"wolkpipe/pipeline/lease"
	"wolkpipe/pipeline/notice"
	"wolkpipe/pipeline/window"
	"wolkpipe/schemas"
)

// The list of activity codes is asked for once a day, and when a row has a
// code that it lacks: at most once an hour, and with one code in mind once a
// day, since sentinels never are in the list. It is background work, behind
// live polling, but for the first time of all. That it fails stops nothing.
const (
	codesAge    = 24 * time.Hour
	strangerAge = time.Hour // of the list, when a row has a code that it lacks
	codesRest   = time.Hour // after a failure

	// How long rows are only listened to, before a code that they never had is
	// worth a notice; and how old a row may be that makes one.
	listenFor = 24 * time.Hour
	recent    = 7
)

// sentinels are codes that nobody chose and no list has.
var sentinels = []string{"", "-", "TIMEOUTCHAT", "TIMEOUTACW", "AGENT-INITIATED"}

// coding is what is remembered between askings for the codes.
type coding struct {
	strangers codes.Strangers // as stored
	waiting   map[string]bool // codes that the list is to be asked with in mind; true: of a recent row
	asked     time.Time       // when this process was last told the list
	rest      time.Time       // until then it is not asked for
	tried     bool            // this process has asked for it
}

// listen reads which codes of rows no list told.
func (p *Poller) listen(ctx context.Context) {
	if p.Codes == nil {
		return
	}
	strangers, err := p.Codes.Strangers(ctx, p.Operation)
	if err != nil {
		p.Log.Warn("codes that were seen before may be asked about again", "error", err)
	}
	p.coding.strangers = strangers
}

// sight notes the codes of recorded rows that the list lacks.
func (p *Poller) sight(now time.Time, date window.Date, rows []schemas.Row) {
	if p.Codes == nil {
		return
	}
	known := p.Codes.All(p.Operation)
	for _, r := range rows {
		if codes.Has(known, r.Code) {
			continue
		}
		if asked, met := p.coding.strangers.Asked[r.Code]; met && now.Sub(asked).Abs() < codesAge {
			continue
		}
		if p.coding.waiting == nil {
			p.coding.waiting = map[string]bool{}
		}
		p.coding.waiting[r.Code] = p.coding.waiting[r.Code] || date >= p.Live.Zone.Local(now).Date()-recent
	}
}

// codesDue is when the list of codes is to be asked for next; ok is false
// where it is not.
func (p *Poller) codesDue() (due time.Time, ok bool) {
	if p.Codes == nil || p.Fill && p.coding.tried {
		return due, false
	}
	last, age := p.coding.asked, codesAge
	if told := p.Codes.Told(p.Operation); !told.After(p.Clock.Now()) { // else our clock was set back
		last = maxTime(last, told)
	}
	for code := range p.coding.waiting {
		if p.Codes.Knows(p.Operation, code) { // told to another process
			delete(p.coding.waiting, code)
		}
	}
	if len(p.coding.waiting) > 0 && !p.Fill {
		age = strangerAge
	}
	return maxTime(last.Add(age), p.coding.rest), true
}

// unlisted reports whether the codes were never told, nor yet asked for.
func (p *Poller) unlisted() bool {
	return p.Codes != nil && !p.coding.tried && p.Codes.Told(p.Operation).IsZero()
}

// askCodes asks for the list of codes when that is due.
func (p *Poller) askCodes(ctx context.Context, now time.Time) (busy bool, err error) {
	if due, ok := p.codesDue(); !ok || now.Before(due) {
		return false, nil
	}
	ctx, span := p.traced(ctx, "codes", window.Range{})
	defer span.End()
	var list []chat7.ActivityCode
	err = p.call(ctx, lease.Catchup, func(ctx context.Context) (_ *lease.Told, err error) {
		list, err = p.client.ActivityCodes(ctx)
		return nil, err
	})
	switch {
	case ctx.Err() != nil:
		return true, nil
	case errors.Is(err, errMoved):
		return true, nil
	}
	p.coding.tried = true
	now = p.Clock.Now()
	if err == nil {
		raw := make([]codes.Raw, len(list))
		for i, c := range list {
			raw[i] = codes.Raw(c)
		}
		err = p.Codes.Store(ctx, p.Operation, raw, now)
	}
	if err != nil && !errors.Is(err, codes.ErrTooLarge) {
		p.coding.rest = now.Add(codesRest)
		p.Log.Warn("the activity codes are not to be had; descriptions stay as they are", "again", p.coding.rest, "error", err)
		return true, nil
	}
	if err != nil {
		p.Log.Warn("the activity codes are known until this process ends only", "error", err)
	}
	p.coding.asked = now
	p.meet(ctx, now)
	return true, nil
}

// meet takes the codes that waited for the list and are not in it for
// strangers. Those that no row had before are worth a notice.
func (p *Poller) meet(ctx context.Context, now time.Time) {
	known := p.Codes.All(p.Operation)
	before := p.coding.strangers
	next := codes.Strangers{Since: now.UTC(), Asked: map[string]time.Time{}}
	var listed, news []string
	for code := range before.Asked {
		if next.Asked[code] = now.UTC(); codes.Has(known, code) {
			listed = append(listed, code)
		}
	}
	for code, recent := range p.coding.waiting {
		if codes.Has(known, code) {
			continue
		}
		next.Asked[code] = now.UTC()
		_, met := before.Asked[code]
		if !met && recent && !before.Since.IsZero() && now.Sub(before.Since) >= listenFor && !slices.Contains(sentinels, code) {
			news = append(news, code)
		}
	}
	p.coding.waiting = nil
	kept, err := p.Codes.Keep(ctx, p.Operation, next)
	if err != nil {
		p.Log.Warn("codes that were seen before may be asked about again", "error", err)
	}
	p.coding.strangers = kept
	if len(listed) > 0 {
		p.Notices.End(ctx, p.Operation, notice.UnknownCode, "", now, listed...)
	}
	if len(news) > 0 {
		p.raise(ctx, notice.UnknownCode, "", "rows have codes that neither the source's list of activity codes nor earlier rows had: "+
			"if they are to stay, tell whoever reports by code", news...)
	}
}
