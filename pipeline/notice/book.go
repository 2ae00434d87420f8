package notice

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/pipeline/watch"
)

// Book holds the notices of all operations as this process knows them. It
// follows the bucket. Its methods may be called from several goroutines; those
// of a nil Book do nothing. What cannot be stored is known until the process
// ends, and stored with the next change.
type Book struct {
	kv   jetstream.KeyValue
	stop func()
	log  *slog.Logger

	writing sync.Mutex // one change at a time

	mu    sync.Mutex
	pages map[string]page // by operation
}

// page is an operation's notices. Its maps are replaced, never changed.
type page struct {
	revision uint64
	kept     map[string]kept   // by id
	raised   map[string]raised // since that was stored
}

// raised counts what is not stored yet.
type raised struct {
	times int64
	at    time.Time
}

func storeKey(operation string) string { return operation + ".notices" }

// Open reads the notices in kv, and follows them until ctx ends or Close.
func Open(ctx context.Context, kv jetstream.KeyValue, log *slog.Logger) (*Book, error) {
	b := &Book{kv: kv, log: log, pages: map[string]page{}}
	var err error
	b.stop, err = watch.Keys(ctx, kv, storeKey("*"), "the notices", b.read)
	return b, err
}

// Close ends the following.
func (b *Book) Close() { b.stop() }

func (b *Book) read(update jetstream.KeyValueEntry) {
	all := map[string]kept{}
	if update.Operation() == jetstream.KeyValuePut {
		all = decode(update.Value())
	}
	b.note(strings.TrimSuffix(update.Key(), storeKey("")), update.Revision(), all, nil)
}

// decode reads what is stored. What cannot be read is as none: it is raised again.
func decode(data []byte) map[string]kept {
	var list []kept
	if json.Unmarshal(data, &list) != nil {
		return map[string]kept{}
	}
	all := make(map[string]kept, len(list))
	for _, k := range list {
		all[id("", k.Kind, k.Subject)] = k
	}
	return all
}

// note takes over what is stored of an operation; counted is what is in it of
// what this process raised.
func (b *Book) note(operation string, revision uint64, all map[string]kept, counted map[string]raised) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.pages[operation]
	left := maps.Clone(p.raised)
	for key, r := range counted {
		now := left[key]
		if now.times -= r.times; now.times > 0 {
			left[key] = now
		} else {
			delete(left, key)
		}
	}
	if revision < p.revision {
		revision, all = p.revision, p.kept
	}
	b.pages[operation] = page{revision, all, left}
}

// Standing gives the operation's notices that stand, by kind and subject.
func (b *Book) Standing(operation string) []Notice {
	standing := []Notice{}
	if b == nil {
		return standing
	}
	b.mu.Lock()
	p := b.pages[operation]
	b.mu.Unlock()
	for key, k := range p.kept {
		if !k.EndedAt.IsZero() {
			continue
		}
		n := k.notice(operation)
		if r := p.raised[key]; r.times > 0 {
			n.Count += r.times
			if r.at.After(n.LastAt) {
				n.LastAt = r.at
			}
		}
		standing = append(standing, n)
	}
	slices.SortFunc(standing, func(a, b Notice) int { return cmp.Compare(a.ID, b.ID) })
	return standing
}

// Raise raises a notice. What is known of it already costs no I/O more than
// once an hour.
func (b *Book) Raise(ctx context.Context, operation string, f Fact, at time.Time) {
	if b == nil {
		return
	}
	at = at.UTC()
	key := id("", f.Kind, f.Subject)
	b.mu.Lock()
	p := b.pages[operation]
	k, known := p.kept[key]
	counts := maps.Clone(p.raised)
	if counts == nil {
		counts = map[string]raised{}
	}
	counts[key] = raised{counts[key].times + 1, at}
	p.raised = counts
	b.pages[operation] = p
	b.mu.Unlock()
	if known && k.EndedAt.IsZero() && k.Text == f.Text && at.Sub(k.LastAt) < noteAge && k.has(f.Items) {
		return
	}
	var news bool
	all, err := b.change(ctx, operation, func(all map[string]kept, rest map[string]raised) bool {
		k := all[key]
		k.Items = maps.Clone(k.Items)
		news = k.raise(f, rest[key].times, at)
		all[key] = k
		return true
	})
	if news {
		k := all[key]
		b.log.Warn("notice: "+k.notice(operation).Text, "operation", operation, "kind", string(f.Kind))
	}
	b.failed(operation, err)
}

func (k *kept) has(items []string) bool {
	return !slices.ContainsFunc(items, func(item string) bool { _, has := k.Items[item]; return !has })
}

// End ends a notice, or takes items out of it and ends it if none is left.
// Where there is nothing to end it costs no I/O.
func (b *Book) End(ctx context.Context, operation string, kind Kind, subject string, at time.Time, items ...string) {
	b.end(ctx, operation, at, func(k kept) bool {
		if k.Kind != kind || k.Subject != subject {
			return false
		}
		return len(items) == 0 || len(k.Items) == 0 || slices.ContainsFunc(items, func(i string) bool { return k.has([]string{i}) })
	}, func(k *kept) { k.drop(items, at.UTC()) })
}

