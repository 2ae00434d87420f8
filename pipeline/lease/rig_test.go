package lease

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/pipeline/broker"
	"wolkpipe/pipeline/window"
)

var (
	quietLog = slog.New(slog.DiscardHandler)
	noon     = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
)

// shared is one server for all tests; each uses a token of its own.
var shared jetstream.JetStream

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "lease")
	if err != nil {
		panic(err)
	}
	s, err := broker.Start(context.Background(), broker.Options{Dir: dir, Logger: quietLog})
	if err != nil {
		panic(err)
	}
	nc, err := s.Connect("test")
	if err != nil {
		panic(err)
	}
	if shared, err = jetstream.New(nc); err != nil {
		panic(err)
	}
	// The bucket is there before hooks are put around it.
	if _, err := Open(context.Background(), shared, Options{Owner: "a", Clock: newClock()}); err != nil {
		panic(err)
	}
	code := m.Run()
	nc.Close()
	s.Close()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// clock is set by hand. Sleepers are woken as it moves past their time.
type clock struct {
	mu       sync.Mutex
	now      time.Time
	sleepers map[chan struct{}]time.Time
	cut      int           // sleeps that ended before their time
	changed  chan struct{} // closed when a sleeper comes or goes
}

func newClock() *clock {
	return &clock{now: noon, sleepers: map[chan struct{}]time.Time{}, changed: make(chan struct{})}
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) signal() {
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	wake := make(chan struct{})
	c.sleepers[wake] = c.now.Add(d)
	c.signal()
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.sleepers, wake)
		c.signal()
	}()
	select {
	case <-wake:
		return nil
	case <-ctx.Done():
		c.mu.Lock()
		c.cut++
		c.mu.Unlock()
		return ctx.Err()
	}
}

// advance moves the clock.
func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	for wake, at := range c.sleepers {
		if !at.After(c.now) {
			delete(c.sleepers, wake)
			close(wake)
		}
	}
	c.signal()
}

// asleep waits until somebody sleeps and gives the length of the shortest
// sleep; zero if done is closed first.
func (c *clock) asleep(done <-chan struct{}) time.Duration {
	for {
		c.mu.Lock()
		changed := c.changed
		var least time.Duration
		for _, at := range c.sleepers {
			if d := at.Sub(c.now); least == 0 || d < least {
				least = d
			}
		}
		c.mu.Unlock()
		if least > 0 {
			return least
		}
		select {
		case <-changed:
		case <-done:
			return 0
		}
	}
}

// errLost is an answer of NATS that did not arrive.
var errLost = errors.New("lost")

// faultyJS gives buckets whose requests go through hooks.
type faultyJS struct {
	jetstream.JetStream
	kv faultyKV
}

func (f *faultyJS) KeyValue(ctx context.Context, bucket string) (jetstream.KeyValue, error) {
	kv, err := f.JetStream.KeyValue(ctx, bucket)
	f.kv.KeyValue = kv
	return &f.kv, err
}

type faultyKV struct {
	jetstream.KeyValue
	down   bool   // nothing gets through
	before func() // runs once, between a read and the swap
	older  *read  // what the next read gets in place of what is there
	swap   func(do swap) (uint64, error)
}

// read is an answer to a read.
type read struct {
	value    []byte
	revision uint64
}

// swap writes what was to be written, now or later.
type swap func(context.Context) (uint64, error)

func (f *faultyKV) change(ctx context.Context, do swap) (uint64, error) {
	if f.down {
		return 0, errLost
	}
	if before := f.before; before != nil {
		f.before = nil
		before()
	}
	if f.swap != nil {
		return f.swap(do)
	}
	return do(ctx)
}

func (f *faultyKV) Update(ctx context.Context, key string, value []byte, last uint64) (uint64, error) {
	kv := f.KeyValue
	return f.change(ctx, func(ctx context.Context) (uint64, error) { return kv.Update(ctx, key, value, last) })
}

// Put is not used: should it be, it meets the hooks too.
func (f *faultyKV) Put(ctx context.Context, key string, value []byte) (uint64, error) {
	kv := f.KeyValue
	return f.change(ctx, func(ctx context.Context) (uint64, error) { return kv.Put(ctx, key, value) })
}

func (f *faultyKV) Create(ctx context.Context, key string, value []byte, o ...jetstream.KVCreateOpt) (uint64, error) {
	kv := f.KeyValue
	return f.change(ctx, func(ctx context.Context) (uint64, error) { return kv.Create(ctx, key, value, o...) })
}

// process is one of several that share the test's token.
type process struct {
	*Token
	leases *Leases
	clock  *clock
	nats   *faultyKV
}

func (p process) advance(d time.Duration) { p.clock.advance(d) }

// start begins a process with a clock of its own. The token is the test's.
func start(t testing.TB, owner string, limit int64) process {
	t.Helper()
	p := startWith(t, owner, newClock(), t.Name(), limit)
	t.Cleanup(func() { // for another run of the same test
		if err := p.nats.KeyValue.Purge(context.Background(), p.key); err != nil {
			t.Error(err)
		}
	})
	return p
}

func startWith(t testing.TB, owner string, c *clock, token string, limit int64) process {
	t.Helper()
	js := &faultyJS{JetStream: shared}
	l, err := Open(t.Context(), js, Options{Owner: owner, Clock: c, Log: quietLog})
	if err != nil {
		t.Fatal(err)
	}
	get := l.get
	l.get = func(ctx context.Context, key string) ([]byte, uint64, error) {
		if js.kv.down {
			return nil, 0, errLost
		}
		if older := js.kv.older; older != nil {
			js.kv.older = nil
			return older.value, older.revision, nil
		}
		return get(ctx, key)
	}
	zone, err := window.LoadZone("America/Bogota")
	if err != nil {
		t.Fatal(err)
	}
	return process{l.Token("https://example.com", token, Quota{Limit: limit, Zone: zone}), l, c, &js.kv}
}

// enter expects to be let in at once.
func (p process) enter(t testing.TB, kind Kind) *Call {
	t.Helper()
	call := p.try(t, Ask{Kind: kind})
	if call == nil {
		t.Fatalf("a call was not let in: %+v", p.State())
	}
	return call
}

// try is let in at once, or gives nil.
func (p process) try(t testing.TB, ask Ask) *Call {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan struct{})
	var call *Call
	var err error
	go func() {
		defer close(done)
		call, err = p.Enter(ctx, ask)
	}()
	if p.clock.asleep(done) > 0 {
		cancel()
	}
	<-done
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	return call
}

// passes counts, to the second, the time until p is let in, by p's clock.
func (p process) passes(t testing.TB, ask Ask) (time.Duration, *Call) {
	t.Helper()
	began := p.clock.Now()
	done := make(chan struct{})
	var call *Call
	var err error
	go func() {
		defer close(done)
		call, err = p.Enter(t.Context(), ask)
	}()
	for {
		d := p.clock.asleep(done)
		if d == 0 {
			break
		}
		p.advance(d)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p.clock.Now().Sub(began), call
}
