package extract

import (
	"context"
	"math/rand/v2"
	"time"
)

// System is the machine's clock.
type System struct{}

// Now is time.Now.
func (System) Now() time.Time { return time.Now() }

// Sleep waits for d or until ctx ends.
func (System) Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// backoff doubles from 1 s to 1 min, with jitter. The zero value is fresh.
type backoff struct{ failures int }

const (
	firstWait = time.Second
	lastWait  = time.Minute
)

// next is how long to wait after one more failure: between half and all of
// the doubled time, so that two processes do not stay in step.
func (b *backoff) next() time.Duration {
	wait := lastWait
	if b.failures < 6 {
		wait = min(firstWait<<b.failures, lastWait)
	}
	b.failures++
	return wait/2 + rand.N(wait/2+1)
}

func (b *backoff) reset() { b.failures = 0 }
