package descend

// stretch is a span that holds rows, or was too much for one answer. It is
// asked for in parts, from the front; from moves up as they are answered.
type stretch struct {
	span
	days  bool    // parts are of whole days, and nothing is inferred
	whole *reply  // nil: there is none
	rest  counts  // what the whole says of what is not asked yet; nil: not known
	left  float64 // interactions in that, by estimate; below 0: not known

	asked  bool
	found  bool   // a part had rows
	inARow int    // empty parts before from
	voids  []void // empty parts that the whole has not confirmed
}

// infers reports whether what is not asked follows from what is.
func (t *stretch) infers() bool { return !t.days && t.rest != nil }

func (t *stretch) next(d *Descent) (span, bool) {
	if t.rest != nil && len(t.rest) == 0 { // the parts with rows are all there was
		d.release(t.voids)
		t.voids, t.left = nil, 0
		if t.infers() {
			d.infer(t)
			return span{}, false
		}
	}
	switch {
	case t.from == t.to:
		t.finish(d)
		return span{}, false
	case t.infers() && t.len() == 1 && len(t.voids) == 0:
		d.infer(t)
		return span{}, false
	case t.days:
		return span{t.from, d.after(t.from, t.share(d.days(t.span)))}, true
	case t.infers():
		return span{t.from, t.from + t.split(d)}, true
	}
	return span{t.from, t.from + t.share(t.len())}, true
}

// infer derives all that is left of t: one window, or nothing in any.
func (d *Descent) infer(t *stretch) {
	d.pop()
	for i := t.from; i < t.to; i++ {
		d.held = append(d.held, held{i, t.rest, t.whole})
	}
}

// finish ends a stretch all of whose parts were asked for. Where the whole had
// more than they, the empty ones are not believed yet.
func (t *stretch) finish(d *Descent) {
	d.pop()
	if t.rest != nil || t.whole != nil && !t.found {
		d.again(t.voids)
		return
	}
	d.release(t.voids)
}

func (t *stretch) answered(d *Descent, s span, r *reply) {
	if t.infers() && s.from == t.from && s.to == t.to {
		t.proven(d, s, r)
		return
	}
	t.from, t.asked = s.to, true
	if r.empty() {
		t.inARow++
		t.voids = append(t.voids, void{s, r.number})
	} else {
		t.inARow, t.found = 0, true
		t.left = max(0, t.left-r.total)
		t.rest = t.rest.minus(r.counts)
	}
	if t.rest != nil {
		t.left = t.rest.total()
	} else if t.found || t.whole == nil {
		d.release(t.voids)
		t.voids = nil
	}
	if !r.empty() {
		d.takeApart(s, r)
	}
}

// proven compares the last window of t with what remains for it.
func (t *stretch) proven(d *Descent, s span, r *reply) {
	d.pop()
	if r.empty() {
		t.voids = append(t.voids, void{s, r.number})
	} else {
		d.establish(s.from, Direct, r.rows, r.number)
	}
	if r.counts == nil || t.rest.exceeds(r.counts) {
		d.again(t.voids)
		return
	}
	d.release(t.voids) // nothing is missing
}

func (t *stretch) failed(d *Descent, s span) {
	t.from, t.asked = s.to, true
	t.rest = nil
	if t.whole == nil || t.found {
		d.release(t.voids)
		t.voids = nil
	}
	t.found = true // who knows
	d.takeApart(s, nil)
}
