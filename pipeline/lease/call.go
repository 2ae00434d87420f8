package lease

import (
	"context"
	"errors"
	"time"
)

// Call is the right to make one call now.
type Call struct {
	// Moved tells that another process had the token since this one's last
	// call: what was planned before may be done. End the call as unsent,
	// plan anew and enter again; that costs nothing.
	Moved bool

	token *Token
	start time.Time // before the record was written
	beat  beat      // of the record that has it open
	sent  time.Time // when it was last allowed to be sent; zero: never
	over  bool
}

// Deadline is when the request must be sent by.
func (c *Call) Deadline() time.Time { return c.start.Add(sendTime) }

// MaySend tells whether the request may be written to the connection now,
// and takes it that it then is: ask right before each write of its first
// byte, a second attempt's included, and at no other time. It is false once
// [Call.Deadline] is past, on the machine's steady clock or on the wall clock,
// whichever is ahead: others may have the token by the time that the request
// would be answered.
func (c *Call) MaySend() bool {
	t := c.token
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.clock().Now()
	if c.over || t.closed || elapsed(c.start, now) >= sendTime {
		return false
	}
	c.sent = now
	return true
}

// elapsed is the time since from by the clock that went further: one stands
// still while the machine sleeps, the other can be set.
func elapsed(from, now time.Time) time.Duration {
	return max(now.Sub(from), now.Round(0).Sub(from.Round(0)))
}

// Outcome is what became of a call. The zero value is a call that the source
// may still be working on.
type Outcome struct {
	// Ended: the whole answer is there, whatever it says, or the request was
	// never sent. A call that ended without MaySend having been true, and
	// tells nothing below, is taken off the quota again.
	Ended bool

	Granted bool  // the answer shows that there was quota for it: rows, or proven none
	Refused bool  // the source says that the quota is used up
	Told    *Told // what token_info told
}

// Told is the source's account of the quota. The numbers must be of one kind
// each time: both of the token, or both of all tokens.
type Told struct {
	Limit int64 // calls a day; 0: not told
	Used  int64 // of the present day, this call included; -1: not told
	Own   int64 // of Used, or beside it, those with this token; 0: not told
}

// settlement is an outcome on its way into the record.
type settlement struct {
	Outcome
	beat  beat
	start time.Time
	at    time.Time // of Done
	sent  bool
}

// Done ends the call and lets the next one in: at once if it ended, else when
// the source's 60 s are over, by which everybody is kept out. Only the first
// Done of a call counts. If NATS cannot be reached, the outcome is written
// with this process's next call.
func (c *Call) Done(o Outcome) {
	t := c.token
	t.mu.Lock()
	if c.over {
		t.mu.Unlock()
		return
	}
	c.over = true
	now := t.clock().Now()
	if !o.Ended {
		t.quiet = c.openUntil()
	}
	t.pending = &settlement{o, c.beat, c.start, now, !c.sent.IsZero()}
	t.mu.Unlock()

	err := t.flush(context.Background())

	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.leases.options.Log.Warn("the end of a call is not yet written", "lease", t.key, "error", err)
	}
	t.taken, t.call = false, nil
	t.wakeAll()
}

// openUntil is when the source is done with a call that has no answer.
func (c *Call) openUntil() time.Time {
	if c.sent.IsZero() {
		return c.start.Add(sourceTime)
	}
	return c.sent.Add(sourceTime)
}

// swapTries bounds the conflicts that one change gives way to.
const swapTries = 10

// flush writes the pending settlement.
func (t *Token) flush(ctx context.Context) error {
	for range swapTries {
		r, revision, err := t.look(ctx)
		if err != nil {
			return err
		}
		t.mu.Lock()
		r = r.clone()
		settled := t.settle(r)
		now := t.clock().Now()
		t.mu.Unlock()
		switch {
		case settled == nil && t.unsettled():
			return errBehind
		case settled == nil:
			return nil
		}
		r.Lease = max(inMillis(idleTime), r.Busy)
		t.stamp(r, now)
		if err := t.write(ctx, r, revision, settled); !errors.Is(err, errConflict) {
			return err
		}
	}
	return errConflict
}

// errBehind means that a record was read that is older than one of this
// process's own: a server that was the leader answers so until it knows.
var errBehind = errors.New("NATS answered with an older record")

func (t *Token) unsettled() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.pending != nil
}

// settle applies the pending settlement to r, and gives it; nil if there is
// none, another process has taken over since, or r is of before the call: then
// it stays pending. t.mu is held.
func (t *Token) settle(r *record) *settlement {
	s := t.pending
	if s == nil {
		return nil
	}
	if r.beat() != s.beat {
		if r.Beat > s.beat.number {
			t.pending = nil
		}
		return nil
	}
	r.Busy = inMillis(t.quiet.Sub(t.clock().Now()))
	q := &r.Quota
	switch {
	case s.Refused:
		q.refuse(t.zone, s.at)
	case s.Granted:
		q.granted()
	case s.Ended && !s.sent && s.Told == nil:
		q.unsent(s.start)
	}
	if s.Told != nil {
		q.learn(s.Told.Limit, s.Told.Used, s.Told.Own, s.at)
	}
	return s
}

// release lets go of the lease for good.
func (t *Token) release(ctx context.Context) error {
	t.mu.Lock()
	t.closed = true
	if c := t.call; c != nil && !c.over && !c.sent.IsZero() {
		t.quiet = c.openUntil()
	}
	known := t.last != nil
	t.wakeAll()
	t.mu.Unlock()
	for range swapTries {
		if !known {
			return nil
		}
		r, revision, err := t.look(ctx)
		if err != nil {
			return err
		}
		t.mu.Lock()
		r = r.clone()
		settled := t.settle(r)
		now, quiet := t.clock().Now(), t.quiet
		t.mu.Unlock()
		mine := r.want(t.leases.instance) != nil
		r.dropWant(t.leases.instance)
		if r.Instance == t.leases.instance {
			r.Owner, r.For, r.Lease, r.Busy = "", "", 0, inMillis(quiet.Sub(now))
			t.stamp(r, now)
		} else if !mine {
			return nil
		}
		if err := t.write(ctx, r, revision, settled); !errors.Is(err, errConflict) {
			return err
		}
	}
	return errConflict
}
