package doctor_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"wolkpipe/pipeline/chat7"
	"wolkpipe/pipeline/chat7/chat7sim"
	"wolkpipe/pipeline/doctor"
	"wolkpipe/pipeline/window"
)

func operation(perDay int, f chat7sim.Faults) chat7sim.Scenario {
	return chat7sim.Scenario{Faults: f, Operations: []chat7sim.Operation{{
		Name: "ventas", Timezone: "America/Bogota", InteractionsPerDay: perDay,
	}}}
}

// TestSharedIsFound: a source that counts an interaction in two ranges is
// found out, nearly always where that is rare and always where it is not.
func TestSharedIsFound(t *testing.T) {
	const seeds = 15
	for _, c := range []struct {
		perDay  int
		rate    chat7sim.Rate
		atLeast int
	}{
		{400, 0.2, seeds},
		{400, 0.05, seeds},
		{400, 0.02, 14},
		{100, 0.05, 14},
		{30, 0.2, 14},
	} {
		t.Run(fmt.Sprintf("%d a day at %v", c.perDay, c.rate), func(t *testing.T) {
			t.Parallel()
			found := 0
			for seed := range uint64(seeds) {
				f := newBench(t, operation(c.perDay, chat7sim.Faults{Shared: c.rate}), seed, monday).examine(t)
				is(t, "exclusive end", f.ExclusiveEnd, no, f)
				if f.Additive != nil && !*f.Additive {
					found++
				}
			}
			t.Logf("found %d times in %d", found, seeds)
			if found < c.atLeast {
				t.Errorf("found %d times in %d, want %d", found, seeds, c.atLeast)
			}
		})
	}
}

// TestSharedAmongOddRows: repeated keys and rows that cannot be read do not
// hide it.
func TestSharedAmongOddRows(t *testing.T) {
	f := chat7sim.Faults{Shared: 0.2, RepeatedKeys: 0.3, DuplicateRows: 0.2, SplitNames: 0.3, OddNames: 0.3, JunkRows: 0.02, ZeroRows: 0.1, Shuffled: true}
	for _, exclusive := range []bool{false, true} {
		f.ExclusiveEnd = exclusive
		for seed := range uint64(4) {
			got := newBench(t, operation(400, f), seed, monday).examine(t)
			is(t, "exclusive end", got.ExclusiveEnd, &exclusive, got)
			is(t, "additive", got.Additive, no, got)
		}
	}
}

// TestOddRows: all oddities of rows together are no sign of counts that do not
// add up, in either form of date_end, on many days and few.
func TestOddRows(t *testing.T) {
	f := chat7sim.Faults{RepeatedKeys: 0.5, DuplicateRows: 0.3, SplitNames: 0.3, OddNames: 0.5, JunkRows: 0.05, ZeroRows: 0.2,
		NumberCounts: 0.3, SpacedCounts: 0.3, GroupedCounts: 0.5, ExtraKeys: 0.2, NoDescription: 0.2, Shuffled: true}
	for _, perDay := range []int{30, 400, 3000} {
		for _, exclusive := range []bool{false, true} {
			f.ExclusiveEnd = exclusive
			for seed := range uint64(2) {
				got := newBench(t, operation(perDay, f), seed, monday).examine(t)
				is(t, "exclusive end", got.ExclusiveEnd, &exclusive, got)
				is(t, "additive", got.Additive, yes, got)
			}
		}
	}
}

// TestEverything: with all faults at once the examination may end early, but
// says nothing that is wrong.
func TestEverything(t *testing.T) {
	learned := 0
	for seed := range uint64(12) {
		b := newBench(t, stock(t, "everything"), seed, monday)
		f, err := doctor.Examine(t.Context(), b, b.options())
		if err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
		if f.ExclusiveEnd != nil {
			is(t, "exclusive end", f.ExclusiveEnd, no, f)
		}
		if f.Additive != nil {
			is(t, "additive", f.Additive, yes, f)
			learned++
		}
	}
	if learned < 9 {
		t.Errorf("learned whether counts add up %d times in 12", learned)
	}
}

