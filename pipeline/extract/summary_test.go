package extract

import (
	"errors"
	"strings"
	"testing"
	"time"

	"wolkpipe/pipeline/lease"
)

func TestAdvice(t *testing.T) {
	const h, d = time.Hour, 24 * time.Hour
	usual := []time.Duration{h, d, 7 * d}
	for _, c := range []struct {
		name        string
		ages        []time.Duration
		settled     int
		corrections int
		longest     time.Duration
		want        string // in what is said; "" for nothing
	}{
		{"never compared", nil, 100, 100, 9 * d, ""},
		{"all is well", usual, 100, 100, 3 * d, ""},
		{"still changing at the last age", usual, 1, 1, 7 * d, "add a later one, such as 336h0m0s"},
		{"still changing after it", usual, 0, 1, 8 * d, "changed at the last age of `settle`, 168h0m0s"},
		{"an age that finds nothing", usual, 28, 10, 10 * time.Minute, ""}, // the age before is no more than a day off
		{"calls that find nothing", []time.Duration{h, 3 * d, 7 * d}, 28, 10, 5 * h, "`settle` could end at 72h0m0s"},
		{"too few days to tell", []time.Duration{h, 3 * d, 7 * d}, 27, 10, 5 * h, ""},
		{"too few corrections to tell", []time.Duration{h, 3 * d, 7 * d}, 28, 9, 5 * h, ""},
		{"one age cannot be left out", []time.Duration{7 * d}, 28, 10, 5 * h, ""},
		{"one age that is too short", []time.Duration{h}, 1, 1, 2 * h, "add a later one, such as 2h0m0s"},
	} {
		got := advice(c.ages, c.settled, c.corrections, c.longest)
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q in it", c.name, got, c.want)
		}
	}
}

func TestWaitForToken(t *testing.T) {
	now := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	until := now.Add(50 * time.Second)
	long := lease.State{Waiting: 1, Since: now.Add(-tokenAge), Until: until}
	with := func(edit func(*lease.State)) lease.State {
		s := long
		edit(&s)
		return s
	}
	for name, c := range map[string]struct {
		state lease.State
		fill  bool
		want  string
	}{
		"nobody waits":         {lease.State{Reason: lease.Held, Former: true}, true, ""},
		"not for long":         {with(func(s *lease.State) { s.Reason, s.Former, s.Since = lease.Held, true, now.Add(-tokenAge+1) }), true, ""},
		"for its own turn":     {long, true, ""},
		"for the quota":        {with(func(s *lease.State) { s.Reason = lease.OverQuota }), true, ""},
		"for another replica":  {with(func(s *lease.State) { s.Reason = lease.Held }), false, ""},
		"for another, to fill": {with(func(s *lease.State) { s.Reason = lease.Held }), true, "another process uses the token"},
		"since it was killed":  {with(func(s *lease.State) { s.Reason, s.Former = lease.Held, true }), false, "the process before this one ended with a call open"},
		"for a lost answer":    {with(func(s *lease.State) { s.Reason = lease.Busy }), false, "a call got no answer"},
		"for the bucket":       {with(func(s *lease.State) { s.Reason, s.Err = lease.NoNATS, errors.New("no quorum") }), false, "no quorum"},
	} {
		why, end := waitForToken(c.state, c.fill, now)
		if (why == "") != (c.want == "") || !strings.Contains(why, c.want) {
			t.Errorf("%s: %q, want %q in it", name, why, c.want)
		}
		if (end != nil) != (why != "") || end != nil && !end.Equal(until) {
			t.Errorf("%s: until %v", name, end)
		}
	}
}
