package descend

import "slices"

// frame is a piece of work on the stack. Its next gives what to ask for, or
// false when it changed the stack instead; the answer comes back to it.
type frame interface {
	next(d *Descent) (span, bool)
	answered(d *Descent, s span, r *reply)
	failed(d *Descent, s span)
}

// list asks for spans as they are. What is answered stands.
type list struct {
	spans []span
	last  bool // nothing more is tried
}

func (l *list) next(d *Descent) (span, bool) {
	if len(l.spans) == 0 {
		d.pop()
		return span{}, false
	}
	return l.spans[0], true
}

func (l *list) answered(d *Descent, s span, r *reply) {
	l.spans = l.spans[1:]
	if r.empty() {
		d.release([]void{{s, r.number}})
		return
	}
	d.takeApart(s, r)
}

func (l *list) failed(d *Descent, s span) {
	l.spans = l.spans[1:]
	d.takeApart(s, nil)
}

// void is a span that was answered as empty.
type void struct {
	span
	answer int
}

// release establishes voids as what they were answered to be.
func (d *Descent) release(voids []void) {
	for _, v := range voids {
		for i := v.from; i < v.to; i++ {
			d.establish(i, Empty, nil, v.answer)
		}
	}
}

// again asks for voids once more.
func (d *Descent) again(voids []void) {
	l := &list{}
	for _, v := range voids {
		l.spans = append(l.spans, v.span)
	}
	d.push(l)
}

// takeApart goes on from an answer with rows; r is nil where there could be
// no answer.
func (d *Descent) takeApart(s span, r *reply) {
	if s.len() == 1 && r != nil {
		d.establish(s.from, Direct, r.rows, r.number)
		return
	}
	t := &stretch{span: s, days: d.ends[s.from] < s.to, whole: r, left: -1}
	if r != nil {
		t.left = r.total
		if d.derive {
			t.rest = r.counts
		}
	}
	if !t.days && !d.sampling() {
		d.push(&sample{})
	}
	d.push(t)
}

// sampling reports whether the day under way has its sample to come.
func (d *Descent) sampling() bool {
	for _, f := range d.stack {
		if _, ok := f.(*sample); ok {
			return true
		}
	}
	return false
}

// sample lies under the work on a day: when that is done, it asks for one of
// the windows that were derived.
type sample struct{ picked held }

func (p *sample) next(d *Descent) (span, bool) {
	if len(d.held) == 0 {
		d.pop()
		return span{}, false
	}
	p.picked = pick(d.held, uint64(d.windows[d.held[0].at].From.Date()))
	return span{p.picked.at, p.picked.at + 1}, true
}

// pick chooses a derived window by a hash of the day, one with rows if there
// is any: it says more.
func pick(all []held, day uint64) held {
	var some []held
	for _, h := range all {
		if len(h.counts) > 0 {
			some = append(some, h)
		}
	}
	if len(some) == 0 {
		some = all
	}
	day = (day ^ day>>33) * 0xff51afd7ed558ccd // a step of MurmurHash3's finalizer
	day ^= day >> 33
	return some[day%uint64(len(some))]
}

// disagreements are how many days' samples may disagree before nothing more
// is derived.
const disagreements = 2

func (p *sample) answered(d *Descent, s span, r *reply) {
	d.stats.Samples++
	if r.counts == nil { // it tells nothing: another one will
		d.establish(s.from, Direct, r.rows, r.number)
		d.held = slices.DeleteFunc(d.held, func(h held) bool { return h.at == s.from })
		return
	}
	d.pop()
	all := d.held
	d.held = nil
	agrees := p.picked.counts.equal(r.counts)
	switch {
	case !r.empty():
		d.establish(s.from, Direct, r.rows, r.number)
	case agrees:
		d.establish(s.from, Empty, nil, r.number)
	}
	if agrees {
		for _, h := range all {
			if !d.done[h.at] {
				d.establish(h.at, Derived, h.counts.rows(h.from.labels), h.from.number)
			}
		}
		return
	}
	if d.stats.Disagreed++; d.stats.Disagreed >= disagreements {
		d.derive = false
	}
	l := &list{}
	for _, h := range all {
		if !d.done[h.at] {
			l.spans = append(l.spans, span{h.at, h.at + 1})
		}
	}
	d.push(l)
}

// failed is never called: a sample is one window.
func (p *sample) failed(*Descent, span) {}
