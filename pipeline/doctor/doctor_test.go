package doctor_test

import (
	"context"
	"math/rand/v2"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"wolkpipe/pipeline/chat7"
	"wolkpipe/pipeline/chat7/chat7sim"
	"wolkpipe/pipeline/doctor"
	"wolkpipe/pipeline/window"
)

// clock is the time of source and examiner alike; every call takes some.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return ctx.Err()
}

// bench is a simulator and what asks it.
type bench struct {
	sim     *chat7sim.Sim
	clock   *clock
	skew    time.Duration
	zone    window.Zone
	token   string
	plain   *chat7.Client
	other   *chat7.Client
	answers func(window.Range, *chat7.Answer) // may change what is answered
	calls   int
}

// monday is noon of a Monday in Bogotá.
var monday = time.Date(2026, time.October, 19, 17, 0, 0, 0, time.UTC)

// newBench plays the first operation of a scenario.
func newBench(t *testing.T, sc chat7sim.Scenario, seed uint64, now time.Time) *bench {
	t.Helper()
	b := &bench{clock: &clock{now: now}}
	var err error
	if b.sim, err = chat7sim.New(chat7sim.Options{Scenario: sc, Seed: seed, Now: b.clock.Now}); err != nil {
		t.Fatal(err)
	}
	op := b.sim.Operations()[0]
	for _, o := range b.sim.Operations() {
		if o.Name == "ventas" {
			op = o
		}
	}
	b.token = op.Tokens[0]
	if b.zone, err = window.LoadZone(op.Timezone); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(b.sim)
	t.Cleanup(server.Close)
	for exclusive, client := range map[bool]**chat7.Client{false: &b.plain, true: &b.other} {
		*client, err = chat7.New(chat7.Options{
			BaseURL: server.URL, Exclusive: exclusive, Transport: server.Client().Transport,
			Token: func(context.Context) (string, error) { return b.token, nil },
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func (b *bench) Rows(ctx context.Context, r window.Range, exclusive bool) (chat7.Answer, error) {
	b.calls++
	client := b.plain
	if exclusive {
		client = b.other
	}
	date := b.clock.Now().Add(b.skew).Truncate(time.Second) // as HTTP cuts it
	answer, err := client.Rows(ctx, r)
	answer.Date = date
	_ = b.clock.Sleep(ctx, 300*time.Millisecond)
	answer.Took = 300 * time.Millisecond // of the clock that this bench goes by
	if err == nil && b.answers != nil {
		b.answers(r, &answer)
	}
	return answer, err
}

func (b *bench) TokenInfo(ctx context.Context) (chat7.TokenInfo, error) {
	b.calls++
	defer func() { _ = b.clock.Sleep(ctx, 300*time.Millisecond) }()
	return b.plain.TokenInfo(ctx)
}

func (b *bench) options() doctor.Options {
	return doctor.Options{Zone: b.zone, Now: b.clock.Now, Sleep: b.clock.Sleep, Random: rand.New(rand.NewPCG(1, 2))}
}

// examine examines what must work.
func (b *bench) examine(t *testing.T) doctor.Finding {
	t.Helper()
	f, err := doctor.Examine(t.Context(), b, b.options())
	if err != nil {
		t.Fatal(err)
	}
	if f.Calls != b.calls {
		t.Errorf("%d calls told, %d made", f.Calls, b.calls)
	}
	if f.Calls > 60 {
		t.Errorf("%d calls", f.Calls)
	}
	for name, token := range b.sim.Stats().Tokens {
		if token.Overlaps > 0 {
			t.Errorf("token %s: %d overlaps", name, token.Overlaps)
		}
	}
	return f
}

func stock(t *testing.T, name string) chat7sim.Scenario {
	t.Helper()
	sc, ok := chat7sim.Scenarios()[name]
	if !ok {
		t.Fatalf("no scenario %s", name)
	}
	return sc
}

// is fails unless got is want; nil is "not found out".
func is(t *testing.T, what string, got, want *bool, f doctor.Finding) {
	t.Helper()
	show := func(b *bool) string {
		switch {
		case b == nil:
			return "not found out"
		case *b:
			return "true"
		}
		return "false"
	}
	if show(got) != show(want) {
		t.Errorf("%s: %s, want %s; %d calls, day %s, %d cuts, notes:\n%s", what, show(got), show(want), f.Calls, f.Day, f.Cuts,
			strings.Join(f.Notes, "\n"))
	}
}

var yes, no = new(true), new(false)

// TestScenarios: what is true of a source is found out through every oddity
// of its answers, and no oddity is mistaken for counts that do not add up.
func TestScenarios(t *testing.T) {
	if !*yes || *no {
		t.Fatal("the wanted values are not what they are called")
	}
	unfit := map[string]string{
		"everything": "by itself", "silence": "by itself", "revoked": "by itself", "shared": "by itself",
		"row-cap":         "by itself",
		"row-cap-refused": "by itself",
		"slow":            "would wait for a minute and a half on the real clock",
		"maintenance":     "is down at night only",
	}
	for name, sc := range chat7sim.Scenarios() {
		if unfit[name] != "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(3) {
				b := newBench(t, sc, seed, monday)
				f := b.examine(t)
				t.Logf("%d calls, %s with %d interactions, %d cuts: %s", f.Calls, f.Day, f.Interactions, f.Cuts, strings.Join(f.Notes, "; "))
				is(t, "exclusive end", f.ExclusiveEnd, new(name == "exclusive-end"), f)
				is(t, "additive", f.Additive, yes, f)
			}
		})
	}
}
