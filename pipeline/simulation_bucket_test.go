package pipeline

import (
	"context"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/pipeline/lease"
)

// simBucket is a KV bucket in memory.
type simBucket struct {
	name string

	mu       sync.Mutex
	last     uint64
	keys     map[string]*simEntry
	watchers []*simWatcher
}

// simEntry is a key's value; it never changes.
type simEntry struct {
	jetstream.KeyValueEntry
	bucket, key string
	value       []byte
	revision    uint64
}

func (e *simEntry) Bucket() string                  { return e.bucket }
func (e *simEntry) Key() string                     { return e.key }
func (e *simEntry) Value() []byte                   { return e.value }
func (e *simEntry) Revision() uint64                { return e.revision }
func (e *simEntry) Operation() jetstream.KeyValueOp { return jetstream.KeyValuePut }

// swap puts a value in the place of revision; 0: of none.
func (b *simBucket) swap(key string, value []byte, revision uint64) (uint64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var now uint64
	if e := b.keys[key]; e != nil {
		now = e.revision
	}
	switch {
	case now != revision && revision == 0:
		return 0, jetstream.ErrKeyExists
	case now != revision:
		return 0, jetstream.ErrKeyRevisionMismatch
	}
	b.last++
	e := &simEntry{bucket: b.name, key: key, value: slices.Clone(value), revision: b.last}
	b.keys[key] = e
	for _, w := range b.watchers {
		w.offer(e)
	}
	return b.last, nil
}

func (b *simBucket) get(key string) (*simEntry, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.keys[key]; e != nil {
		return e, nil
	}
	return nil, jetstream.ErrKeyNotFound
}

// simBucketView is a bucket as one process reaches it. The bucket of leases
// takes its time; the other is read and written under locks, as the journal is.
type simBucketView struct {
	jetstream.KeyValue
	bucket *simBucket
	link   *simLink
}

func (v *simBucketView) Bucket() string { return v.bucket.name }

func (v *simBucketView) Get(_ context.Context, key string) (jetstream.KeyValueEntry, error) {
	if err := v.link.read("get " + key); err != nil {
		return nil, err
	}
	e, err := v.bucket.get(key)
	if err != nil {
		return nil, err
	}
	return e, nil
}

func (v *simBucketView) Create(ctx context.Context, key string, value []byte, _ ...jetstream.KVCreateOpt) (uint64, error) {
	return v.Update(ctx, key, value, 0)
}

func (v *simBucketView) Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	swap := func() (uint64, error) {
		next, err := v.bucket.swap(key, value, revision)
		v.link.w.note("%s swaps %.20s: %d, %v", v.link.process, key, next, err)
		return next, err
	}
	if v.bucket.name == lease.Bucket {
		return request(ctx, v.link, "swap", 5*time.Millisecond, swap)
	}
	if err := v.link.read("put " + key); err != nil {
		return 0, err
	}
	return swap()
}

func (v *simBucketView) Status(context.Context) (jetstream.KeyValueStatus, error) {
	return simStatus{}, nil
}

type simStatus struct{ jetstream.KeyValueStatus }

func (simStatus) Config() jetstream.KeyValueConfig {
	return jetstream.KeyValueConfig{Storage: jetstream.FileStorage, Replicas: 1, History: 1}
}

// simWatcher hands on what is written under a pattern, each entry some time
// after it was written.
type simWatcher struct {
	pattern string
	link    *simLink
	queue   chan *simEntry
	updates chan jetstream.KeyValueEntry
	stop    chan struct{}
	stopped sync.Once
}

func (w *simWatcher) Updates() <-chan jetstream.KeyValueEntry { return w.updates }

func (w *simWatcher) Stop() error {
	w.stopped.Do(func() { close(w.stop) })
	return nil
}

func (w *simWatcher) offer(e *simEntry) {
	matches, _ := path.Match(strings.Replace(w.pattern, ">", "*", 1), e.key)
	if !matches {
		return
	}
	select {
	case w.queue <- e:
	default: // it was stopped long ago
	}
}

func (v *simBucketView) Watch(ctx context.Context, pattern string, _ ...jetstream.WatchOpt) (jetstream.KeyWatcher, error) {
	w := &simWatcher{
		pattern: pattern, link: v.link, stop: make(chan struct{}),
		queue: make(chan *simEntry, 4096), updates: make(chan jetstream.KeyValueEntry),
	}
	v.bucket.mu.Lock()
	for _, e := range v.bucket.keys {
		w.offer(e)
	}
	there := len(w.queue)
	v.bucket.watchers = append(v.bucket.watchers, w)
	v.bucket.mu.Unlock()
	go w.run(ctx, there)
	return w, nil
}

func (w *simWatcher) run(ctx context.Context, there int) {
	defer close(w.updates)
	give := func(e jetstream.KeyValueEntry) bool {
		select {
		case w.updates <- e:
			return true
		case <-w.stop:
		case <-w.link.gone:
		case <-ctx.Done():
		}
		return false
	}
	for range there {
		if !give(<-w.queue) {
			return
		}
	}
	if !give(nil) {
		return
	}
	for {
		select {
		case e := <-w.queue:
			time.Sleep(takes(w.link.w.dice.of(w.link.process+" watches "+e.key), 5*time.Millisecond, time.Minute))
			if !give(e) {
				return
			}
		case <-w.stop:
			return
		case <-w.link.gone:
			return
		case <-ctx.Done():
			return
		}
	}
}
