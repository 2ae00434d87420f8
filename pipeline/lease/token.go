package lease

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"wolkpipe/pipeline/window"
)

// Token is a process's view of one token at one source.
type Token struct {
	leases *Leases
	key    string
	zone   window.Zone

	mu      sync.Mutex
	limit   int64 // configured; 0: none
	closed  bool
	waiters []*waiter   // in the order of their coming
	taken   bool        // a waiter is being let in, or its call is open
	call    *Call       // that is open, or that was not yet told to be over
	pending *settlement // of a call, not yet in the record
	quiet   time.Time   // until then the source may work on calls of ours
	last    *record     // as last read or written
	seen    time.Time   // when the last record's beat was first seen
	wait    wait        // why the first waiter waits
}

// waiter is a caller of Enter.
type waiter struct {
	Ask
	since   time.Time
	passed  int           // calls that were more urgent, made in the meantime
	blocked bool          // by the quota: others may go first
	wake    chan struct{} // holds one signal to look again
}

// wait is why nobody is let in, and until when at least.
type wait struct {
	reason Reason
	until  time.Time
	err    error
}

func newToken(l *Leases, key string, zone window.Zone) *Token {
	if zone == (window.Zone{}) {
		zone, _ = window.LoadZone("UTC") // always there
	}
	return &Token{leases: l, key: key, zone: zone}
}

func (t *Token) clock() Clock { return t.leases.options.Clock }

// Ask is a wish to make one call.
type Ask struct {
	Kind Kind
	// Ahead tells how many calls live polling will make on this token within
	// a duration from the time of the call: it is let in only if the quota
	// keeps room for those. It must not fall with its argument and is called
	// often, at any time until Enter returns. Nil: none. Not used for Live and Info.
	Ahead func(time.Duration) int64

	// Prompt asks not to wait for the quota: Enter gives an [*OverQuotaError].
	Prompt bool
}

// OverQuotaError means that the quota leaves no room for a call.
type OverQuotaError struct {
	Until time.Time // when there may be room, at the earliest
}

func (e *OverQuotaError) Error() string {
	return "the quota leaves no room for a call until " + e.Until.Format(time.RFC3339)
}

// Enter waits until a call may be made: no other is in flight anywhere, the
// lease is this process's, and the quota allows it. The call is then counted,
// and [Call.Done] must be called.
//
// While NATS cannot be reached nobody is let in. An error is ctx's, ErrClosed,
// an [*OverQuotaError] or a [*RecordError]; nothing is open after it, though a call may have been
// counted.
func (t *Token) Enter(ctx context.Context, ask Ask) (*Call, error) {
	w := t.join(ask)
	defer t.leave(w)
	for {
		if err := t.turn(ctx, w); err != nil {
			return nil, err
		}
		call, wait := t.attempt(ctx, w)
		if call != nil {
			t.enter(w, call)
			return call, nil
		}
		t.stand(w, wait)
		if ctx.Err() != nil {
			return nil, waiting(ctx.Err())
		}
		if ask.Prompt && wait.reason == OverQuota {
			return nil, &OverQuotaError{wait.until}
		}
		var broken *RecordError
		if errors.As(wait.err, &broken) {
			return nil, wait.err
		}
		if err := t.pause(ctx, w, wait); err != nil {
			return nil, err
		}
	}
}

func waiting(err error) error { return fmt.Errorf("waiting for the token: %w", err) }

// turn waits until w is the next to be let in, and takes the process's one
// place for that.
func (t *Token) turn(ctx context.Context, w *waiter) error {
	for {
		if err := ctx.Err(); err != nil {
			return waiting(err)
		}
		t.mu.Lock()
		closed, next := t.closed, !t.taken && t.next() == w
		if next && !closed {
			t.taken = true
			select {
			case <-w.wake: // of something that is seen now
			default:
			}
		}
		t.mu.Unlock()
		switch {
		case closed:
			return ErrClosed
		case next:
			return nil
		}
		select {
		case <-w.wake:
		case <-ctx.Done():
		}
	}
}

// stand gives the place back: w was not let in.
func (t *Token) stand(w *waiter, wait wait) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if wait.err != nil && t.wait.err == nil {
		t.leases.options.Log.Warn("no call is made while the lease cannot be had", "lease", t.key, "error", wait.err)
	}
	t.taken, t.wait = false, wait
	w.blocked = wait.reason == OverQuota
	t.wakeOthers(w)
}

// pause waits until it is worth looking again.
func (t *Token) pause(ctx context.Context, w *waiter, wait wait) error {
	d := wait.until.Sub(t.clock().Now())
	switch wait.reason {
	case Held:
		d = min(d, pollTime)
	case OverQuota:
		d = min(d, quotaPoll)
	}
	if d > 0 {
		t.sleep(ctx, w, d)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	w.blocked = false
	if err := ctx.Err(); err != nil {
		return waiting(err)
	}
	return nil
}

// sleep lasts for d, or until w is woken or ctx ends.
func (t *Token) sleep(ctx context.Context, w *waiter, d time.Duration) {
	ctx, cancel := context.WithCancel(ctx)
	woken := make(chan struct{})
	go func() {
		defer close(woken)
		select {
		case <-w.wake:
			cancel()
		case <-ctx.Done():
		}
	}()
	_ = t.clock().Sleep(ctx, d)
	cancel()
	<-woken // it must not take a signal that comes later
}

// enter notes that w was let in.
func (t *Token) enter(w *waiter, call *Call) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.wait.err != nil {
		t.leases.options.Log.Info("the lease can be had again", "lease", t.key)
	}
	t.call, t.wait = call, wait{}
	for _, other := range t.waiters {
		if !other.blocked && urgency(w.Kind, 0) < urgency(other.Kind, 0) {
			other.passed++
		}
	}
}

func (t *Token) join(ask Ask) *waiter {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := &waiter{Ask: ask, since: t.clock().Now(), wake: make(chan struct{}, 1)}
	t.waiters = append(t.waiters, w)
	t.wakeOthers(w)
	return w
}

func (t *Token) leave(w *waiter) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, other := range t.waiters {
		if other == w {
			t.waiters = append(t.waiters[:i:i], t.waiters[i+1:]...)
			break
		}
	}
	t.wakeOthers(w)
}

// next is the waiter whose turn it is; nil if there is none.
func (t *Token) next() (first *waiter) {
	for _, w := range t.waiters {
		if !w.blocked && (first == nil || urgency(w.Kind, w.passed) < urgency(first.Kind, first.passed)) {
			first = w
		}
	}
	return first
}

// wakeOthers makes the waiters but w look again, after something of w has
// changed. Those that the quota blocks have no part in that.
func (t *Token) wakeOthers(w *waiter) {
	for _, other := range t.waiters {
		if other != w && !other.blocked {
			other.signal()
		}
	}
}

// wakeAll makes all waiters look again.
func (t *Token) wakeAll() {
	for _, w := range t.waiters {
		w.signal()
	}
}

func (w *waiter) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}
