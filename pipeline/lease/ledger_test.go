package lease

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"wolkpipe/pipeline/window"
)

func at(hours float64) time.Time { return noon.Add(time.Duration(hours * float64(time.Hour))) }

// steady is what live polling in windows of 5 minutes will call, one window
// being due now.
func steady(d time.Duration) int64 { return int64(d/(5*time.Minute)) + 1 }

func TestQuotaSlides(t *testing.T) {
	var q ledger
	for i := range 3 {
		q.call(at(float64(i)))
	}
	if free := q.free(4, nil, at(3)); !free.Equal(at(3)) {
		t.Errorf("a fourth of 4 calls is free at %v", free)
	}
	free := q.free(3, nil, at(3))
	if free.Before(at(24)) || free.After(at(24.2)) {
		t.Errorf("a call is free at %v, want 24 hours after the first", free)
	}
	if free.Before(at(24).Add(skewTime)) {
		t.Errorf("a call is free at %v, which may be early by another's clock", free)
	}
	if q.used(at(24)) != 3 || q.used(at(24.2)) != 2 {
		t.Errorf("%d and %d calls are counted", q.used(at(24)), q.used(at(24.2)))
	}
}

// Room is kept for what live polling needs, no more.
func TestQuotaKeepsRoomForLive(t *testing.T) {
	var q ledger
	n := int64(0)
	for ; q.free(1000, steady, noon).Equal(noon); n++ {
		q.call(noon)
	}
	if want := int64(1000 - 288 - 2); n != want {
		t.Errorf("a backfill may call %d of 1000 times beside 288 live windows", n)
	}
	// With live polling going on, all of it stays for live, and the next day
	// the backfill has as much again.
	var live, filled int64
	for now := noon; now.Before(at(72)); now = now.Add(5 * time.Minute) {
		if !q.free(1000, nil, now).Equal(now) {
			t.Fatalf("no call is left for live polling at %v", now)
		}
		q.call(now)
		live++
		for q.free(1000, steady, now).Equal(now) {
			q.call(now)
			filled++
		}
	}
	if live != 3*288 || filled < 2*n-20 {
		t.Errorf("in 3 days %d live calls and %d others, want %d at least", live, filled, 2*n-20)
	}
}

func TestLearn(t *testing.T) {
	type step struct {
		hour       float64
		calls      int
		limit      int64
		told       int64
		used, left int64
	}
	for name, steps := range map[string][]step{
		"what others used":          {{0, 5, 100, 30, 30, 70}, {1, 5, 100, 40, 40, 60}},
		"nothing new":               {{0, 30, 100, 30, 30, 70}, {1, 0, 100, 30, 30, 70}},
		"less than counted is kept": {{0, 30, 100, 20, 30, 70}, {1, 1, 100, 21, 31, 69}},
		"a fall is a reset":         {{0, 90, 100, 90, 90, 10}, {1, 4, 100, 3, 3, 97}, {2, 1, 100, 4, 4, 96}},
		"a fall, and others":        {{0, 10, 100, 90, 90, 10}, {1, 1, 100, 20, 20, 80}},
		"no limit told":             {{0, 1, 100, 1, 1, 99}, {1, 1, 0, 2, 2, 98}},
		"no use told":               {{0, 1, 100, 9, 9, 91}, {1, 1, 50, -1, 10, 40}},
		"others between":            {{0, 50, 100, 50, 50, 50}, {13, 10, 100, 61, 61, 39}, {20, 5, 100, 67, 67, 33}},
	} {
		t.Run(name, func(t *testing.T) {
			var q ledger
			for i, s := range steps {
				for range s.calls {
					q.call(at(s.hour))
				}
				q.learn(s.limit, s.told, 0, at(s.hour))
				if used := q.used(at(s.hour)); used != s.used || q.Limit-used != s.left {
					t.Errorf("step %d: %d of %d calls are used, want %d and %d left", i, used, q.Limit, s.used, s.left)
				}
			}
		})
	}
}

