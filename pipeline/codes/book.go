package codes

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/pipeline/watch"
)

// Book is a process's view of the codes of all operations. It follows the
// bucket, so that what one process was told reaches the others. Its methods
// may be called from several goroutines.
type Book struct {
	kv   jetstream.KeyValue
	stop func()
	log  *slog.Logger

	mu      sync.Mutex
	pages   map[string]page // by operation
	version uint64          // counts changes
	changed chan struct{}   // closed at the next change
}

// page is what is known of one operation. It is replaced, never changed.
type page struct {
	codes  []Code
	told   time.Time // when the latest list came that told any
	labels *Texts
}

// Texts are the descriptions of codes. As long as none of them changes, an
// operation's Texts are the same pointer. Nil is none.
type Texts struct{ of map[string]string }

// Of gives the description of a normalised cod_act; nil: none is known.
func (t *Texts) Of(code string) *string {
	if t == nil {
		return nil
	}
	if text, ok := t.of[code]; ok {
		return &text
	}
	return nil
}

// Open reads the codes in kv, and follows them until ctx ends or Close. Codes
// that cannot be read are as none, and logged.
func Open(ctx context.Context, kv jetstream.KeyValue, log *slog.Logger) (*Book, error) {
	b := &Book{kv: kv, log: log, pages: map[string]page{}, changed: make(chan struct{})}
	var err error
	b.stop, err = watch.Keys(ctx, kv, storeKey("*"), "the activity codes", b.read)
	return b, err
}

// Close ends the following.
func (b *Book) Close() { b.stop() }

func (b *Book) read(update jetstream.KeyValueEntry) {
	operation := strings.TrimSuffix(update.Key(), storeKey(""))
	if update.Operation() != jetstream.KeyValuePut {
		b.note(operation, nil) // somebody begins anew
		return
	}
	codes, err := decode(update.Value())
	if err != nil {
		b.log.Warn("the stored activity codes cannot be read", "operation", operation, "error", err)
		return
	}
	b.note(operation, codes)
}

// note takes over what is known of an operation.
func (b *Book) note(operation string, codes []Code) {
	next := page{codes: codes}
	for _, c := range codes {
		if c.LastSeenAt.After(next.told) {
			next.told = c.LastSeenAt
		}
	}
	labels := Labels(codes)
	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.pages[operation]
	if slices.EqualFunc(before.codes, codes, func(a, b Code) bool { return a.Code == b.Code && alike(a, b) }) {
		return
	}
	next.labels = before.labels
	if next.labels == nil || !maps.Equal(next.labels.of, labels) {
		next.labels = &Texts{labels}
	}
	b.pages[operation] = next
	b.version++
	close(b.changed)
	b.changed = make(chan struct{})
}

func (b *Book) page(operation string) page {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.pages[operation]
}

// All gives an operation's codes, sorted; do not change them.
func (b *Book) All(operation string) []Code { return b.page(operation).codes }

// Knows reports whether a list has ever told a normalised cod_act.
func (b *Book) Knows(operation, code string) bool { return Has(b.page(operation).codes, code) }

// Told is when the latest list came that told any code; zero: never.
func (b *Book) Told(operation string) time.Time { return b.page(operation).told }

// Texts gives an operation's descriptions.
func (b *Book) Texts(operation string) *Texts { return b.page(operation).labels }

// Operations are those of which any code is known, sorted.
func (b *Book) Operations() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Sorted(maps.Keys(b.pages))
}

// Version counts changes, and changed is closed at the next one.
func (b *Book) Version() (version uint64, changed <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.version, b.changed
}

// Store merges a list that the source told at a time into the operation's
// codes; see the function of that name for errors. With ErrTooLarge the codes
// are known all the same until the process ends. Entries without a code are
// left out.
func (b *Book) Store(ctx context.Context, operation string, told []Raw, at time.Time) error {
	list := make([]Code, 0, len(told))
	for _, raw := range told {
		if c, ok := New(raw); ok {
			list = append(list, c)
		}
	}
	merged, _, err := Store(ctx, b.kv, operation, list, at)
	if merged != nil {
		b.note(operation, merged)
	}
	return err
}
