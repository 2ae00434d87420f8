package chat7sim

import (
	"sync"

	"wolkpipe/pipeline/window"
)

// dayCache keeps the days that were generated last: as many as hold some
// millions of entries together, and one at least.
type dayCache struct {
	mu      sync.Mutex
	days    map[window.Date]*cachedDay
	entries int
	uses    int64
}

type cachedDay struct {
	once  sync.Once
	day   *day
	used  int64
	ready bool // day is there; guarded by the cache's mutex
}

const (
	maxCachedEntries = 4_000_000
	maxCachedDays    = 1000
)

func (c *dayCache) get(d window.Date, generate func(window.Date) *day) *day {
	c.mu.Lock()
	if c.days == nil {
		c.days = map[window.Date]*cachedDay{}
	}
	held := c.days[d]
	if held == nil {
		held = &cachedDay{}
		c.days[d] = held
	}
	c.uses++
	held.used = c.uses
	c.mu.Unlock()

	fresh := false
	held.once.Do(func() { held.day, fresh = generate(d), true })
	if fresh {
		c.mu.Lock()
		held.ready = true
		c.entries += len(held.day.entries)
		c.evict(held)
		c.mu.Unlock()
	}
	return held.day
}

// evict drops the days that were used longest ago, but not keep, nor those
// that are being generated.
func (c *dayCache) evict(keep *cachedDay) {
	for c.entries > maxCachedEntries || len(c.days) > maxCachedDays {
		var oldest window.Date
		var victim *cachedDay
		for d, held := range c.days {
			if held != keep && held.ready && (victim == nil || held.used < victim.used) {
				oldest, victim = d, held
			}
		}
		if victim == nil {
			return
		}
		c.entries -= len(victim.day.entries)
		delete(c.days, oldest)
	}
}
