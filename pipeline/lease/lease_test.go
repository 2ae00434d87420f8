package lease

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

func TestTokenIsNotInTheBucket(t *testing.T) {
	p := start(t, "a", 0)
	p.enter(t, Live).Done(Outcome{Ended: true, Granted: true})
	entry, err := p.leases.bucket().Get(t.Context(), p.key)
	if err != nil {
		t.Fatal(err)
	}
	if all := append(entry.Value(), p.key...); bytes.Contains(all, []byte(t.Name())) || bytes.Contains(all, []byte("example.com")) {
		t.Errorf("the record holds the token or the address: %s", all)
	}
}

func TestOneAddressHasOneKey(t *testing.T) {
	want := recordKey("https://example.com/proxy", "x")
	for _, source := range []string{"https://example.com/proxy/", "HTTPS://Example.com/proxy", "https://example.com:443/proxy//"} {
		if recordKey(source, "x") != want {
			t.Errorf("%s has another key than https://example.com/proxy", source)
		}
	}
	for _, other := range [][2]string{{"http://example.com/proxy", "x"}, {"https://example.com/", "x"}, {"https://example.com/proxy", "y"}} {
		if recordKey(other[0], other[1]) == want {
			t.Errorf("%v has the key of another token", other)
		}
	}
}

func TestSharedTokenIsOne(t *testing.T) {
	p := start(t, "a", 1000)
	q := p.leases.Token("https://example.com/", t.Name(), Quota{Limit: 500})
	if q != p.Token || q.State().Limit != 500 {
		t.Errorf("two operations of one token have %p and %p, limit %d", p.Token, q, q.State().Limit)
	}
}

// How long a process waits for the token after another was let in.
func TestTakeover(t *testing.T) {
	gone := func(process, *Call) {}
	for _, c := range []struct {
		name   string
		owner  string // of the process that waits
		before func(p process, call *Call)
		want   time.Duration
	}{
		{"died in a call", "b", gone, openTime + driftTime},
		{"own, died in a call", "a", gone, openTime + driftTime},
		{"no answer", "b", func(p process, call *Call) { call.MaySend(); call.Done(Outcome{}) }, sourceTime + driftTime},
		{"own, no answer", "a", func(p process, call *Call) { call.MaySend(); call.Done(Outcome{}) }, sourceTime + driftTime},
		{"died after a call", "b", func(p process, call *Call) { call.Done(Outcome{Ended: true}) }, idleTime + driftTime},
		{"own, died after a call", "a", func(p process, call *Call) { call.Done(Outcome{Ended: true}) }, 0},
		{"closed", "b", func(p process, call *Call) { call.Done(Outcome{Ended: true}); p.close() }, 0},
		{"closed after no answer", "b", func(p process, call *Call) {
			call.MaySend()
			p.advance(50 * time.Second)
			call.Done(Outcome{})
			p.close()
		}, 10*time.Second + driftTime},
		{"closed in a call", "b", func(p process, call *Call) { call.MaySend(); p.advance(20 * time.Second); p.close() }, 40*time.Second + driftTime},
		{"closed before a call was sent", "b", func(p process, call *Call) { p.close() }, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, q := start(t, "a", 0), start(t, c.owner, 0)
			q.advance(-5 * time.Hour) // clocks need not agree
			call := p.enter(t, Live)
			c.before(p, call)
			took, next := q.passes(t, Ask{Kind: Live})
			if took != c.want {
				t.Errorf("let in after %v, want %v", took, c.want)
			}
			if q.clock.cut > 0 {
				t.Errorf("looked again %d times for no reason", q.clock.cut)
			}
			if !next.Moved || call.MaySend() && p.clock.Now().Sub(call.start) >= sendTime {
				t.Errorf("moved %v; the first may send %v", next.Moved, call.MaySend())
			}
		})
	}
}

func (p process) close() { _ = p.leases.Close(context.Background()) }

// A call of this process without an answer keeps itself out.
func TestOwnOpenCall(t *testing.T) {
	p := start(t, "a", 0)
	call := p.enter(t, Backfill)
	p.advance(3 * time.Second)
	if !call.MaySend() {
		t.Fatal("a call may not be sent 3s after it was let in")
	}
	p.advance(30 * time.Second)
	call.Done(Outcome{})
	if took, _ := p.passes(t, Ask{}); took != 30*time.Second {
		t.Errorf("let in %v after a call that was sent 30s ago", took)
	}
}