// TestChangingDay: a day whose closings come in while it is examined is no sign
// of counts that do not add up.
func TestChangingDay(t *testing.T) {
	for seed := range uint64(10) {
		sc := operation(400, chat7sim.Faults{
			Late:    chat7sim.Lag{Rate: 0.5, Mean: 5 * 24 * time.Hour, Max: 40 * 24 * time.Hour},
			Recoded: chat7sim.Lag{Rate: 0.5, Mean: 5 * 24 * time.Hour, Max: 40 * 24 * time.Hour},
			Deleted: chat7sim.Lag{Rate: 0.3, Mean: 5 * 24 * time.Hour, Max: 40 * 24 * time.Hour},
		})
		b := newBench(t, sc, seed, monday)
		b.answers = func(window.Range, *chat7.Answer) { _ = b.clock.Sleep(context.Background(), 5*time.Minute) }
		f := b.examine(t)
		is(t, "exclusive end", f.ExclusiveEnd, no, f)
		if f.Additive != nil {
			is(t, "additive", f.Additive, yes, f)
		}
	}
}

// TestFalseEmpties: answers that are empty by mistake, one at a time or for a
// spell, neither turn the end exclusive nor break the sums.
func TestFalseEmpties(t *testing.T) {
	for _, exclusive := range []bool{false, true} {
		learned := 0
		for strike := 2; strike < 56; strike += 2 { // the call that is struck; the first is of the quota
			for _, spell := range []int{1, 4} {
				b := newBench(t, operation(400, chat7sim.Faults{ExclusiveEnd: exclusive}), 4, monday)
				b.answers = func(_ window.Range, a *chat7.Answer) {
					if b.calls >= strike && b.calls < strike+spell {
						a.Rows = nil
					}
				}
				f := b.examine(t)
				if f.ExclusiveEnd != nil {
					is(t, fmt.Sprintf("strike %d for %d: exclusive end", strike, spell), f.ExclusiveEnd, &exclusive, f)
				}
				if f.Additive != nil {
					is(t, fmt.Sprintf("strike %d for %d: additive", strike, spell), f.Additive, yes, f)
					learned++
				}
			}
		}
		if t.Logf("exclusive %v: learned %d times of 54", exclusive, learned); learned < map[bool]int{false: 42, true: 30}[exclusive] {
			t.Errorf("exclusive %v: learned whether counts add up %d times of 54", exclusive, learned)
		}
	}
}

// TestDayOfClockChange: the busiest day may be one on which the clock skips or
// repeats an hour.
func TestDayOfClockChange(t *testing.T) {
	for _, c := range []struct{ zone, day string }{
		{"America/Santiago", "2026-04-04"}, // its last hour comes twice
		{"America/Santiago", "2026-09-06"}, // without its first hour, and so its midnight
		{"America/New_York", "2026-03-08"},
		{"America/New_York", "2026-11-01"},
		{"Asia/Beirut", "2026-03-29"},
	} {
		for _, exclusive := range []bool{false, true} {
			day, err := window.ParseDate(c.day)
			if err != nil {
				t.Fatal(err)
			}
			op := chat7sim.Operation{Name: "ventas", Timezone: c.zone, InteractionsPerDay: 2000, Weekends: true, Hours: "00:00-24:00"}
			for d := day - 40; d < day+10; d++ {
				if d != day {
					op.Holidays = append(op.Holidays, d.String())
				}
			}
			sc := chat7sim.Scenario{Operations: []chat7sim.Operation{op}, Faults: chat7sim.Faults{ExclusiveEnd: exclusive}}
			for seed := range uint64(3) {
				now := time.Unix(int64(day.Start())+5*24*60*60, 0)
				f := newBench(t, sc, seed, now).examine(t)
				if f.Day != c.day {
					t.Errorf("%s: examined %s, want %s", c.zone, f.Day, c.day)
				}
				is(t, c.zone+": exclusive end", f.ExclusiveEnd, &exclusive, f)
				is(t, c.zone+": additive", f.Additive, yes, f)
			}
		}
	}
}

func noted(f doctor.Finding, words string) bool {
	return slices.ContainsFunc(f.Notes, func(n string) bool { return strings.Contains(n, words) })
}

func TestSilence(t *testing.T) {
	b := newBench(t, stock(t, "silence"), 1, monday)
	f := b.examine(t)
	is(t, "exclusive end", f.ExclusiveEnd, nil, f)
	is(t, "additive", f.Additive, nil, f)
	if f.Day != "" || f.Calls > 8 || !noted(f, "no interactions in 31 days") {
		t.Errorf("%+v", f)
	}
}

