package status

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestSizes: hundreds of operations and years of days stay small.
func TestSizes(t *testing.T) {
	s := newSample()
	s.many = 200
	h := Handler(s.options(t))
	for path, most := range map[string]int{
		"/": 400 << 10, "/operations/ventas": 120 << 10, "/operations/ventas?year=2026": 120 << 10,
		"/operations/ventas/days/2026-11-20": 160 << 10, "/operations/campana-000/days/2026-11-20": 60 << 10,
	} {
		page := get(t, h, "GET", path).Body.Len()
		t.Logf("%s: %d KiB", path, page>>10)
		if page > most {
			t.Errorf("%s has %d bytes, more than %d", path, page, most)
		}
	}
	root := parse(t, get(t, h, "GET", "/").Body.String())
	rows := 0
	for _, n := range nodes(root, "tr") {
		if strings.HasPrefix(attr(n, "id"), "op-") {
			rows++
		}
	}
	if rows != 205 {
		t.Errorf("%d operations are shown", rows)
	}
}

// BenchmarkOverview is of 205 operations.
func BenchmarkOverview(b *testing.B) {
	s := newSample()
	s.many = 200
	o := s.options(b)
	installation := s.installation(b.Context())
	o.Installation = func(context.Context) Installation { return installation }
	h := Handler(o)
	for b.Loop() {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(b.Context(), "GET", "/", nil))
	}
}
