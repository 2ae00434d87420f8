package journal

import (
	"cmp"
	"container/list"
	"slices"
	"strings"
	"sync"
)

// cacheBytes bounds the folded days that a journal keeps in memory.
const cacheBytes = 32 << 20

// cache keeps recently folded days, and one lock a day so that a day is
// folded once however many ask for it.
type cache struct {
	mu    sync.Mutex
	limit int
	size  int
	order *list.List // of *entry, most recently used first
	days  map[Key]*list.Element
	locks map[Key]*keyLock
}

type entry struct {
	key  Key
	day  *Day
	size int
}

type keyLock struct {
	sync.Mutex
	users int
}

func newCache(limit int) *cache {
	return &cache{limit: limit, order: list.New(), days: map[Key]*list.Element{}, locks: map[Key]*keyLock{}}
}

// lock locks key; the result unlocks it.
func (c *cache) lock(key Key) (unlock func()) {
	c.mu.Lock()
	l := c.locks[key]
	if l == nil {
		l = &keyLock{}
		c.locks[key] = l
	}
	l.users++
	c.mu.Unlock()
	l.Lock()
	return func() {
		l.Unlock()
		c.mu.Lock()
		defer c.mu.Unlock()
		if l.users--; l.users == 0 {
			delete(c.locks, key)
		}
	}
}

func (c *cache) get(key Key) *Day {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.days[key]
	if e == nil {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(*entry).day
}

func (c *cache) put(key Key, day *Day) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(key)
	added := &entry{key, day, day.size()}
	c.days[key] = c.order.PushFront(added)
	c.size += added.size
	for c.size > c.limit && c.order.Len() > 1 {
		c.remove(c.order.Back().Value.(*entry).key)
	}
}

func (c *cache) drop(key Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(key)
}

func (c *cache) remove(key Key) {
	if e := c.days[key]; e != nil {
		c.size -= e.Value.(*entry).size
		c.order.Remove(e)
		delete(c.days, key)
	}
}

// size is about what d holds in memory, in bytes.
func (d *Day) size() int {
	n := 256
	for _, o := range d.Windows {
		n += 160
		for _, row := range o.Rows {
			n += 24 + len(row)
		}
	}
	return n
}

func sortKeys(keys []Key) {
	slices.SortFunc(keys, func(a, b Key) int {
		return cmp.Or(strings.Compare(a.Operation, b.Operation), cmp.Compare(a.Day, b.Day))
	})
}
