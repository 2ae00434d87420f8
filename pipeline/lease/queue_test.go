package lease

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"
)

// queue lets callers wait on a token that is taken, in a known order.
type queue struct {
	process
	first *Call
	got   chan entered
}

type entered struct {
	name string
	call *Call
}

func newQueue(t *testing.T) *queue {
	p := start(t, "a", 0)
	return &queue{p, p.enter(t, Live), make(chan entered)}
}

// add is back when the caller waits.
func (q *queue) add(t *testing.T, name string, kind Kind) {
	t.Helper()
	before := q.State().Waiting
	go func() {
		if call, err := q.Enter(t.Context(), Ask{Kind: kind}); err == nil {
			q.got <- entered{name, call}
		}
	}()
	for q.State().Waiting == before {
		time.Sleep(time.Microsecond) // there is no signal; it is a matter of scheduling
	}
}

// order ends n calls one after the other and tells who was let in.
func (q *queue) order(n int) (names []string) {
	q.first.Done(Outcome{Ended: true})
	for range n {
		e := <-q.got
		names = append(names, e.name)
		e.call.Done(Outcome{Ended: true})
	}
	return names
}

func TestPriority(t *testing.T) {
	q := newQueue(t)
	for _, c := range []struct {
		name string
		kind Kind
	}{{"backfill 1", Backfill}, {"catchup 1", Catchup}, {"live 1", Live}, {"backfill 2", Backfill}, {"info", Info}, {"live 2", Live}, {"catchup 2", Catchup}} {
		q.add(t, c.name, c.kind)
	}
	want := []string{"live 1", "info", "live 2", "catchup 1", "catchup 2", "backfill 1", "backfill 2"}
	if got := q.order(len(want)); !slices.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
}

// Work that never ends lets a backfill through: catching up after 16 calls,
// live polling after 64.
func TestNobodyStarves(t *testing.T) {
	for _, c := range []struct {
		kind   Kind
		passed int
	}{{Catchup, passedByCatchup}, {Live, passedByAny}} {
		t.Run(c.kind.String(), func(t *testing.T) {
			q := newQueue(t)
			q.add(t, "backfill", Backfill)
			q.add(t, "", c.kind)
			q.first.Done(Outcome{Ended: true})
			for n := 0; ; n++ {
				e := <-q.got
				if e.name == "backfill" {
					if n != c.passed {
						t.Errorf("the backfill was let in after %d calls, want %d", n, c.passed)
					}
					e.call.Done(Outcome{Ended: true})
					(<-q.got).call.Done(Outcome{Ended: true})
					return
				}
				if n > 2*passedByAny {
					t.Fatal("the backfill starves")
				}
				q.add(t, "", c.kind)
				e.call.Done(Outcome{Ended: true})
			}
		})
	}
}

// A backfill that has waited long comes before catching up, not before live.
func TestLiveComesBeforeAged(t *testing.T) {
	if urgency(Live, 0) >= urgency(Backfill, passedByCatchup) || urgency(Backfill, passedByCatchup) >= urgency(Catchup, 0) {
		t.Error("a backfill that was passed over is not between live and catching up")
	}
}

// A live window that comes while a backfill waits for the lease goes first.
func TestLiveOvertakesWhileWaiting(t *testing.T) {
	p, q := start(t, "a", 0), start(t, "b", 0)
	p.enter(t, Live)
	overtaken := make(chan struct{})
	go func() {
		defer close(overtaken)
		if call, err := q.Enter(t.Context(), Ask{Kind: Backfill}); err == nil {
			call.Done(Outcome{Ended: true})
		}
	}()
	q.clock.asleep(nil)
	_, call := q.passes(t, Ask{Kind: Live})
	select {
	case <-overtaken:
		t.Error("the backfill was let in first")
	default:
	}
	call.Done(Outcome{Ended: true})
	<-overtaken
}

func TestCancelledWaiterLeaves(t *testing.T) {
	q := newQueue(t)
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() {
		_, err := q.Enter(ctx, Ask{Kind: Live})
		failed <- err
	}()
	q.add(t, "backfill", Backfill)
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if got := q.order(1); got[0] != "backfill" {
		t.Errorf("order %v", got)
	}
	if s := q.State(); s.Waiting != 0 || !s.Since.IsZero() {
		t.Errorf("state %+v", s)
	}
}

// A holder with a backfill gives way to another process's live window after
// the call in flight, and gets the token back.
func TestHolderGivesWay(t *testing.T) {
	p, q := start(t, "a", 0), start(t, "b", 0)
	call := p.enter(t, Backfill)
	if q.try(t, Ask{Kind: Live}) != nil {
		t.Fatal("two calls at once")
	}
	call.Done(Outcome{Ended: true})
	if p.try(t, Ask{Kind: Backfill}) != nil {
		t.Fatal("the backfill goes on while a live window waits")
	}
	live := q.enter(t, Live)
	if !live.Moved {
		t.Error("the live window is not told that the token moved")
	}
	if p.try(t, Ask{Kind: Backfill}) != nil {
		t.Fatal("two calls at once")
	}
	live.Done(Outcome{Ended: true})
	if took, _ := p.passes(t, Ask{Kind: Backfill}); took > idleTime+driftTime {
		t.Errorf("the backfill goes on after %v", took)
	}
}

// A token that was left to a process that died is taken back.
func TestHolderGivesWayToTheDead(t *testing.T) {
	p, q := start(t, "a", 0), start(t, "b", 0)
	call := p.enter(t, Backfill)
	q.try(t, Ask{Kind: Live})
	call.Done(Outcome{Ended: true})
	took, call := p.passes(t, Ask{Kind: Backfill})
	if took != offerTime+driftTime {
		t.Errorf("taken back after %v", took)
	}
	call.Done(Outcome{Ended: true})
	p.enter(t, Backfill) // it is not left to the dead twice
}

// Calls as urgent as the holder's own get the token after 8 of those.
func TestHolderGivesWayToPeers(t *testing.T) {
	p, q := start(t, "a", 0), start(t, "b", 0)
	call := p.enter(t, Live)
	q.try(t, Ask{Kind: Live})
	n := 0
	for ; call != nil; n++ {
		call.Done(Outcome{Ended: true})
		call = p.try(t, Ask{Kind: Live})
		if n > 20 {
			t.Fatal("the other process starves")
		}
	}
	if n != passedByPeers+1 {
		t.Errorf("gave way after %d calls", n)
	}
	q.enter(t, Live)
}

// Who must keep room for live polling does not hold up those who need not.
func TestQuotaBlocksOneWaiter(t *testing.T) {
	p := start(t, "a", 10)
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan struct{})
	go func() {
		defer close(left)
		_, _ = p.Enter(ctx, Ask{Kind: Catchup, Ahead: func(time.Duration) int64 { return 10 }})
	}()
	p.clock.asleep(left)
	if s := p.State(); s.Reason != OverQuota || s.Waiting != 1 || !s.Until.After(noon) {
		t.Errorf("state %+v", s)
	}
	call, err := p.Enter(t.Context(), Ask{Kind: Backfill})
	if err != nil {
		t.Fatal(err)
	}
	call.Done(Outcome{Ended: true})
	cancel()
	<-left
}
