package codes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// storeKey is where an operation's codes are kept: zstd over JSON.
func storeKey(operation string) string { return operation + ".codes" }

// stored is the value. A reader refuses newer versions.
type stored struct {
	Version int    `json:"v"`
	Codes   []Code `json:"codes"`
}

const (
	version = 1

	// maxValue is the most that is stored: a NATS server takes messages of
	// 1 MiB, headers included, unless it is told otherwise. 40,000 codes with
	// a description of their own fit.
	maxValue = 1_000_000

	// maxPlain bounds what a value unfolds to, a damaged one too.
	maxPlain = 32 << 20

	// conflictWait lets a replica that still tells the old value catch up.
	conflictWait = 10 * time.Millisecond
)

var (
	encoder, _ = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	decoder, _ = zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxPlain))
)

// ErrTooLarge means that the codes do not fit in one message of the server's.
var ErrTooLarge = errors.New("the codes do not fit in one NATS message")

// Load gives the operation's codes, sorted by cod_act; none if none were ever
// stored. It may be a moment behind what another process stored.
func Load(ctx context.Context, kv jetstream.KeyValue, operation string) ([]Code, error) {
	codes, _, err := load(ctx, kv, operation)
	return codes, err
}

// Store merges a list that the source told at a time into the operation's
// codes, and gives them as they then are; see [Merge]. Somebody else's changes
// in between are merged with, not overwritten. Where nothing changes, nothing
// is written. After an error it may have been stored or not, and may be stored
// again.
//
// Where it would take more than a message holds, nothing is stored: the codes
// in the bucket stay as they were, and the error is [ErrTooLarge]. The merged
// codes are given with it, good for labels until the process ends.
func Store(ctx context.Context, kv jetstream.KeyValue, operation string, told []Code, at time.Time) (merged []Code, changed bool, err error) {
	for {
		known, revision, err := load(ctx, kv, operation)
		if err != nil {
			return nil, false, err
		}
		merged, changed := Merge(known, told, at)
		if !changed {
			return merged, false, nil
		}
		data, err := encode(merged)
		if err == nil {
			err = write(ctx, kv, storeKey(operation), data, revision)
		}
		switch {
		case errors.Is(err, jetstream.ErrKeyExists), errors.Is(err, jetstream.ErrKeyRevisionMismatch):
			if err := pause(ctx); err != nil {
				return nil, false, fmt.Errorf("storing the codes of %s among others who do: %w", operation, err)
			}
			continue
		case errors.Is(err, ErrTooLarge), errors.Is(err, nats.ErrMaxPayload):
			mend := "if most are deleted at the source, " + forget(kv, operation)
			if errors.Is(err, nats.ErrMaxPayload) {
				mend = "raise the NATS server's max_payload to its default, 1 MiB"
			}
			return merged, true, fmt.Errorf("storing the codes of %s: %w: %d codes take %d bytes, and stay as they were: %s",
				operation, ErrTooLarge, len(merged), len(data), mend)
		case err != nil:
			return nil, false, fmt.Errorf("storing the codes of %s: %w", operation, err)
		}
		return merged, true, nil
	}
}

func load(ctx context.Context, kv jetstream.KeyValue, operation string) (codes []Code, revision uint64, err error) {
	entry, err := kv.Get(ctx, storeKey(operation))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("reading the codes of %s: %w", operation, err)
	}
	codes, err = decode(entry.Value())
	if err != nil {
		return nil, 0, fmt.Errorf("reading the codes of %s: %w: if no newer wolkpipe runs, %s", operation, err, forget(kv, operation))
	}
	return codes, entry.Revision(), nil
}

// forget is how an operator begins anew.
func forget(kv jetstream.KeyValue, operation string) string {
	return fmt.Sprintf("nats kv del %s %s (deleted codes, and when each was first seen, are forgotten by that)", kv.Bucket(), storeKey(operation))
}

// write stores a value in the place of a revision; 0: of none.
func write(ctx context.Context, kv jetstream.KeyValue, key string, data []byte, revision uint64) error {
	if revision == 0 {
		_, err := kv.Create(ctx, key, data)
		return err
	}
	_, err := kv.Update(ctx, key, data, revision)
	return err
}

// encode gives the value of codes, and with ErrTooLarge what it would be.
func encode(codes []Code) ([]byte, error) {
	plain, err := json.Marshal(stored{version, codes})
	if err != nil {
		return nil, err
	}
	data := encoder.EncodeAll(plain, nil)
	if len(data) > maxValue || len(plain) > maxPlain {
		return data, ErrTooLarge
	}
	return data, nil
}

func decode(data []byte) ([]Code, error) {
	plain, err := decoder.DecodeAll(data, nil)
	if err != nil {
		return nil, fmt.Errorf("unpacking: %w", err)
	}
	var s stored
	if err := json.Unmarshal(plain, &s); err != nil {
		return nil, err
	}
	if s.Version != version {
		return nil, fmt.Errorf("they have version %d, and this is wolkpipe for version %d", s.Version, version)
	}
	return s.Codes, nil
}

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(conflictWait):
		return nil
	}
}
