package pipeline

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"wolkpipe/pipeline/chat7"
	"wolkpipe/pipeline/chat7/chat7sim"
	"wolkpipe/pipeline/window"
)

// tamper is a transport between the client and the simulator.
type tamper func(request *http.Request, next func() (*http.Response, error)) (*http.Response, error)

func (f tamper) RoundTrip(request *http.Request) (*http.Response, error) {
	return f(request, func() (*http.Response, error) { return http.DefaultTransport.RoundTrip(request) })
}

func oneOperation() chat7sim.Scenario {
	return chat7sim.Scenario{Operations: []chat7sim.Operation{
		{Name: "ventas", Timezone: "America/Bogota", InteractionsPerDay: 400, Licences: -1},
	}}
}

// TestWindowThatKeepsFailing: it keeps nothing else from being covered, and is
// covered itself once it is answered.
func TestWindowThatKeepsFailing(t *testing.T) {
	r := newRig(t, oneOperation(), 1, noon)
	r.since = window.DateOf(2026, 11, 10)
	var healed atomic.Bool
	var failed atomic.Int64
	r.client = func(o *chat7.Options) {
		o.Transport = tamper(func(request *http.Request, next func() (*http.Response, error)) (*http.Response, error) {
			q := request.URL.Query()
			const bad = "20261110080500"
			if q.Get("api") != "chat_7" || q.Get("date_ini") > bad || q.Get("date_end") < bad || healed.Load() {
				return next()
			}
			failed.Add(1)
			return &http.Response{StatusCode: 500, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("")), Request: request}, nil
		})
	}
	p := r.pipeline()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	r.clock.until(t, noon.Add(3*time.Hour))
	s := p.Status(t.Context()).Operations[0]
	if s.Missing > 2 || s.Missing == 0 { // the one, and one that has just become due
		t.Errorf("%d windows of %d are missing", s.Missing, s.Due)
	}
	if n := failed.Load(); n > 250 {
		t.Errorf("what fails was asked for %d times in 3 h", n)
	}
	healed.Store(true)
	r.clock.until(t, noon.Add(4*time.Hour))
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	r.grace = 10 * time.Minute
	r.check(r.since)
}

// TestClockAheadOfTheSource: a window that is not over by the source's clock
// is not recorded, or what is still to come would be lost.
func TestClockAheadOfTheSource(t *testing.T) {
	const ahead = 10 * time.Minute
	r := newRig(t, oneOperation(), 1, noon)
	r.since = window.DateOf(2026, 11, 10)
	behind := &atomic.Int64{}
	sim, err := chat7sim.New(chat7sim.Options{
		Scenario: oneOperation(), Seed: 1, Now: func() time.Time { return r.clock.Now().Add(-time.Duration(behind.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	r.sim, r.http.Config.Handler = sim, sim
	behind.Store(int64(ahead))
	r.run(noon.Add(3 * time.Hour))
	behind.Store(0)
	r.grace = 30 * time.Minute
	r.check(r.since)
}

// TestTokenReplacedDuringACall: the refusal of the old one must not keep the
// new one from being tried.
func TestTokenReplacedDuringACall(t *testing.T) {
	r := newRig(t, oneOperation(), 1, noon)
	r.since = window.DateOf(2026, 11, 10)
	var token atomic.Value
	token.Store("revoked")
	r.token = func(_, _ string) string { return token.Load().(string) }
	r.client = func(o *chat7.Options) {
		o.Transport = tamper(func(_ *http.Request, next func() (*http.Response, error)) (*http.Response, error) {
			response, err := next()
			token.Store("sim-ventas") // while the answer is on its way
			return response, err
		})
	}
	r.run(noon.Add(5 * time.Minute))
	r.grace = 10 * time.Minute
	r.check(r.since)
}
