package events

import (
	"container/list"
	"sync"

	"wolkpipe/sinks"
)

// cache keeps the states of the days used last, of a bounded total weight.
// It may be stale: whoever uses an entry brings it up to date, and is refused
// by the guard where that went wrong.
type cache struct {
	limit int // of the sum of weights; a heavier state is not kept

	mu     sync.Mutex
	weight int
	order  *list.List // of *entry, the one used last in front
	days   map[sinks.Key]*list.Element
}

type entry struct {
	key    sinks.Key
	state  *state
	weight int
}

func newCache(limit int) *cache {
	return &cache{limit: limit, order: list.New(), days: map[sinks.Key]*list.Element{}}
}

// get gives a day's state, or nil.
func (c *cache) get(key sinks.Key) *state {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.days[key]
	if at == nil {
		return nil
	}
	c.order.MoveToFront(at)
	return at.Value.(*entry).state
}

// put makes s a day's state.
func (c *cache) put(key sinks.Key, s *state) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(key)
	w := s.weight()
	if w > c.limit {
		return
	}
	for c.weight+w > c.limit {
		c.remove(c.order.Back().Value.(*entry).key)
	}
	c.days[key] = c.order.PushFront(&entry{key, s, w})
	c.weight += w
}

// drop forgets a day.
func (c *cache) drop(key sinks.Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(key)
}

// remove is drop with mu held.
func (c *cache) remove(key sinks.Key) {
	if at := c.days[key]; at != nil {
		c.weight -= at.Value.(*entry).weight
		c.order.Remove(at)
		delete(c.days, key)
	}
}