// TestFirstDay: an operation whose only rows are of today is examined on them.
func TestFirstDay(t *testing.T) {
	sc := operation(400, chat7sim.Faults{EmptyAfterEnd: chat7sim.Timed{Rate: 1, For: 10 * time.Minute}})
	b := newBench(t, sc, 1, monday)
	today := b.zone.Local(monday).Date()
	b.answers = func(r window.Range, a *chat7.Answer) {
		if r.To <= today.Start() {
			a.Rows = nil
		}
	}
	f := b.examine(t)
	if f.Day != today.String() {
		t.Errorf("examined %s, want %s", f.Day, today)
	}
	is(t, "exclusive end", f.ExclusiveEnd, no, f)
	is(t, "additive", f.Additive, yes, f)
}

// TestFewInteractions: from next to nothing nothing is concluded.
func TestFewInteractions(t *testing.T) {
	f := newBench(t, operation(2, chat7sim.Faults{}), 1, monday).examine(t)
	is(t, "exclusive end", f.ExclusiveEnd, no, f)
	is(t, "additive", f.Additive, nil, f)
	if !noted(f, "too few interactions") {
		t.Errorf("notes %q", f.Notes)
	}
}

func TestBadToken(t *testing.T) {
	b := newBench(t, stock(t, "friendly"), 1, monday)
	b.token = "not-a-token"
	f, err := doctor.Examine(t.Context(), b, b.options())
	if chat7.KindOf(err) != chat7.BadToken || !strings.Contains(err.Error(), "replace the operation's token") {
		t.Errorf("error %v, want one of a bad token with the mend", err)
	}
	if f.Calls != 1 || b.calls != 1 {
		t.Errorf("%d calls told, %d made, want 1", f.Calls, b.calls)
	}
}

// TestRevoked: a token that becomes void in the middle is an error too.
func TestRevoked(t *testing.T) {
	b := newBench(t, stock(t, "revoked"), 1, monday)
	f, err := doctor.Examine(t.Context(), b, b.options())
	if chat7.KindOf(err) != chat7.BadToken || f.Calls != 21 {
		t.Errorf("error %v after %d calls, want one of a bad token after 21", err, f.Calls)
	}
}

func TestQuota(t *testing.T) {
	for _, c := range []struct {
		used, most int
		learnsEnd  bool
	}{
		{700, 60, true},  // 299 left
		{900, 49, true},  // 99 left
		{960, 19, false}, // 39
		{990, 4, false},  // 9: enough for a window
		{998, 1, false},  // none but the one that tells so
		{1000, 1, false}, // refused
	} {
		t.Run(fmt.Sprint(c.used), func(t *testing.T) {
			b := newBench(t, operation(400, chat7sim.Faults{UsedElsewhere: c.used}), 1, monday)
			f, err := doctor.Examine(t.Context(), b, b.options())
			if c.most > 1 && err != nil || c.most == 1 && chat7.KindOf(err) != chat7.Quota {
				t.Errorf("error %v", err)
			}
			if b.calls > c.most+1 || f.Calls != b.calls || b.sim.Stats().Operations["ventas"].QuotaRefused > 1 {
				t.Errorf("%d calls told, %d made, want at most %d", f.Calls, b.calls, c.most)
			}
			if c.learnsEnd {
				is(t, "exclusive end", f.ExclusiveEnd, no, f)
			} else {
				is(t, "additive", f.Additive, nil, f)
			}
			if c.used < 1000 && (f.Quota.Limit == nil || *f.Quota.Limit != 1000 || *f.Quota.AllUsed != int64(c.used)+1) {
				t.Errorf("quota %+v", f.Quota)
			}
			if c.most > 1 && c.most < 60 && !noted(f, "after the quota's reset") {
				t.Errorf("notes %q", f.Notes)
			}
		})
	}
}

// TestRowCap: answers that are cut off without a word do not add up.
func TestRowCap(t *testing.T) {
	f := newBench(t, stock(t, "row-cap"), 1, monday).examine(t)
	is(t, "additive", f.Additive, no, f)
	// Where the cap refuses, shorter ranges are found that are answered.
	f = newBench(t, stock(t, "row-cap-refused"), 1, monday).examine(t)
	is(t, "exclusive end", f.ExclusiveEnd, no, f)
	is(t, "additive", f.Additive, yes, f)
}

