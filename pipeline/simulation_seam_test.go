package pipeline

import (
	"context"
	"reflect"
	"sync/atomic"
	"time"
	"unsafe"

	"wolkpipe/pipeline/extract"
	"wolkpipe/pipeline/lease"
)

// What a poller keeps to itself, and a simulation must have: the permit of the
// call under way, which only the transport that a poller makes itself asks
// before it sends, and how long it rests after failures, which it draws.

func field[T any](p *extract.Poller, name string) *T {
	f := reflect.ValueOf(p).Elem().FieldByName(name)
	return (*T)(unsafe.Pointer(f.UnsafeAddr()))
}

// maySend asks whether the call under way may be sent, as the poller's own
// transport does.
func maySend(p *extract.Poller) bool {
	permit := field[atomic.Pointer[lease.Call]](p, "permit").Load()
	return permit != nil && permit.MaySend()
}

// simClock is a poller's clock, that of the bubble. It makes the jitter of
// back-off a function of the doubled time that it was drawn from: one seed is
// to be one run.
type simClock struct {
	extract.System
	link   *simLink
	name   string
	poller *extract.Poller
	last   time.Time    // told
	rests  [2]time.Time // live and jobs, as last seen
	unsure atomic.Bool  // what sleeps next backs off from the journal
}

// Now is called by the poller's own goroutine alone, and not under a lock. It
// lets a moment pass, in which everybody else comes to rest: who goes on after
// something that woke several does not depend on Go's scheduler.
func (c *simClock) Now() time.Time {
	time.Sleep(time.Duration(1 + c.link.w.dice.of(c.link.process+" thinks about "+c.name).IntN(999_983)))
	for i, name := range []string{"liveRest", "jobRest"} {
		rest := field[time.Time](c.poller, name)
		if !rest.Equal(c.rests[i]) && rest.After(c.last) {
			*rest = c.last.Add(undrawn(rest.Sub(c.last)))
		}
		c.rests[i] = *rest
	}
	c.last = time.Now()
	return c.last
}

func (c *simClock) Sleep(ctx context.Context, d time.Duration) error {
	if c.unsure.Swap(false) {
		d = undrawn(d)
	}
	d += time.Duration(1 + c.link.w.dice.of(c.link.process+" sleeps over "+c.name).IntN(999_983))
	return c.System.Sleep(ctx, d)
}

// undrawn is the doubled time that a wait was drawn from.
func undrawn(d time.Duration) time.Duration {
	for wait := time.Second; wait <= 16*time.Second; wait *= 2 {
		if d <= wait {
			return wait
		}
	}
	if d <= time.Minute {
		return time.Minute
	}
	return d
}

// simLeaseClock is the clock of a process's leases: no two sleepers wake at one
// instant.
type simLeaseClock struct {
	extract.System
	link *simLink
}

func (c simLeaseClock) Sleep(ctx context.Context, d time.Duration) error {
	return c.System.Sleep(ctx, d+time.Duration(1+c.link.w.dice.of(c.link.process+" waits for a token").IntN(999_983)))
}
