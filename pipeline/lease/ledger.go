package lease

import (
	"cmp"
	"slices"
	"time"

	"wolkpipe/pipeline/window"
)

const (
	bucketSeconds = 5 * 60
	day           = 24 * time.Hour
	skewTime      = 2 * time.Minute // by which the processes' clocks may differ
)

// ledger counts a token's calls. It is pure: the time is passed in.
type ledger struct {
	Limit   int64    `json:"limit,omitempty"`   // as the source told; 0: not known
	Calls   []bucket `json:"calls,omitempty"`   // in the order of time
	Told    *told    `json:"told,omitempty"`    // the last token_info
	Refused *refused `json:"refused,omitempty"` // the source said that the quota is used up
}

// bucket counts the calls of 5 minutes.
type bucket struct {
	At int64 `json:"t"` // Unix time / 5 minutes
	N  int64 `json:"n"`
}

// told is what the source said of the quota, and what was called since.
type told struct {
	Used   int64     `json:"used"`
	Since  int64     `json:"since"` // calls after that
	At     time.Time `json:"at"`
	Own    int64     `json:"own,omitempty"`    // of Used, with this token; 0: not told
	Others int64     `json:"others,omitempty"` // of Own, what was surely not called from here since the one before
}

type refused struct {
	Until time.Time `json:"until"` // when one call may try again
}

// end is when the bucket's last call is 24 hours old on anybody's clock.
func (b bucket) end() time.Time {
	return time.Unix((b.At+1)*bucketSeconds, 0).Add(day + skewTime)
}

func (q ledger) clone() ledger {
	q.Calls = slices.Clone(q.Calls)
	if q.Told != nil {
		t := *q.Told
		q.Told = &t
	}
	return q // Refused is replaced, never changed
}

func (q *ledger) sound() bool {
	for i, b := range q.Calls {
		if b.N < 0 || i > 0 && q.Calls[i-1].At >= b.At {
			return false
		}
	}
	return q.Limit >= 0 && (q.Told == nil || q.Told.Used >= 0 && q.Told.Since >= 0)
}

// add counts n calls at now, or takes back -n of them.
func (q *ledger) add(now time.Time, n int64) {
	at := now.Unix() / bucketSeconds
	i, found := slices.BinarySearchFunc(q.Calls, at, func(b bucket, at int64) int { return cmp.Compare(b.At, at) })
	if !found {
		q.Calls = slices.Insert(q.Calls, i, bucket{At: at})
	}
	q.Calls[i].N = max(0, q.Calls[i].N+n)
	q.Calls = slices.DeleteFunc(q.Calls, func(b bucket) bool { return b.N == 0 || !b.end().After(now) })
}

// call counts a call that is about to be made.
func (q *ledger) call(now time.Time) {
	q.add(now, 1)
	if q.Told != nil {
		q.Told.Since++
	}
}

// unsent takes back a call that was counted at then and never made.
func (q *ledger) unsent(then time.Time) {
	q.add(then, -1)
	if q.Told != nil {
		q.Told.Since = max(0, q.Told.Since-1)
	}
}

// used is the number of calls that count at now.
func (q *ledger) used(now time.Time) (n int64) {
	for _, b := range q.Calls {
		if b.end().After(now) {
			n += b.N
		}
	}
	return n
}

// learn takes over what the source tells of the quota: how many calls a day,
// and how many of the present one are used, the call that asked included; own
// are those of them that used this token. Zero limit or own: not told.
func (q *ledger) learn(limit, used, own int64, now time.Time) {
	if limit > 0 {
		q.Limit = limit
	}
	if used < 0 {
		return
	}
	last := q.Told
	q.Told = &told{Used: used, At: now, Own: own, Others: q.strangers(last, own, now)}
	if last != nil && used < last.Used { // the source's day began anew
		q.keep(used, now)
		q.Refused = nil
		return
	}
	ours := q.used(now)
	others := used - ours
	if last != nil && now.Sub(last.At) < day {
		others = max(others, used-last.Used-last.Since)
	}
	if others > 0 {
		q.add(now, others) // made by others, at a time that is not known
	}
}

// strangers is how many calls with the token the source tells of that were not
// counted here. Of a day that began after what was last told, only what
// exceeds the calls of 24 hours is surely not ours.
func (q *ledger) strangers(last *told, own int64, now time.Time) int64 {
	if own > 0 && last != nil && last.Own > 0 && own >= last.Own && now.Sub(last.At) < day {
		return max(0, own-last.Own-last.Since)
	}
	return max(0, own-q.used(now))
}

// short is by how many calls the quota falls short of what is ahead, at the
// time in the next 24 hours at which that is most; see free.
func (q *ledger) short(limit int64, ahead func(time.Duration) int64, now time.Time) (most int64) {
	if limit == 0 {
		return 0
	}
	count := q.used(now)
	for _, b := range q.Calls {
		if end := b.end(); end.After(now) {
			most = max(most, count+ahead(end.Sub(now))-limit)
			count -= b.N
		}
	}
	return max(most, ahead(day)-limit)
}

// keep forgets all but the latest n calls.
func (q *ledger) keep(n int64, now time.Time) {
	for i := len(q.Calls) - 1; i >= 0; i-- {
		q.Calls[i].N = min(q.Calls[i].N, n)
		n -= q.Calls[i].N
	}
	q.add(now, n)
}

// refuse notes that the source said, at now, that the quota is used up. One
// call tries again at the next midnight of its zone, and then every hour.
func (q *ledger) refuse(zone window.Zone, now time.Time) {
	until := now.Add(time.Hour)
	today := zone.Local(now).Date()
	for d := today + 1; q.Refused == nil && d <= today+2; d++ { // a zone may skip a day
		if zone.Local(now)-today.Start() < 3600 {
			break // it is past midnight: this source's day begins at another time
		}
		if hours := zone.Windows(d, window.Grid(time.Hour)); len(hours) > 0 {
			until = hours[0].Start.Add(time.Second)
			break
		}
	}
	q.Refused = &refused{until.UTC()}
}

// granted notes that the source gave an answer for which the quota was there.
func (q *ledger) granted() { q.Refused = nil }

// free is now if a call may be made, else the first time, of those at which
// earlier calls no longer count, at which it may if no other is made until
// then; zero if there is none. Where ahead keeps it out it may be let in
// sooner, as what was ahead is done: ask again now and then. The call must leave room for what ahead says will be called, within a duration
// from its time, at each later time; nil: nothing. limit 0 is no limit.
func (q *ledger) free(limit int64, ahead func(time.Duration) int64, now time.Time) time.Time {
	at := now
	if q.Refused != nil && q.Refused.Until.After(now) {
		at = q.Refused.Until
	}
	if limit == 0 || q.fits(limit, ahead, at) {
		return at
	}
	for _, b := range q.Calls {
		if end := b.end(); end.After(at) && q.fits(limit, ahead, end) {
			return end
		}
	}
	return time.Time{}
}

// fits tells whether a call at the given time keeps the quota, and lets
// whatever ahead tells of keep it.
func (q *ledger) fits(limit int64, ahead func(time.Duration) int64, at time.Time) bool {
	count := q.used(at) + 1
	if count > limit {
		return false
	}
	if ahead == nil {
		return true
	}
	// What is counted falls where a bucket ends, what is ahead rises: each
	// stretch is fullest just before its end.
	for _, b := range q.Calls {
		if end := b.end(); end.After(at) {
			if count+ahead(end.Sub(at)) > limit {
				return false
			}
			count -= b.N
		}
	}
	own := bucket{At: at.Unix() / bucketSeconds}
	return count+ahead(own.end().Sub(at)) <= limit
}
