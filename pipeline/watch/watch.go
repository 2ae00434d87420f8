// Package watch follows keys of a bucket, for packages that keep a process's
// view of what all processes have written there.
package watch

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// Keys hands what stands under the keys that match pattern to read, returns
// when all of that was handed over, and goes on with what is written later,
// until ctx ends or stop is called. read is called from one goroutine at a
// time; what names the matter in errors.
func Keys(ctx context.Context, kv jetstream.KeyValue, pattern, what string, read func(jetstream.KeyValueEntry)) (stop func(), err error) {
	watcher, err := kv.Watch(ctx, pattern)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", what, err)
	}
	stop = func() { _ = watcher.Stop() }
	for {
		select {
		case update := <-watcher.Updates():
			if update == nil { // all that was there
				go follow(watcher, read)
				return stop, nil
			}
			read(update)
		case <-ctx.Done():
			stop()
			return nil, fmt.Errorf("reading %s: %w", what, ctx.Err())
		}
	}
}

func follow(watcher jetstream.KeyWatcher, read func(jetstream.KeyValueEntry)) {
	for update := range watcher.Updates() {
		if update != nil {
			read(update)
		}
	}
}
