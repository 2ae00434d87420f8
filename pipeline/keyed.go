package pipeline

import (
	"sync"

	"wolkpipe/sinks"
)

// keyed is a lock for each day. The zero value is ready.
type keyed struct {
	mu    sync.Mutex
	locks map[sinks.Key]*counted
}

type counted struct {
	sync.Mutex
	users int
}

// lock locks key; the result unlocks it.
func (k *keyed) lock(key sinks.Key) (unlock func()) {
	k.mu.Lock()
	if k.locks == nil {
		k.locks = map[sinks.Key]*counted{}
	}
	l := k.locks[key]
	if l == nil {
		l = &counted{}
		k.locks[key] = l
	}
	l.users++
	k.mu.Unlock()
	l.Lock()
	return func() {
		l.Unlock()
		k.mu.Lock()
		defer k.mu.Unlock()
		if l.users--; l.users == 0 {
			delete(k.locks, key)
		}
	}
}
