package lease

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/pipeline/window"
)

// The times that the rules are made of.
const (
	sendTime   = 10 * time.Second      // from Enter until the request must be sent
	sourceTime = 60 * time.Second      // the source may work on a call for, once sent
	openTime   = sendTime + sourceTime // an open call keeps others out for
	idleTime   = 10 * time.Second      // a holder keeps the token after a call for
	offerTime  = 5 * time.Second       // a token left to a waiter is kept for it for
	driftTime  = 2 * time.Second       // for clocks that run at different speeds
	pollTime   = time.Second           // between looks at a token that another process has
	retryTime  = time.Second           // between attempts while NATS fails
	quotaPoll  = time.Minute           // between looks at a quota that is used up
	ioTime     = 5 * time.Second       // for one request to NATS, in real time
)

// Clock tells the time and waits.
type Clock interface {
	Now() time.Time
	// Sleep waits for d, or until ctx ends: then it returns ctx's error.
	Sleep(ctx context.Context, d time.Duration) error
}

// Options of Leases.
type Options struct {
	// Owner identifies the data folder. Of all processes with one Owner, one
	// runs at a time.
	Owner    string
	Replicas int // of the bucket, when it is made; 0 means 1
	Clock    Clock
	Log      *slog.Logger // nil: slog.Default()
}

// Leases are a process's part in sharing tokens. Methods may be called from
// several goroutines.
type Leases struct {
	js       jetstream.JetStream
	options  Options
	instance string // of this process

	// get reads a key of the bucket; the error is jetstream.ErrKeyNotFound
	// where it has no value.
	get func(ctx context.Context, key string) (value []byte, revision uint64, err error)

	mu     sync.Mutex
	kv     jetstream.KeyValue
	tokens map[string]*Token
	closed bool
}

// Open binds to the bucket, and makes it if it is missing. It gives a
// [*BucketError] for a bucket whose settings would lose counts.
func Open(ctx context.Context, js jetstream.JetStream, o Options) (*Leases, error) {
	switch {
	case o.Owner == "":
		return nil, errors.New("opening the leases: no owner is given: name the data folder's identity")
	case o.Clock == nil:
		return nil, errors.New("opening the leases: no clock is given")
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	l := &Leases{js: js, options: o, instance: rand.Text(), tokens: map[string]*Token{}}
	l.get = l.last
	return l, l.bind(ctx)
}

// Quota is what is known of a token's quota before the source is asked.
type Quota struct {
	Limit int64       // calls a day; 0: as the source tells, and none until it does
	Zone  window.Zone // of the server, whose midnight is tried after a refusal; zero: UTC
}

// Token gives the token at a source. Whoever names the same two shares one
// Token; the smallest Limit that any of them gave holds.
func (l *Leases) Token(source, token string, q Quota) *Token {
	key := recordKey(source, token)
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.tokens[key]
	if t == nil {
		t = newToken(l, key, q.Zone)
		l.tokens[key] = t
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if q.Limit > 0 && (t.limit == 0 || q.Limit < t.limit) {
		t.limit = q.Limit
	}
	t.closed = t.closed || l.closed
	return t
}

// recordKey hashes a source and a token. Spellings of one address are one.
func recordKey(source, token string) string {
	if u, err := url.Parse(source); err == nil && u.Host != "" {
		u.Scheme, u.Host = strings.ToLower(u.Scheme), strings.ToLower(u.Host)
		u.Host = strings.TrimSuffix(u.Host, map[string]string{"https": ":443", "http": ":80"}[u.Scheme])
		source = u.String()
	}
	sum := sha256.Sum256([]byte(strings.TrimRight(source, "/") + "\x00" + token))
	return hex.EncodeToString(sum[:])
}

// ErrClosed means that the leases were closed.
var ErrClosed = errors.New("the leases are closed")

// Close lets go of every token, so that others need not wait for a lease to
// end, and lets nobody in any more. A call that is open then may not be sent;
// one that was sent keeps others out until its 60 s are over.
func (l *Leases) Close(ctx context.Context) error {
	l.mu.Lock()
	l.closed = true
	tokens := make([]*Token, 0, len(l.tokens))
	for _, t := range l.tokens {
		tokens = append(tokens, t)
	}
	l.mu.Unlock()
	var errs []error
	for _, t := range tokens {
		if err := t.release(ctx); err != nil {
			errs = append(errs, fmt.Errorf("letting go of the lease %s: %w", t.key, err))
		}
	}
	return errors.Join(errs...)
}
