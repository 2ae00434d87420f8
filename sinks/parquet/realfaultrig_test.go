package parquet

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/sinktest"
)

// faultWindows are the n-th content of a day: enough of it that a connection
// can be cut within.
func faultWindows(n int) []schemas.Window {
	var windows []schemas.Window
	for i := range 12 {
		var rows []schemas.Row
		for r := range 120 {
			rows = append(rows, row(fmt.Sprintf("agent %x", (r+1)*(i+7)*(n+13)*7919), fmt.Sprintf("%04d", r), int64(n+1)))
		}
		w := win(i, 0, rows...)
		w.Revision, w.ObservedAt = 0, time.Time{}
		windows = append(windows, w)
	}
	return windows
}

// faultRig is a lake that is written through something that fails, and read
// past it.
type faultRig struct {
	store  *realHarness // past the faults
	read   *Sink        // past the faults, too
	write  *judged
	source *sinktest.Source
	round  int
}

// newFaultRig makes a lake below the test's name, reached at addr.
func newFaultRig(t *testing.T, r *remote, addr string) *faultRig {
	t.Helper()
	prefix := strings.ReplaceAll(t.Name(), "/", "-")
	rig := &faultRig{
		store: &realHarness{r, r.bucket(t), prefix + "/"},
		read:  r.open(t, prefix), source: sinktest.NewSource(),
	}
	rig.write = &judged{Sink: r.at(addr).open(t, prefix)}
	return rig
}

// next makes the journal move.
func (rig *faultRig) next() {
	rig.source.Observe(key, faultWindows(rig.round)...)
	rig.round++
}

// try converges once, until ctx ends.
func (rig *faultRig) try(ctx context.Context) error {
	_, _, err := sinks.Converge(ctx, rig.write, rig.source, key)
	return err
}

// whole fails unless a reader finds either content of both objects, or what
// stands between two commits: rows that the coverage does not tell yet.
func (rig *faultRig) whole(t *testing.T, what string) {
	t.Helper()
	rows, err := rig.read.Rows(t.Context(), key)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	lines, err := rig.read.Coverage(t.Context(), key)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	now := int64(rig.round)
	version := func(of string, n int, v int64) {
		if n > 0 && v != now && v != now-1 || n == 0 && now > 1 {
			t.Fatalf("%s: %s of content %d are there (%d of them), the journal is at %d", what, of, v, n, now)
		}
	}
	if len(rows) != 0 && len(rows) != 12*120 || len(lines) != 0 && len(lines) != 12 {
		t.Fatalf("%s: %d rows and %d lines are there", what, len(rows), len(lines))
	}
	if len(rows) > 0 {
		version("rows", len(rows), rows[0].Interactions)
	}
	if len(lines) > 0 {
		version("lines", len(lines), lines[0].Interactions/120)
	}
}

// mended fails unless the lake comes to hold the journal, and then rests.
func (rig *faultRig) mended(t *testing.T, what string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := rig.try(ctx)
	for err != nil && ctx.Err() == nil { // connections that were cut may still be pooled
		err = rig.try(ctx)
	}
	if err != nil {
		t.Fatalf("%s: with the fault gone: %v", what, err)
	}
	if d := sinktest.Diff(rig.source.Windows(key), rig.store.Contents(t, key)); d != "" {
		t.Fatalf("%s: the lake is not what the journal says:\n%s", what, d)
	}
	if change, _, err := sinks.Converge(ctx, rig.write, rig.source, key); err != nil || change != (sinks.Change{}) {
		t.Fatalf("%s: once converged, it wrote %+v, %v", what, change, err)
	}
}

// reading reads past the faults all the while; stop ends it.
func (rig *faultRig) reading(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- poll(ctx, rig.read, key) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("a reader: %v", err)
		}
	}
}

// middleman passes requests on to a store, and spoils some.
type middleman struct {
	*httptest.Server

	mu     sync.Mutex
	spoil  func(w http.ResponseWriter, r *http.Request, pass http.Handler) (done bool)
	writes int // that the store accepted
}

// newMiddleman stands before addr.
func newMiddleman(t testing.TB, addr string) *middleman {
	m := new(middleman)
	pass := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(&url.URL{Scheme: "http", Host: addr})
			p.Out.Host = p.In.Host // it is signed
		},
		Transport:    &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 8},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		ModifyResponse: func(r *http.Response) error {
			if isWrite(r.Request) && r.StatusCode/100 == 2 {
				m.mu.Lock()
				m.writes++
				m.mu.Unlock()
			}
			return nil
		},
	}
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.mu.Lock()
		spoil := m.spoil
		m.mu.Unlock()
		if spoil == nil || !spoil(w, r, pass) {
			pass.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(m.Close)
	return m
}

func isWrite(r *http.Request) bool { return r.Method == http.MethodPut || r.Method == http.MethodPost }

func (m *middleman) set(spoil func(http.ResponseWriter, *http.Request, http.Handler) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.spoil, m.writes = spoil, 0
}

func (m *middleman) accepted() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.writes
}

// answer gives a status in place of the store's answer.
func answer(w http.ResponseWriter, status int) {
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(status)
}

// swallow passes a request on and loses what the store says.
func swallow(r *http.Request, pass http.Handler) { pass.ServeHTTP(httptest.NewRecorder(), r) }
