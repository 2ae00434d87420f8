package backfill

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/pipeline/watch"
)

// Book is a process's view of all requests. Its methods may be called from
// several goroutines.
type Book struct {
	kv   jetstream.KeyValue
	stop func()

	mu      sync.Mutex
	known   map[string]entry // by id
	changed chan struct{}    // closed at the next change
}

type entry struct {
	Request
	revision uint64
}

// Open reads the requests in kv, and follows them until ctx ends or Close.
func Open(ctx context.Context, kv jetstream.KeyValue) (*Book, error) {
	b := &Book{kv: kv, known: map[string]entry{}, changed: make(chan struct{})}
	var err error
	b.stop, err = watch.Keys(ctx, kv, pattern, "the backfills", b.read)
	return b, err
}

// Close ends the following.
func (b *Book) Close() { b.stop() }

// read takes over what the bucket says of a request. One that cannot be read
// is as if it were not there: it can be asked for again.
func (b *Book) read(update jetstream.KeyValueEntry) {
	if update.Operation() != jetstream.KeyValuePut {
		b.forget(update.Key())
		return
	}
	r, err := decode(update.Value())
	if err != nil {
		return
	}
	b.note(r, update.Revision())
}

func (b *Book) note(r Request, revision uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.known[r.ID()].revision >= revision {
		return
	}
	b.known[r.ID()] = entry{r, revision}
	b.tell()
}

// forget drops the request under a key that somebody has deleted.
func (b *Book) forget(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, e := range b.known {
		if e.key() == key {
			delete(b.known, id)
			b.tell()
		}
	}
}

// tell wakes who waits for a change. b.mu is held.
func (b *Book) tell() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// Changed is closed when a request changes after the call.
func (b *Book) Changed() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changed
}

// All are the requests in the order of asking; of one operation only, unless
// that is empty.
func (b *Book) All(operation string) (all []Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.known {
		if operation == "" || e.Operation == operation {
			all = append(all, e.Request)
		}
	}
	byAsking(all)
	return all
}

// Find gives the request with an id.
func (b *Book) Find(id string) (Request, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, ok := b.known[id]
	return e.Request, ok
}

// Ask makes r active from now on, unless it is; it is kept when Ask returns
// without an error. Whoever waits for a change is told in any case.
func (b *Book) Ask(ctx context.Context, r Request, now time.Time) (Request, error) {
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.tell()
	}()
	return b.change(ctx, r, func(r *Request, known bool) error {
		if !known || r.State != Active {
			r.State, r.Asked, r.Ended = Active, now, time.Time{}
		}
		return nil
	})
}

// End makes an active request done or cancelled. The error is ErrUnknown,
// ErrEnded where it is not active, or of the bucket.
func (b *Book) End(ctx context.Context, id string, state State, now time.Time) error {
	r, ok := b.Find(id)
	if !ok {
		return ErrUnknown
	}
	_, err := b.change(ctx, r, func(r *Request, known bool) error {
		if !known {
			b.forget(r.key())
			return ErrUnknown
		}
		if r.State != Active {
			return ErrEnded
		}
		r.State, r.Ended = state, now
		return nil
	})
	return err
}

// change reads a request, changes it and writes it back, until nobody else
// has written it in between.
func (b *Book) change(ctx context.Context, r Request, change func(r *Request, known bool) error) (Request, error) {
	for {
		revision := uint64(0)
		stands := r
		value, err := b.kv.Get(ctx, r.key())
		known := err == nil
		if known {
			revision = value.Revision()
			if stands, err = decode(value.Value()); err != nil {
				stands, known = r, false
			}
		} else if !errors.Is(err, jetstream.ErrKeyNotFound) {
			return r, fmt.Errorf("reading the backfill %s: %w", r.ID(), err)
		}
		if known { // this process may lag behind the others
			b.note(stands, revision)
		}
		before := stands
		if err := change(&stands, known); err != nil {
			return stands, err
		}
		if known && before == stands {
			b.note(stands, revision)
			return stands, nil
		}
		next, err := b.kv.Update(ctx, r.key(), stands.encode(), revision)
		if err == nil {
			b.note(stands, next)
			return stands, nil
		}
		if !errors.Is(err, jetstream.ErrKeyRevisionMismatch) && !errors.Is(err, jetstream.ErrKeyExists) {
			return r, fmt.Errorf("writing the backfill %s: %w", r.ID(), err)
		}
	}
}