func TestPausedProcessMayNotSend(t *testing.T) {
	p := start(t, "a", 0)
	call := p.enter(t, Live)
	p.advance(sendTime - 1)
	if !call.MaySend() {
		t.Error("may not send before the deadline")
	}
	p.advance(1)
	if call.MaySend() || !call.Deadline().Equal(p.clock.Now()) {
		t.Error("may send at the deadline")
	}
	call.Done(Outcome{Ended: true})
	if again := p.enter(t, Live); !again.MaySend() || call.MaySend() {
		t.Error("the new call may not be sent, or one that is done may")
	}
}

// Whichever clock goes further counts: one stands still in sleep.
func TestElapsed(t *testing.T) {
	now := time.Now() // with a steady reading
	if d := elapsed(now, now.Round(0).Add(time.Hour)); d != time.Hour {
		t.Errorf("elapsed %v, want 1h", d)
	}
	if d := elapsed(now, now.Add(time.Hour)); d != time.Hour {
		t.Errorf("elapsed %v, want 1h", d)
	}
}

// The swap of a process that was stopped between its read and its swap fails.
func TestSwapDecides(t *testing.T) {
	p, q := start(t, "a", 0), start(t, "b", 0)
	p.enter(t, Live).Done(Outcome{Ended: true})
	p.advance(time.Hour)
	q.try(t, Ask{})
	q.advance(time.Hour)
	var other *Call
	p.nats.before = func() { other = q.enter(t, Live) }
	took, call := p.passes(t, Ask{})
	if other == nil || took != openTime+driftTime || !call.Moved {
		t.Errorf("let in after %v, moved %v", took, call.Moved)
	}
}

// The end of a call that could not be written is not written over the call of
// a process that has taken over since.
func TestLateEnd(t *testing.T) {
	p, q := start(t, "a", 0), start(t, "b", 0)
	call := p.enter(t, Live)
	p.nats.down = true
	call.Done(Outcome{Ended: true})
	p.nats.down = false
	q.passes(t, Ask{})
	p.advance(time.Hour)
	if took, _ := p.passes(t, Ask{}); took != openTime+driftTime {
		t.Errorf("let in %v after another's call", took)
	}
	if used := p.State().Used; used != 3 {
		t.Errorf("%d calls are counted, want 3", used)
	}
}

// A call that was never sent costs nothing; one that was does, as does one
// whose answer proves that it was.
func TestUnsentCall(t *testing.T) {
	for _, c := range []struct {
		send bool
		o    Outcome
		used int64
	}{
		{false, Outcome{Ended: true}, 0},
		{false, Outcome{}, 1},
		{true, Outcome{Ended: true}, 1},
		{false, Outcome{Ended: true, Granted: true}, 1},
		{false, Outcome{Ended: true, Refused: true}, 1},
	} {
		p := start(t, fmt.Sprint(c), 0)
		p.Token = p.leases.Token("https://example.com", fmt.Sprint(t.Name(), c, time.Now()), Quota{})
		call := p.enter(t, Live)
		if c.send {
			call.MaySend()
		}
		call.Done(c.o)
		call.Done(Outcome{}) // not heard any more
		if used := p.State().Used; used != c.used {
			t.Errorf("sent %v, outcome %+v: %d calls are counted, want %d", c.send, c.o, used, c.used)
		}
		if s := p.State(); s.Refused != c.o.Refused || c.o.Refused && s.Until.IsZero() {
			t.Errorf("outcome %+v: state %+v", c.o, s)
		}
	}
}

// A lease runs from when it was last renewed.
func TestRenewal(t *testing.T) {
	p, q := start(t, "a", 0), start(t, "b", 0)
	call := p.enter(t, Live)
	q.try(t, Ask{Kind: Backfill})
	q.advance(time.Hour)
	call.Done(Outcome{Ended: true})
	p.enter(t, Live)
	if took, _ := q.passes(t, Ask{Kind: Backfill}); took != openTime+driftTime {
		t.Errorf("let in after %v", took)
	}
}

// A swap whose answer is lost is made anew, and counted once too often at most.
func TestLostAnswers(t *testing.T) {
	p := start(t, "a", 10)
	lose := 1
	p.nats.swap = func(do swap) (uint64, error) {
		revision, err := do(t.Context())
		if lose--; lose >= 0 {
			return 0, errLost
		}
		return revision, err
	}
	took, call := p.passes(t, Ask{})
	if took != retryTime || !call.MaySend() {
		t.Errorf("let in after %v", took)
	}
	lose = 1
	call.Done(Outcome{Ended: true, Granted: true})
	p.enter(t, Live).Done(Outcome{Ended: true, Granted: true})
	if used := p.State().Used; used != 3 {
		t.Errorf("%d calls are counted, want 3", used)
	}
}