// Expire ends an operation's notices of a kind that were not raised since.
func (b *Book) Expire(ctx context.Context, operation string, kind Kind, since, at time.Time) {
	if b == nil {
		return
	}
	b.mu.Lock()
	raised := b.pages[operation].raised
	b.mu.Unlock()
	b.end(ctx, operation, at, func(k kept) bool {
		return k.Kind == kind && k.LastAt.Before(since) && raised[id("", k.Kind, k.Subject)].at.Before(since)
	}, func(k *kept) { k.drop(nil, at.UTC()) })
}

// end applies over to the standing notices that match.
func (b *Book) end(ctx context.Context, operation string, at time.Time, match func(kept) bool, over func(*kept)) {
	if b == nil {
		return
	}
	b.mu.Lock()
	all := b.pages[operation].kept
	b.mu.Unlock()
	if !slices.ContainsFunc(slices.Collect(maps.Values(all)), func(k kept) bool { return k.EndedAt.IsZero() && match(k) }) {
		return
	}
	_, err := b.change(ctx, operation, func(all map[string]kept, _ map[string]raised) (changed bool) {
		for key, k := range all {
			if !k.EndedAt.IsZero() || !match(k) {
				continue
			}
			k.Items = maps.Clone(k.Items)
			over(&k)
			all[key], changed = k, true
			if !k.EndedAt.IsZero() {
				b.log.Info("a notice is over", "operation", operation, "kind", string(k.Kind))
			}
		}
		return changed
	})
	b.failed(operation, err)
}

func (b *Book) failed(operation string, err error) {
	if err != nil {
		b.log.Debug("a notice is not stored yet", "operation", operation, "error", err)
	}
}

// changeTime bounds a change: a notice must not hold up what it is about.
const changeTime = 2 * time.Second

// change reads an operation's notices, changes them and writes them back,
// until nobody else has written in between. The change is given the notices,
// with what was raised meanwhile in those that stand, and what was raised of
// others. Those that ended long ago are forgotten. After an error the change is
// in memory alone.
func (b *Book) change(ctx context.Context, operation string, change func(map[string]kept, map[string]raised) bool) (all map[string]kept, err error) {
	b.writing.Lock()
	defer b.writing.Unlock()
	ctx, cancel := context.WithTimeout(ctx, changeTime)
	defer cancel()
	for {
		b.mu.Lock()
		known := b.pages[operation]
		b.mu.Unlock()
		entry, err := b.kv.Get(ctx, storeKey(operation))
		revision, all := uint64(0), map[string]kept{}
		switch {
		case err == nil:
			revision, all = entry.Revision(), decode(entry.Value())
		case !errors.Is(err, jetstream.ErrKeyNotFound):
			all = maps.Clone(known.kept)
			if all == nil {
				all = map[string]kept{}
			}
			change(all, fold(all, known.raised))
			b.note(operation, known.revision, all, known.raised)
			return all, fmt.Errorf("reading the notices of %s: %w", operation, err)
		}
		if !change(all, fold(all, known.raised)) {
			return all, nil
		}
		next, err := b.write(ctx, operation, encode(all), revision)
		switch {
		case err == nil:
			b.note(operation, next, all, known.raised)
			return all, nil
		case (errors.Is(err, jetstream.ErrKeyExists) || errors.Is(err, jetstream.ErrKeyRevisionMismatch)) && ctx.Err() == nil:
			continue
		}
		b.note(operation, known.revision, all, known.raised)
		return all, fmt.Errorf("writing the notices of %s: %w", operation, err)
	}
}

// fold adds what was raised and not stored to the notices that stand, and
// gives the rest.
func fold(all map[string]kept, counts map[string]raised) (rest map[string]raised) {
	rest = map[string]raised{}
	for key, r := range counts {
		k, known := all[key]
		if !known || !k.EndedAt.IsZero() {
			rest[key] = r
			continue
		}
		k.Count += r.times
		k.LastAt = maxTime(k.LastAt, r.at)
		all[key] = k
	}
	return rest
}

func (b *Book) write(ctx context.Context, operation string, data []byte, revision uint64) (uint64, error) {
	if revision == 0 {
		return b.kv.Create(ctx, storeKey(operation), data)
	}
	return b.kv.Update(ctx, storeKey(operation), data, revision)
}

// encode gives the value of notices: those that ended long before the latest
// was raised are left out.
func encode(all map[string]kept) []byte {
	var latest time.Time
	list := []kept{}
	for _, k := range all {
		latest = maxTime(latest, maxTime(k.LastAt, k.EndedAt))
	}
	for _, k := range all {
		if k.EndedAt.IsZero() || latest.Sub(k.EndedAt) < goneFor {
			list = append(list, k)
		}
	}
	slices.SortFunc(list, func(a, b kept) int { return cmp.Compare(id("", a.Kind, a.Subject), id("", b.Kind, b.Subject)) })
	data, _ := json.Marshal(list) // times and texts: it cannot fail
	return data
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
