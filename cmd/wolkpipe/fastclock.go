package main

import (
	"context"
	"sync"
	"time"
)

// fastClock runs at a rate of its own, changed at will; it never goes back.
type fastClock struct {
	mu      sync.Mutex
	base    time.Time // what it showed …
	real    time.Time // … at this time
	factor  float64
	changed chan struct{} // closed when the rate changes
}

func newFastClock(now time.Time) *fastClock {
	return &fastClock{base: now, real: now, factor: 1, changed: make(chan struct{})}
}

// Now is what the clock shows.
func (c *fastClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now()
}

func (c *fastClock) now() time.Time {
	return c.base.Add(time.Duration(float64(time.Since(c.real)) * c.factor))
}

// rate makes the clock run so many times as fast as real time.
func (c *fastClock) rate(factor float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.base, c.real, c.factor = c.now(), time.Now(), factor
	close(c.changed)
	c.changed = make(chan struct{})
}

// Sleep waits until d has passed on this clock, or ctx ends.
func (c *fastClock) Sleep(ctx context.Context, d time.Duration) error {
	until := c.Now().Add(d)
	for {
		c.mu.Lock()
		left := time.Duration(float64(until.Sub(c.now())) / c.factor)
		changed := c.changed
		c.mu.Unlock()
		if left <= 0 {
			return ctx.Err()
		}
		timer := time.NewTimer(left)
		select {
		case <-timer.C:
		case <-changed:
			timer.Stop()
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}