func TestClock(t *testing.T) {
	for _, skew := range []time.Duration{0, 400 * time.Millisecond, -7 * time.Second, time.Hour} {
		b := newBench(t, stock(t, "friendly"), 1, monday)
		b.skew = skew
		f := b.examine(t)
		// An answer is dated when the call begins, and takes 0.3 s.
		if f.ClockSkew == nil || (*f.ClockSkew-skew).Abs() > 400*time.Millisecond {
			t.Errorf("skew %v, want about %v", f.ClockSkew, skew)
		}
		if noted(f, "by NTP") != (skew.Abs() > 5*time.Second) {
			t.Errorf("skew %v: notes %q", skew, f.Notes)
		}
		if f.LatencyP50 != 300*time.Millisecond || f.LatencyMax != 300*time.Millisecond {
			t.Errorf("latency %v and %v, want 300ms", f.LatencyP50, f.LatencyMax)
		}
	}
}

// TestOpenCall: after a call that was abandoned nobody asks for 60 seconds.
func TestOpenCall(t *testing.T) {
	b := newBench(t, operation(0, chat7sim.Faults{}), 1, monday)
	lost := &losing{bench: b, at: 3}
	if _, err := doctor.Examine(t.Context(), lost, b.options()); err != nil {
		t.Fatal(err)
	}
	if lost.gap < time.Minute {
		t.Errorf("asked again %v after an abandoned call began", lost.gap)
	}
}

// losing abandons one call, and measures how long nobody asks after it began.
type losing struct {
	*bench
	n, at int
	began time.Time
	gap   time.Duration
}

func (l *losing) Rows(ctx context.Context, r window.Range, exclusive bool) (chat7.Answer, error) {
	switch l.n++; l.n {
	case l.at:
		l.began = l.clock.Now()
		_ = l.clock.Sleep(ctx, 20*time.Second)
		return chat7.Answer{}, &chat7.Error{Kind: chat7.TooLarge, Unanswered: true}
	case l.at + 1:
		l.gap = l.clock.Now().Sub(l.began)
	}
	return l.bench.Rows(ctx, r, exclusive)
}

// TestOtherErrors: what is not the source's failure ends the examination.
func TestOtherErrors(t *testing.T) {
	refused := errors.New("the lease is held by another process")
	for _, at := range []int{1, 5, 40} {
		b := newBench(t, stock(t, "friendly"), 1, monday)
		_, err := doctor.Examine(t.Context(), &refusing{bench: b, at: at, err: refused}, b.options())
		if !errors.Is(err, refused) {
			t.Errorf("at call %d: error %v, want %v", at, err, refused)
		}
	}
	b := newBench(t, stock(t, "friendly"), 1, monday)
	ctx, cancel := context.WithCancel(t.Context())
	b.answers = func(window.Range, *chat7.Answer) { cancel() }
	if _, err := doctor.Examine(ctx, b, b.options()); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: error %v", err)
	}
}

type refusing struct {
	*bench
	n, at int
	err   error
}

func (r *refusing) Rows(ctx context.Context, w window.Range, exclusive bool) (chat7.Answer, error) {
	if r.n++; r.n == r.at {
		return chat7.Answer{}, r.err
	}
	return r.bench.Rows(ctx, w, exclusive)
}

// TestNoQuotaTold: a source without token_info is examined all the same.
func TestNoQuotaTold(t *testing.T) {
	b := newBench(t, stock(t, "friendly"), 1, monday)
	f, err := doctor.Examine(t.Context(), untold{b}, b.options())
	if err != nil {
		t.Fatal(err)
	}
	is(t, "additive", f.Additive, yes, f)
	if f.Quota != (doctor.Quota{}) || !noted(f, "the quota is not known") {
		t.Errorf("quota %+v, notes %q", f.Quota, f.Notes)
	}
}

type untold struct{ *bench }

func (untold) TokenInfo(context.Context) (chat7.TokenInfo, error) {
	return chat7.TokenInfo{}, &chat7.Error{Op: "token_info", Kind: chat7.Permanent, Hint: "none"}
}

// TestNotesNameNobody: what is stored and shown holds no agent's name.
func TestNotesNameNobody(t *testing.T) {
	b := newBench(t, stock(t, "shared"), 1, monday)
	names := map[string]bool{}
	b.answers = func(_ window.Range, a *chat7.Answer) {
		for _, row := range a.Rows {
			var r struct {
				AgentName string `json:"agent_name"`
			}
			if json.Unmarshal(row, &r) == nil && len(r.AgentName) > 3 {
				names[r.AgentName] = true
			}
		}
	}
	f := b.examine(t)
	is(t, "additive", f.Additive, no, f)
	for name := range names {
		if noted(f, name) {
			t.Errorf("notes %q name %s", f.Notes, name)
		}
	}
}
