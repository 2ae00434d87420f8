package extract

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/pipeline/window"
)

// Since gives the day back to which an operation that names none is kept
// covered: the day of its first run. It is stored in kv when it is first
// chosen; with choose false nothing is stored.
func Since(ctx context.Context, kv jetstream.KeyValue, operation string, today window.Date, choose bool) (window.Date, error) {
	key := operation + ".since"
	if choose {
		_, err := kv.Create(ctx, key, []byte(today.String()))
		if err == nil {
			return today, nil
		}
		if !errors.Is(err, jetstream.ErrKeyExists) {
			return 0, fmt.Errorf("storing the first day of %s: %w", operation, err)
		}
	}
	stored, err := kv.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) && !choose {
		return today, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading the first day of %s: %w", operation, err)
	}
	day, err := window.ParseDate(string(stored.Value()))
	if err != nil {
		return 0, fmt.Errorf("the stored first day of %s: %w: set `since` in the configuration", operation, err)
	}
	return day, nil
}