// After a refusal: next midnight of the server's zone, then every hour.
func TestRefused(t *testing.T) {
	load := func(name string) window.Zone {
		z, err := window.LoadZone(name)
		if err != nil {
			t.Fatal(err)
		}
		return z
	}
	parse := func(text string) time.Time {
		v, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, c := range []struct{ zone, at, until string }{
		{"America/Bogota", "2026-11-02T20:00:00-05:00", "2026-11-03T00:00:01-05:00"},
		{"America/Bogota", "2026-11-02T01:00:00-05:00", "2026-11-03T00:00:01-05:00"},
		{"America/Bogota", "2026-11-02T00:30:00-05:00", "2026-11-02T01:30:00-05:00"},
		{"America/Santiago", "2025-09-06T20:00:00-04:00", "2025-09-07T01:00:01-03:00"}, // no midnight
		{"Pacific/Apia", "2011-12-29T20:00:00-10:00", "2011-12-31T00:00:01+14:00"},     // no next day
	} {
		var q ledger
		q.refuse(load(c.zone), parse(c.at))
		if !q.Refused.Until.Equal(parse(c.until)) {
			t.Errorf("refused in %s at %s: tries again at %v, want %s", c.zone, c.at, q.Refused.Until, c.until)
		}
		until := q.Refused.Until
		if free := q.free(0, nil, parse(c.at)); !free.Equal(until) {
			t.Errorf("a call is free at %v, want %v", free, until)
		}
		q.refuse(load(c.zone), until)
		if !q.Refused.Until.Equal(until.Add(time.Hour)) {
			t.Errorf("refused again: tries again at %v, want an hour later", q.Refused.Until)
		}
		q.granted()
		if free := q.free(0, nil, until); !free.Equal(until) {
			t.Errorf("granted: a call is free at %v, want %v", free, until)
		}
	}
}

func TestUnsentIsTakenBack(t *testing.T) {
	var q ledger
	q.call(at(0))
	q.call(at(1))
	q.learn(10, 2, 0, at(1))
	q.call(at(2))
	q.unsent(at(2))
	if q.used(at(2)) != 2 || q.Told.Since != 0 || len(q.Calls) != 2 {
		t.Errorf("after a call taken back %+v, told %+v", q, q.Told)
	}
}

// Whatever asks, any 24 hours hold at most one quota, live calls are always
// free while backfills keep room for them, and free tells a time that is.
func TestAnyDayHoldsOneQuota(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.Int64Range(1, 40).Draw(t, "limit")
		every := time.Duration(rapid.IntRange(60, 24*60).Draw(t, "live every")) * time.Minute
		if 24*time.Hour/every+2 > time.Duration(limit) {
			every = 25 * time.Hour // there is no room for more
		}
		ahead := func(d time.Duration) int64 { return int64((d + every) / every) }
		var q ledger
		var calls []time.Time
		now, live := noon, noon
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			call := func() {
				q.call(now)
				calls = append(calls, now)
			}
			step := now.Add(time.Duration(rapid.Int64Range(0, int64(4*time.Hour)).Draw(t, "time")))
			for ; !live.After(step); live = live.Add(every) {
				now = live
				if free := q.free(limit, nil, now); limit > 1 && !free.Equal(now) {
					t.Fatalf("live polling at %v waits until %v", now, free)
				} else if free.Equal(now) {
					call()
				}
			}
			now = step
			for range rapid.IntRange(0, 20).Draw(t, "backfill") {
				free := q.free(limit, ahead, now)
				if !free.Equal(now) {
					if !free.IsZero() && !q.fits(limit, ahead, free) {
						t.Fatalf("%v is told to be free, and is not", free)
					}
					break
				}
				call()
			}
		}
		for i, from := range calls {
			n := int64(0)
			for _, c := range calls[i:] {
				if c.Sub(from) < day {
					n++
				}
			}
			if n > limit {
				t.Fatalf("%d calls in the 24 hours from %v, the quota is %d", n, from, limit)
			}
		}
	})
}

// TestStrangersCalls: what the source counts of a token and nobody here made.
func TestStrangersCalls(t *testing.T) {
	now := time.Date(2026, 11, 10, 12, 0, 0, 0, time.UTC)
	var q ledger
	step := func(hours int, ours, own, want int64) {
		t.Helper()
		now = now.Add(time.Duration(hours) * time.Hour)
		for range ours {
			q.call(now)
		}
		q.learn(1000, own+7, own, now)
		if q.Told.Others != want {
			t.Errorf("%s: %d calls of others, not %d", now, q.Told.Others, want)
		}
	}
	step(0, 1, 1, 0)
	step(6, 72, 73, 0)
	step(3, 30, 120, 17)
	step(3, 30, 150, 0)
	step(6, 60, 20, 0)     // a new day
	step(6, 60, 85, 5)     // within it
	step(30, 10, 900, 890) // nobody asked for so long that it may be another day, and ours are few
	step(1, 10, 0, 0)      // not told
}

// TestShort compares with the rule by which calls are let in: where the quota
// falls short by nothing, a call of no importance fits or one more would not.
func TestShort(t *testing.T) {
	now := time.Date(2026, 11, 10, 12, 0, 0, 0, time.UTC)
	live := func(d time.Duration) int64 { return int64(d/(5*time.Minute)) + 1 }
	for _, c := range []struct{ limit, each, want int64 }{
		{0, 1, 0}, {1000, 1, 0}, {290, 1, 0}, {280, 1, 10}, {1000, 3, 0}, {1000, 4, 154}, {200, 0, 89},
	} {
		var q ledger
		for i := range 288 {
			for range c.each {
				q.call(now.Add(time.Duration(i-288) * 5 * time.Minute))
			}
		}
		short := q.short(c.limit, live, now)
		if short != c.want {
			t.Errorf("limit %d, %d calls each 5 minutes: short by %d, not %d", c.limit, c.each, short, c.want)
		}
		if c.limit > 0 && q.fits(c.limit, live, now) && short > 0 {
			t.Errorf("limit %d: a call fits, and it falls short by %d", c.limit, short)
		}
	}
}
