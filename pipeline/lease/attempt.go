package lease

import (
	"context"
	"errors"
	"time"
)

// attempt tries once to let w in: one read, one compare-and-swap. The caller
// holds the process's one place.
func (t *Token) attempt(ctx context.Context, w *waiter) (*Call, wait) {
	r, revision, err := t.look(ctx)
	if err != nil {
		return nil, t.failed(err)
	}
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return nil, wait{} // what follows finds out
	}
	now := t.clock().Now()
	r = r.clone()
	settles := t.settle(r)
	limit := t.limit
	if limit == 0 {
		limit = r.Quota.Limit
	}
	held, busy := t.heldUntil(r), t.busyUntil(r)
	t.mu.Unlock()

	ahead := w.Ahead
	if w.Kind == Live || w.Kind == Info {
		ahead = nil
	}
	if at := r.Quota.free(limit, ahead, now); at.IsZero() || at.After(now) {
		if at.IsZero() {
			at = now.Add(day)
		}
		return nil, wait{OverQuota, at, nil}
	}
	if held.After(now) {
		t.ask(ctx, r, revision, w)
		return nil, wait{Held, held, nil}
	}
	if busy.After(now) {
		if r.Instance == t.leases.instance {
			return nil, wait{Busy, busy, nil}
		}
		return nil, wait{Held, busy, nil} // it may end sooner
	}
	if other := t.moreUrgent(r, w); other != "" {
		r.Owner, r.For = "", other
		r.Lease, r.Busy = inMillis(offerTime), 0
		r.dropWant(other)
		t.stamp(r, now)
		if err := t.write(ctx, r, revision, settles); err != nil {
			return nil, t.failed(err)
		}
		return nil, wait{Held, now.Add(offerTime), nil}
	}

	moved := r.Instance != "" && r.Instance != t.leases.instance
	r.Owner, r.For = t.leases.options.Owner, ""
	r.Lease, r.Busy = inMillis(openTime), inMillis(openTime)
	r.dropWant(t.leases.instance)
	for i := range r.Wants {
		r.Wants[i].Passed++
	}
	r.Quota.call(now)
	t.stamp(r, now)
	if err := t.write(ctx, r, revision, settles); err != nil {
		return nil, t.failed(err)
	}
	return &Call{token: t, start: now, beat: r.beat(), Moved: moved}, wait{}
}

// stamp makes r a beat of this process.
func (t *Token) stamp(r *record, now time.Time) {
	r.Version = recordVersion
	r.Instance = t.leases.instance
	r.Beat++
}

// failed is the wait after an attempt that came to nothing.
func (t *Token) failed(err error) wait {
	now := t.clock().Now()
	if errors.Is(err, errConflict) {
		return wait{Held, now, nil} // look again at once
	}
	return wait{NoNATS, now.Add(retryTime), err}
}

// look reads the record. Where it is gone, with its bucket or without, what
// this process last saw of it stands in its place.
func (t *Token) look(ctx context.Context) (*record, uint64, error) {
	r, revision, err := t.leases.read(ctx, t.key)
	if err != nil {
		var broken *RecordError
		if errors.As(err, &broken) || ctx.Err() != nil {
			return nil, 0, err
		}
		if t.leases.bind(ctx) != nil {
			return nil, 0, err
		}
		if r, revision, err = t.leases.read(ctx, t.key); err != nil {
			return nil, 0, err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case r != nil:
		t.note(r)
	case t.last != nil:
		r = t.last
	default:
		r = &record{Version: recordVersion}
	}
	return r, revision, nil
}

// note remembers r. What its durations run from is the time after it was
// read, which is not before it was written. t.mu is held.
func (t *Token) note(r *record) {
	if t.last == nil || t.last.beat() != r.beat() {
		t.seen = t.clock().Now()
	}
	t.last = r
}

// write swaps r in, and forgets the pending settlement if r holds it.
func (t *Token) write(ctx context.Context, r *record, revision uint64, settled *settlement) error {
	if err := t.leases.swap(ctx, t.key, r, revision); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.note(r)
	if t.pending == settled {
		t.pending = nil
	}
	return nil
}

// heldUntil is when the lease of somebody else ends, by this process's clock.
func (t *Token) heldUntil(r *record) time.Time {
	o, me := t.leases.options.Owner, t.leases.instance
	if r.Owner == o || r.Owner == "" && (r.For == "" || r.For == me) {
		return time.Time{}
	}
	return t.seen.Add(r.Lease.duration() + driftTime)
}

// busyUntil is when the source no longer works on anybody's call.
func (t *Token) busyUntil(r *record) time.Time {
	until := t.quiet
	if r.Busy > 0 && r.Instance != t.leases.instance {
		if theirs := t.seen.Add(r.Busy.duration() + driftTime); theirs.After(until) {
			until = theirs
		}
	}
	return until
}

// ask writes into the record that w waits for the lease of another process.
// If that fails, the next look tries again.
func (t *Token) ask(ctx context.Context, r *record, revision uint64, w *waiter) {
	me := t.leases.instance
	if mine := r.want(me); mine != nil {
		if mine.Kind == w.Kind {
			return
		}
		mine.Kind = w.Kind
	} else {
		r.Wants = append(r.Wants, want{Instance: me, Kind: w.Kind})
		r.Wants = r.Wants[max(0, len(r.Wants)-wantLimit):]
	}
	_ = t.leases.swap(ctx, t.key, r, revision)
}

// moreUrgent is the process that has a more urgent call to make than w, or
// has waited for as many as urgent ones; "" if there is none. Only the holder
// gives way: who finds the token free takes it.
func (t *Token) moreUrgent(r *record, w *waiter) (instance string) {
	if r.Instance != t.leases.instance || r.For != "" {
		return ""
	}
	least := urgency(w.Kind, w.passed)
	for _, other := range r.Wants {
		u := urgency(other.Kind, other.Passed)
		if u < least || u == least && instance == "" && other.Passed >= passedByPeers {
			least, instance = u, other.Instance
		}
	}
	return instance
}
