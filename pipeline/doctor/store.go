package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// storeKey is where an operation's finding is kept.
func storeKey(operation string) string { return operation + ".doctor" }

// Store keeps f as the operation's finding, in place of an earlier one. What
// is not in f is forgotten: see [Finding.Keep].
func Store(ctx context.Context, kv jetstream.KeyValue, operation string, f Finding) error {
	data, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("storing what was found of %s: %w", operation, err)
	}
	if _, err := kv.Put(ctx, storeKey(operation), data); err != nil {
		return fmt.Errorf("storing what was found of %s: %w", operation, err)
	}
	return nil
}

// Load gives the operation's finding; ok is false if it was never examined.
func Load(ctx context.Context, kv jetstream.KeyValue, operation string) (f Finding, ok bool, err error) {
	entry, err := kv.Get(ctx, storeKey(operation))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return Finding{}, false, nil
	}
	if err != nil {
		return Finding{}, false, fmt.Errorf("reading what was found of %s: %w", operation, err)
	}
	if err := json.Unmarshal(entry.Value(), &f); err != nil {
		return Finding{}, false, fmt.Errorf("reading what was found of %s: run doctor again: %w", operation, err)
	}
	return f, true, nil
}

// Keep gives f with what it did not find out as it was found before. That
// counts add up was found by asking in one way; if that turned out wrong, it
// has to be found anew.
func (f Finding) Keep(before Finding) Finding {
	f.Notes = append([]string(nil), f.Notes...)
	if f.ExclusiveEnd == nil && before.ExclusiveEnd != nil {
		f.ExclusiveEnd = before.ExclusiveEnd
		f.Notes = append(f.Notes, "date_end: as an earlier examination found it")
	}
	same := f.ExclusiveEnd != nil && before.ExclusiveEnd != nil && *f.ExclusiveEnd == *before.ExclusiveEnd
	if f.Additive == nil && before.Additive != nil && same {
		f.Additive = before.Additive
		f.Notes = append(f.Notes, "whether counts add up: as an earlier examination found it")
	}
	return f
}
