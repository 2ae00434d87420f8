package parquet

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"wolkpipe/sinks"
	"wolkpipe/sinks/objectstore"
	"wolkpipe/sinks/sinktest/servers"
)

// toxicTime is how long a try may last whose network fails. No law rests on
// it: longer is more of the drivers' own tries.
const toxicTime = 500 * time.Millisecond

// realNetwork cuts, slows and silences connections under a commit.
func realNetwork(t *testing.T, r *remote) {
	proxy := servers.Toxic(t).Proxy(t, r.addr)
	rig := newFaultRig(t, r, proxy.Addr)
	defer rig.reading(t)()
	rig.next()
	rig.mended(t, "no fault")
	toxic := func(kind string, stream servers.Stream, attribute string, value int) func() func() {
		return func() func() { return proxy.AddToxic(t, kind, stream, map[string]any{attribute: value}) }
	}
	for _, c := range []struct {
		name  string
		begin func() (end func())
	}{
		{"cut within the request's head", toxic("limit_data", servers.Upstream, "bytes", 300)},
		{"cut in the upload", toxic("limit_data", servers.Upstream, "bytes", 3000)},
		{"cut late in the upload", toxic("limit_data", servers.Upstream, "bytes", 9000)},
		{"no answer", toxic("limit_data", servers.Downstream, "bytes", 0)},
		{"cut in the answer's head", toxic("limit_data", servers.Downstream, "bytes", 100)},
		{"cut in a body that is read", toxic("limit_data", servers.Downstream, "bytes", 2000)},
		{"reset", toxic("reset_peer", servers.Downstream, "timeout", 20)},
		{"silence", toxic("timeout", servers.Downstream, "timeout", 0)},
		{"an upload that crawls", toxic("bandwidth", servers.Upstream, "rate", 8)},
		{"an upload in slices", toxic("slicer", servers.Upstream, "average_size", 64)},
		{"down", func() func() { proxy.Down(t); return func() { proxy.Up(t) } }},
	} {
		rig.next()
		end := c.begin()
		ctx, cancel := context.WithTimeout(t.Context(), toxicTime)
		err := rig.try(ctx)
		cancel()
		t.Logf("%s: %v", c.name, err)
		rig.whole(t, c.name)
		end()
		rig.mended(t, c.name)
	}
}

// realStatus lets the store fail in words: the request is read or not,
// done or not.
func realStatus(t *testing.T, r *remote) {
	m := newMiddleman(t, r.addr)
	rig := newFaultRig(t, r, strings.TrimPrefix(m.URL, "http://"))
	defer rig.reading(t)()
	rig.next()
	rig.mended(t, "no fault")
	before := func(status int) func(http.ResponseWriter, *http.Request, http.Handler) {
		return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			_, _ = io.Copy(io.Discard, r.Body) // cut bodies are the network's
			answer(w, status)
		}
	}
	after := func(status int) func(http.ResponseWriter, *http.Request, http.Handler) {
		return func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
			swallow(r, pass)
			answer(w, status)
		}
	}
	for _, c := range []struct {
		name  string
		reads bool // fail, not writes
		spoil func(http.ResponseWriter, *http.Request, http.Handler)
	}{
		{"500", false, before(500)},
		{"503 and Retry-After", false, before(503)},
		{"503 on reading", true, before(503)},
		{"429", false, before(429)},
		{"500, the body unread", false, func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { answer(w, 500) }},
		{"500 of a write that was done", false, after(500)},
		{"503 of a write that was done", false, after(503)},
		{"an answer that was lost", false, func(_ http.ResponseWriter, r *http.Request, pass http.Handler) {
			swallow(r, pass)
			panic(http.ErrAbortHandler)
		}},
		{"no answer", false, func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}},
	} {
		rig.next()
		ctx, cancel := context.WithTimeout(t.Context(), toxicTime)
		spoilt := 0
		m.set(func(w http.ResponseWriter, r *http.Request, pass http.Handler) bool {
			if isWrite(r) == c.reads {
				return false
			}
			m.mu.Lock()
			if spoilt++; spoilt == 3 { // the driver has tried again itself
				defer cancel()
			}
			m.mu.Unlock()
			c.spoil(w, r, pass)
			return true
		})
		err := rig.try(ctx)
		cancel()
		t.Logf("%s: %d requests, %d writes done, %v", c.name, spoilt, m.accepted(), err)
		rig.whole(t, c.name)
		m.set(nil)
		rig.mended(t, c.name)
	}
}

// realLostAnswer: a write that was done, and whose answer was lost, is
// sent again by the driver itself, and refused, since its condition no longer
// holds. That is a conflict, not a failure and not a success; the day is
// loaded again, and nothing is written twice.
func realLostAnswer(t *testing.T, r *remote) {
	m := newMiddleman(t, r.addr)
	rig := newFaultRig(t, r, strings.TrimPrefix(m.URL, "http://"))
	for _, what := range []string{"creation", "replacement"} {
		rig.next()
		lost := map[string]bool{}
		m.set(func(_ http.ResponseWriter, r *http.Request, pass http.Handler) bool {
			m.mu.Lock()
			name := r.URL.Path + r.URL.Query().Get("name")
			first := isWrite(r) && !lost[name]
			lost[name] = lost[name] || isWrite(r)
			m.mu.Unlock()
			if first {
				swallow(r, pass)
				panic(http.ErrAbortHandler)
			}
			return false
		})
		before := rig.write.conflicts
		change, _, err := sinks.Converge(t.Context(), rig.write, rig.source, key)
		if err != nil || rig.write.other != nil {
			t.Fatalf("%s: %v, %v", what, err, rig.write.other)
		}
		if got := m.accepted(); got != 2 {
			t.Errorf("%s: the store accepted %d writes of two objects", what, got)
		}
		if got := rig.write.conflicts - before; got != 2 {
			t.Errorf("%s: %d conflicts, want one for each lost answer", what, got)
		}
		t.Logf("%s: change %+v", what, change)
		m.set(nil)
		rig.mended(t, what)
	}
}

// realError: what ends a try is told in one line, with the status.
func realError(t *testing.T, r *remote) {
	m := newMiddleman(t, r.addr)
	rig := newFaultRig(t, r, strings.TrimPrefix(m.URL, "http://"))
	rig.next()
	m.set(func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		_, _ = io.Copy(io.Discard, r.Body)
		answer(w, http.StatusForbidden) // which no driver tries again
		return true
	})
	err := rig.try(t.Context())
	var told *objectstore.Error
	if !errors.As(err, &told) || told.Status != http.StatusForbidden || strings.Contains(err.Error(), "\n") {
		t.Errorf("a 403 gives %v", err)
	}
}
