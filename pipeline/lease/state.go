package lease

import "time"

// Reason is why a call has to wait.
type Reason string

// The reasons.
const (
	Held      Reason = "held"  // another process has the lease, or a call in flight
	Busy      Reason = "busy"  // the source may work on a call of ours that has no answer
	OverQuota Reason = "quota" // the quota is used up, or the rest is kept for live polling
	NoNATS    Reason = "nats"  // the record cannot be read or written
)

// State is how a token stands, as this process last saw it. It costs no I/O.
type State struct {
	Holder    string    // owner of the lease; empty: nobody, or not known yet
	Mine      bool      // the holder is this process
	Former    bool      // the holder was an earlier process of this owner
	Limit     int64     // calls a day; 0: not known
	Used      int64     // calls that count now
	Remaining int64     // calls left now, what is kept for live polling included; of use where Limit is known
	Others    int64     // calls with this token that were not made here, as token_info last told
	Refused   bool      // the source said that the quota is used up, and has granted nothing since
	Waiting   int       // callers of Enter
	Since     time.Time // since when the first of them waits; zero: nobody does
	Reason    Reason    // why they wait; empty: for a call of this process, or not at all
	Until     time.Time // when the next call may be had, at the earliest; zero: now
	Err       error     // of NATS, or a [*RecordError]
}

// State tells how the token stands.
func (t *Token) State() State {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.clock().Now()
	s := State{Limit: t.limit, Waiting: len(t.waiters), Reason: t.wait.reason, Err: t.wait.err}
	for _, w := range t.waiters {
		if s.Since.IsZero() || w.since.Before(s.Since) {
			s.Since = w.since
		}
	}
	if t.wait.until.After(now) {
		s.Until = t.wait.until
	}
	r := t.last
	if r == nil {
		return s
	}
	s.Holder = r.Owner
	if r.Owner == t.leases.options.Owner {
		s.Mine = r.Instance == t.leases.instance
		s.Former = !s.Mine
	}
	if s.Limit == 0 {
		s.Limit = r.Quota.Limit
	}
	s.Used = r.Quota.used(now)
	s.Remaining = max(0, s.Limit-s.Used)
	s.Refused = r.Quota.Refused != nil
	if r.Quota.Told != nil {
		s.Others = r.Quota.Told.Others
	}
	if s.Until.IsZero() {
		if at := r.Quota.free(s.Limit, nil, now); at.After(now) {
			s.Reason, s.Until = OverQuota, at
		}
	}
	return s
}

// Short is by how many calls the quota falls short of those that are ahead, as
// in [Ask], at some time in the next 24 hours; 0 where it lasts, or is not known.
func (t *Token) Short(ahead func(time.Duration) int64) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last == nil {
		return 0
	}
	limit := t.limit
	if limit == 0 {
		limit = t.last.Quota.Limit
	}
	return t.last.Quota.short(limit, ahead, t.clock().Now())
}
