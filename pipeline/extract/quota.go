package extract

import (
	"sync"
	"time"

	"wolkpipe/pipeline/chat7"
	"wolkpipe/pipeline/window"
)

// quotaAge is how often the source is asked what is left of the quota.
const quotaAge = 6 * time.Hour

// quota counts the calls of a server's day. That the day ends at the server's
// midnight is a guess: a refusal is believed over the count.
type quota struct {
	mu    sync.Mutex
	limit int64 // 0: not known
	used  int64
	day   window.Date
	asked time.Time // when the source last told; not used where the limit is configured
	early bool      // the last reset that was waited for did not come
}

// take counts one call, unless the day's are used up.
func (q *quota) take(now window.Local) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if day := now.Date(); day != q.day {
		q.day, q.used = day, 0
	}
	if q.limit > 0 && q.used >= q.limit {
		return false
	}
	q.used++
	return true
}

// granted notes that the source answered: the last reset did come.
func (q *quota) granted() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.early = false
}

// learn takes over what the source says of the quota.
func (q *quota) learn(info chat7.TokenInfo) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, told := range []*int64{info.Used, info.AllUsed} {
		if told != nil {
			q.used = max(q.used, *told)
		}
	}
	switch {
	case info.Limit != nil && *info.Limit > 0:
		q.limit = *info.Limit
	case info.Available != nil:
		q.limit = q.used + *info.Available
	}
}

// reset guesses when calls are to be had again: at the next midnight of the
// server's clock, then every hour.
func (q *quota) reset(zone window.Zone, now time.Time) time.Time {
	q.mu.Lock()
	defer q.mu.Unlock()
	tomorrow := zone.Local(now).Date() + 1
	first := zone.Windows(tomorrow, window.Grid(time.Hour))
	midnight := now.Add(time.Hour)
	if len(first) > 0 {
		midnight = first[0].Start.Add(time.Second)
	}
	if sinceMidnight := zone.Local(now) - zone.Local(now).Date().Start(); sinceMidnight < 3600 || q.early {
		q.early = true
		return now.Add(time.Hour)
	}
	return midnight
}

// remaining is how many calls are left today; known is false when the limit is not.
func (q *quota) remaining(now window.Local) (left int64, known bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.limit == 0 {
		return 0, false
	}
	if now.Date() != q.day {
		return q.limit, true
	}
	return max(0, q.limit-q.used), true
}