func TestNATSDown(t *testing.T) {
	p := start(t, "a", 10)
	p.nats.down = true
	if p.try(t, Ask{}) != nil || !errors.Is(p.State().Err, errLost) || p.State().Reason != NoNATS {
		t.Fatalf("state without NATS %+v", p.State())
	}
	p.nats.down = false
	call := p.enter(t, Live)
	call.MaySend()
	p.nats.down = true
	call.Done(Outcome{Ended: true, Told: &Told{Limit: 7, Used: 5}})
	p.nats.down = false
	q := start(t, "b", 0)
	if q.try(t, Ask{}) != nil {
		t.Fatal("let in while the other's end is not written")
	}
	p.enter(t, Live).Done(Outcome{Ended: true, Granted: true})
	if s := p.State(); s.Used != 6 || s.Err != nil || !s.Mine {
		t.Errorf("state with NATS back %+v", s)
	}
	if s := q.State(); s.Limit != 0 {
		t.Errorf("the other's state is not of its last look: %+v", s)
	}
}

// What this process last saw stands in for a record that is gone.
func TestRecordIsGone(t *testing.T) {
	p := start(t, "a", 10)
	for range 3 {
		p.enter(t, Live).Done(Outcome{Ended: true, Granted: true})
	}
	if err := p.leases.bucket().Delete(t.Context(), p.key); err != nil {
		t.Fatal(err)
	}
	p.enter(t, Live)
	if used := p.State().Used; used != 4 {
		t.Errorf("%d calls are counted, want 4", used)
	}
}

func TestRecordCannotBeRead(t *testing.T) {
	for _, text := range []string{"", "{", "[]", `{"version":2}`, `{"version":1,"lease_ms":-1}`, `{"version":1,"busy_ms":9999999999}`,
		`{"version":1,"quota":{"calls":[{"t":2,"n":1},{"t":1,"n":1}]}}`, `{"version":1,"wants":[{"kind":"now"}]}`} {
		p := start(t, "a", 0)
		if _, err := p.leases.bucket().Put(t.Context(), p.key, []byte(text)); err != nil {
			t.Fatal(err)
		}
		_, err := p.Enter(t.Context(), Ask{})
		var broken *RecordError
		if !errors.As(err, &broken) || !strings.Contains(err.Error(), "nats kv del CHAT7_LEASES "+p.key) {
			t.Errorf("record %q: error %v", text, err)
		}
		if err := p.leases.bucket().Delete(t.Context(), p.key); err != nil {
			t.Fatal(err)
		}
		p.enter(t, Live) // after the mend
		if err := p.leases.bucket().Delete(t.Context(), p.key); err != nil {
			t.Fatal(err)
		}
	}
}

func TestClosed(t *testing.T) {
	p := start(t, "a", 0)
	call := p.enter(t, Live)
	p.close()
	if late, _ := p.attempt(t.Context(), &waiter{}); late != nil {
		t.Error("a caller that was about to be let in is")
	}
	if call.MaySend() {
		t.Error("a call may be sent though the token was let go of")
	}
	if _, err := p.Enter(t.Context(), Ask{}); !errors.Is(err, ErrClosed) {
		t.Errorf("error %v", err)
	}
	if _, err := p.leases.Token("https://example.org", "new", Quota{}).Enter(t.Context(), Ask{}); !errors.Is(err, ErrClosed) {
		t.Errorf("error %v for a token that was named later", err)
	}
}

func TestOpenWantsAnOwner(t *testing.T) {
	for _, o := range []Options{{Clock: newClock()}, {Owner: "a"}} {
		if _, err := Open(t.Context(), shared, o); err == nil {
			t.Errorf("opened with %+v", o)
		}
	}
}

func TestBucketThatForgets(t *testing.T) {
	start(t, "a", 0)
	stream, err := shared.Stream(t.Context(), "KV_"+Bucket)
	if err != nil {
		t.Fatal(err)
	}
	config := stream.CachedInfo().Config
	forgets := config
	forgets.MaxAge = time.Hour
	change := func(c jetstream.StreamConfig) {
		if _, err := shared.UpdateStream(context.Background(), c); err != nil {
			t.Fatal(err)
		}
	}
	change(forgets)
	defer change(config)
	_, err = Open(t.Context(), shared, Options{Owner: "a", Clock: newClock()})
	var bad *BucketError
	if !errors.As(err, &bad) || !strings.Contains(err.Error(), "--max-age=0") {
		t.Errorf("error %v", err)
	}
}
