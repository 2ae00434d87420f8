// Package erase owns who is to be forgotten: the agents whose names are kept
// out of all that is recorded, whatever the source goes on to say.
//
// An agent is known here by a keyed hash of the normalised name alone
// (HMAC-SHA256 under a random key that stands in the same bucket), so the list
// does not tell whom it is about to anybody who has not already got the name
// and the key. In recorded rows another name stands in its place, made from
// the same hash: the counts stay, and an agent's stay together.
//
// The package replaces names in rows that it is given. Whoever records rows,
// or reads recorded ones, hands them through [Book.Rows] first.
package erase

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/pipeline/transform"
	"wolkpipe/pipeline/watch"
)

const (
	prefix  = "erased."
	keyName = prefix + "key" // operations have a second dot behind their name
	keySize = 32

	// Standing begins the name that stands for an erased agent's; 16 hex digits
	// follow.
	Standing = "erased:"
)

// Book is a process's view of the erased agents of all operations. It follows
// the bucket, so that what one process erases the others do not record again.
// Its methods may be called from several goroutines; a nil Book has nobody.
type Book struct {
	kv   jetstream.KeyValue
	stop func()
	log  *slog.Logger

	mu      sync.RWMutex
	key     []byte
	agents  map[string]map[string]bool // hashes by operation
	version uint64                     // counts changes
}

// Open reads who is erased, and follows it until ctx ends or Close.
func Open(ctx context.Context, kv jetstream.KeyValue, log *slog.Logger) (*Book, error) {
	b := &Book{kv: kv, log: log, agents: map[string]map[string]bool{}}
	var err error
	if b.stop, err = watch.Keys(ctx, kv, prefix+">", "who is erased", b.read); err != nil {
		return nil, err
	}
	b.mu.RLock()
	lost := len(b.agents) > 0 && b.key == nil
	b.mu.RUnlock()
	if lost {
		b.stop()
		return nil, fmt.Errorf("bucket %s tells of erased agents and lacks the key %s that they are known by: restore it from a backup, "+
			"or delete the keys %s* and erase those agents again", kv.Bucket(), keyName, prefix)
	}
	return b, nil
}

// Close ends the following.
func (b *Book) Close() { b.stop() }

func (b *Book) read(update jetstream.KeyValueEntry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.version++
	there := update.Operation() == jetstream.KeyValuePut
	if update.Key() == keyName {
		b.key = nil
		if there && len(update.Value()) == keySize {
			b.key = update.Value()
		} else {
			b.log.Error("the key that erased agents are known by is gone: their names are recorded again", "bucket", update.Bucket(), "key", keyName)
		}
		return
	}
	operation, agent, found := strings.Cut(strings.TrimPrefix(update.Key(), prefix), ".")
	if !found {
		return
	}
	if !there {
		delete(b.agents[operation], agent)
		return
	}
	if b.agents[operation] == nil {
		b.agents[operation] = map[string]bool{}
	}
	b.agents[operation][agent] = true
}

// Version changes with what Rows does.
func (b *Book) Version() uint64 {
	if b == nil {
		return 0
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.version
}

// Has reports whether an agent, by its normalised name, is erased.
func (b *Book) Has(operation, name string) bool {
	if b == nil {
		return false
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.key != nil && b.agents[operation][hashOf(hmac.New(sha256.New, b.key), operation, name)]
}

// Add erases an agent, by its normalised name, from an operation's rows from
// now on, and returns when this process knows.
func (b *Book) Add(ctx context.Context, operation, name string) error {
	key, err := b.ensureKey(ctx)
	if err != nil {
		return fmt.Errorf("erasing an agent of %s: %w", operation, err)
	}
	agent := hashOf(hmac.New(sha256.New, key), operation, name)
	if _, err := b.kv.Put(ctx, prefix+operation+"."+agent, []byte(time.Now().UTC().Format(time.RFC3339))); err != nil {
		return fmt.Errorf("erasing an agent of %s: %w", operation, err)
	}
	for !b.Has(operation, name) {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("erasing an agent of %s: %w", operation, ctx.Err())
		}
	}
	return nil
}

// ensureKey gives the key, made if there is none. Of two processes that make
// one, one is refused and takes the other's.
func (b *Book) ensureKey(ctx context.Context) ([]byte, error) {
	fresh := make([]byte, keySize)
	_, _ = rand.Read(fresh) // never fails
	if _, err := b.kv.Create(ctx, keyName, fresh); err == nil {
		return fresh, nil
	} else if !errors.Is(err, jetstream.ErrKeyExists) {
		return nil, err
	}
	entry, err := b.kv.Get(ctx, keyName)
	if err != nil {
		return nil, err
	}
	if len(entry.Value()) != keySize {
		return nil, fmt.Errorf("key %s of bucket %s has %d bytes, not %d", keyName, b.kv.Bucket(), len(entry.Value()), keySize)
	}
	return entry.Value(), nil
}

// hashOf gives 32 hex digits. Operations' names have no zero byte.
func hashOf(mac hash.Hash, operation, name string) string {
	mac.Reset()
	mac.Write([]byte(operation))
	mac.Write([]byte{0})
	mac.Write([]byte(name))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// Rows gives source rows with the names of erased agents replaced, and whether
// there were any; if not, the rows themselves. Rows given are not changed.
func (b *Book) Rows(operation string, rows []json.RawMessage) ([]json.RawMessage, bool) {
	if b == nil || len(rows) == 0 {
		return rows, false
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	agents := b.agents[operation]
	if len(agents) == 0 || b.key == nil {
		return rows, false
	}
	mac := hmac.New(sha256.New, b.key)
	known := map[string]string{} // hashes by name
	of := func(name string, written []byte) (transform.Renamed, bool) {
		agent, ok := known[name]
		if !ok {
			agent = hashOf(mac, operation, name)
			known[name] = agent
		}
		if !agents[agent] {
			return transform.Renamed{}, false
		}
		return transform.Renamed{Name: Standing + agent[:16], Variant: hashOf(mac, operation+"\x00", string(written))[:16]}, true
	}
	return replace(rows, of)
}

// Named reports whether any row names the agent with that normalised name.
func Named(rows []json.RawMessage, name string) (named bool) {
	for _, raw := range rows {
		transform.Rename(raw, func(n string, _ []byte) (transform.Renamed, bool) {
			named = named || n == name
			return transform.Renamed{}, false
		})
		if named {
			return true
		}
	}
	return false
}

func replace(rows []json.RawMessage, of func(string, []byte) (transform.Renamed, bool)) (out []json.RawMessage, some bool) {
	out = rows
	for i, raw := range rows {
		other, renamed := transform.Rename(raw, of)
		if !renamed {
			continue
		}
		if !some {
			some, out = true, append([]json.RawMessage(nil), rows...)
		}
		out[i] = other
	}
	return out, some
}
