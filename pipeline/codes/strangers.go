package codes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Strangers are the codes of rows that no list ever told: sentinels, and what
// is too new or too old for a list.
type Strangers struct {
	Since time.Time            `json:"since"` // when the first row of all came; zero: none did
	Asked map[string]time.Time `json:"asked"` // by code: when the list was last asked with it in mind
}

// maxStrangers bounds what is remembered; those asked about longest ago go first.
const maxStrangers = 2000

func strangersKey(operation string) string { return operation + ".strangers" }

// Strangers gives those of an operation. What cannot be read is as none.
func (b *Book) Strangers(ctx context.Context, operation string) (Strangers, error) {
	s, _, err := b.strangers(ctx, operation)
	return s, err
}

func (b *Book) strangers(ctx context.Context, operation string) (Strangers, uint64, error) {
	s := Strangers{Asked: map[string]time.Time{}}
	entry, err := b.kv.Get(ctx, strangersKey(operation))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return s, 0, nil
	}
	if err != nil {
		return s, 0, fmt.Errorf("reading the codes of %s that no list has: %w", operation, err)
	}
	if json.Unmarshal(entry.Value(), &s) != nil || s.Asked == nil {
		s = Strangers{Asked: map[string]time.Time{}}
	}
	return s, entry.Revision(), nil
}

// Keep adds to an operation's strangers, and gives them as they then are:
// the earliest Since and the latest times of asking stay. Those that a list
// tells meanwhile are left out.
func (b *Book) Keep(ctx context.Context, operation string, added Strangers) (Strangers, error) {
	for {
		s, revision, err := b.strangers(ctx, operation)
		if err != nil {
			return added, err
		}
		s.add(added)
		for code := range s.Asked {
			if b.Knows(operation, code) {
				delete(s.Asked, code)
			}
		}
		s.bound()
		data, err := json.Marshal(s)
		if err == nil {
			err = write(ctx, b.kv, strangersKey(operation), data, revision)
		}
		switch {
		case err == nil:
			return s, nil
		case errors.Is(err, jetstream.ErrKeyExists), errors.Is(err, jetstream.ErrKeyRevisionMismatch):
			err = pause(ctx)
		}
		if err != nil {
			return added, fmt.Errorf("storing the codes of %s that no list has: %w", operation, err)
		}
	}
}

func (s *Strangers) add(o Strangers) {
	if s.Since.IsZero() || !o.Since.IsZero() && o.Since.Before(s.Since) {
		s.Since = o.Since
	}
	for code, at := range o.Asked {
		if before, known := s.Asked[code]; !known || at.After(before) {
			s.Asked[code] = at
		}
	}
}

func (s *Strangers) bound() {
	byTime := slices.SortedFunc(maps.Keys(s.Asked), func(a, b string) int { return s.Asked[a].Compare(s.Asked[b]) })
	for _, code := range byTime[:max(0, len(byTime)-maxStrangers)] {
		delete(s.Asked, code)
	}
}
