package status

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// TestHandler asks every path, also in ways that it does not take.
func TestHandler(t *testing.T) {
	var asked []string
	h := Handler(Options{
		Alive: func() error { return nil }, Ready: func() error { return errors.New("NATS is away") },
		Installation: func(context.Context) Installation { return Installation{NATS: "connected"} }, Gatherer: prometheus.NewRegistry(),
		Coverage: func(_ context.Context, operation, from, to string) (any, int, error) {
			asked = []string{operation, from, to}
			if operation != "ventas" {
				return nil, http.StatusNotFound, errors.New(`operation "<b>" is not in the configuration`)
			}
			return map[string]int{"days": 2}, 0, nil
		},
	})
	for _, c := range []struct {
		method, path string
		status       int
		says         string
	}{
		{"GET", "/", 200, "All well"},
		{"GET", "/nowhere", 404, ""},
		{"GET", "/healthz", 200, "ok"},
		{"GET", "/readyz", 503, "NATS is away"},
		{"GET", "/metrics", 200, ""},
		{"GET", "/api/v1/coverage?operation=ventas&from=2026-11-01&to=2026-11-02", 200, `{"days":2}`},
		{"GET", "/api/v1/coverage?operation=%3Cb%3E", 404, `{"error":"operation \"\u003cb\u003e\" is not`},
		{"POST", "/api/v1/coverage?operation=ventas", 405, ""},
		{"DELETE", "/", 405, ""},
	} {
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), c.method, c.path, nil))
		if answer.Code != c.status || !strings.Contains(answer.Body.String(), c.says) {
			t.Errorf("%s %s: %d %q, want %d %q", c.method, c.path, answer.Code, answer.Body.String(), c.status, c.says)
		}
		if answer.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s %s lacks the headers for browsers", c.method, c.path)
		}
		if strings.Contains(c.path, "operation=ventas&") && strings.Join(asked, " ") != "ventas 2026-11-01 2026-11-02" {
			t.Errorf("asked for %v", asked)
		}
	}
}
