package chat7sim_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"wolkpipe/pipeline/chat7/chat7sim"
)

const (
	report    = "/api/v2/reports_manager.php?api=chat_7&date_ini=20261110100000&date_end=20261110105959"
	tokenInfo = "/api/v2/information.php?api=token_info"
)

func TestRefusals(t *testing.T) {
	sim := newSim(t, only(400, chat7sim.Faults{}), 1, at("2026-11-12T15:00:00Z"))
	for _, tc := range []struct {
		target, token string
		status        int
		body          string
	}{
		{report, "", 401, `{"code":401,"error":"UNAUTHORIZED","msg":"PLEASE ENTER THE WOLKVOX-TOKEN"}`},
		{report, "stranger", 403, `{"code":403,"error":"FORBIDDEN","msg":"PLEASE VALIDATE TOKEN"}`},
		{"/api/v2/reports_manager.php?api=chat_8", "sim-ventas", 400, `{"code":400,"error":"BAD REQUEST","msg":"THE API YOU WANT TO CONSULT DOES NOT EXIST"}`},
		{"/api/v2/information.php?api=chat_7", "sim-ventas", 400, `{"code":400,"error":"BAD REQUEST","msg":"THE API YOU WANT TO CONSULT DOES NOT EXIST"}`},
		{"/api/v2/reports_manager.php?api=chat_7&date_ini=20261110100000", "sim-ventas", 400, `{"code":400,"error":"BAD REQUEST","msg":"SOME PARAMETERS ARE REQUIRED"}`},
		{"/api/v2/reports_manager.php?api=chat_7&date_ini=20261110100000&date_end=20261110095959", "sim-ventas", 404, `{"code":404,"error":"NOT FOUND","msg":"Validate dates entered"}`},
		{"/proxy" + report, "sim-ventas", 200, ""},
	} {
		a := get(sim, tc.target, tc.token)
		if a.status != tc.status || tc.body != "" && a.body != tc.body {
			t.Errorf("%s with %q: HTTP %d %s", tc.target, tc.token, a.status, a.body)
		}
	}
	if a := get(sim, "/api/v2/reports_manager.php?api=chat_7&date_ini=2026-11-10&date_end=20261110105959", "sim-ventas"); a.status != 400 || !strings.Contains(a.body, "SOME PARAMETERS ARE REQUIRED") {
		t.Errorf("a date that is none: HTTP %d %s", a.status, a.body)
	}
	if a := ask(sim, "sim-ventas", span(t, "2026-10-01T00:00:00", "2026-11-01T00:00:00")); a.status != 200 {
		t.Errorf("31 days: HTTP %d", a.status)
	}
	if a := ask(sim, "sim-ventas", span(t, "2026-10-01T00:00:00", "2026-11-01T00:00:01")); a.status != 400 {
		t.Errorf("31 days and a second: HTTP %d", a.status)
	}
	st := sim.Stats()
	if st.Strangers["no_token"] != 1 || st.Strangers["bad_token"] != 1 || st.Operations["ventas"].Calls["chat_7"][chat7sim.BadRequest] != 4 {
		t.Errorf("%+v", st)
	}
}

func TestQuota(t *testing.T) {
	sc := chat7sim.Scenario{Operations: []chat7sim.Operation{
		{Name: "a", Tokens: []string{"a1", "a2"}, Timezone: "America/Bogota", InteractionsPerDay: 100, Faults: &chat7sim.Faults{UsedElsewhere: 990, QuotaReset: "04:30"}},
		{Name: "b", Tokens: []string{"b1"}, Timezone: "America/Bogota", InteractionsPerDay: 100},
	}}
	c := at("2026-11-12T09:29:00Z") // 04:29
	sim := newSim(t, sc, 1, c)
	for range 4 {
		get(sim, report, "a1")
	}
	for range 5 {
		get(sim, report, "a2")
	}
	if a := get(sim, tokenInfo, "a1"); !strings.Contains(a.body, `"all_token_today":"1000","available_consumption_options":"0","token_limit":"1000","token_use_today":"5"`) {
		t.Errorf("token_info: %s", a.body)
	}
	for _, target := range []string{report, tokenInfo} {
		if a := get(sim, target, "a2"); a.status != 403 || !strings.Contains(a.body, `"TOKEN LIMIT EXCEEDED"`) {
			t.Errorf("the call past the quota: HTTP %d %s", a.status, a.body)
		}
	}
	if a := get(sim, report, "b1"); a.status != 200 && a.status != 404 {
		t.Errorf("another operation's quota: HTTP %d", a.status)
	}
	c.add(time.Minute) // 04:30
	if a := get(sim, report, "a2"); a.status == 403 {
		t.Errorf("after the reset: %s", a.body)
	}
	st := sim.Stats().Operations["a"]
	if st.QuotaRefused != 2 || st.QuotaSpent["2026-11-11"] != 10 || st.Days["2026-11-11"] != 12 || st.QuotaSpent["2026-11-12"] != 1 || st.Total != 13 {
		t.Errorf("%+v", st)
	}
	// Without licences the day has no end.
	sc.Operations[0].Licences = -1
	sim = newSim(t, sc, 1, c)
	for range 1100 {
		if a := get(sim, report, "a1"); a.status == 403 {
			t.Fatalf("no quota: %s", a.body)
		}
	}
}

// inFlight starts n calls and gives their HTTP statuses when all are over.
func inFlight(h http.Handler, n int, token string) map[int]int {
	var mu sync.Mutex
	var wg sync.WaitGroup
	statuses := map[int]int{}
	for range n {
		wg.Go(func() {
			a := get(h, report, token)
			mu.Lock()
			defer mu.Unlock()
			statuses[a.status]++
		})
	}
	wg.Wait()
	return statuses
}

func TestConcurrency(t *testing.T) {
	for _, tc := range []struct{ limit, refused int }{{0, 2}, {1, 3}, {4, 0}} {
		t.Run(fmt.Sprint(tc.limit), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim := newSim(t, only(400, chat7sim.Faults{MaxInFlight: tc.limit, Latency: chat7sim.Latency{Base: time.Second}}), 1, at("2026-11-12T15:00:00Z"))
				if got := inFlight(sim, 4, "sim-ventas"); got[403] != tc.refused || got[200] != 4-tc.refused {
					t.Errorf("limit %d: %v", tc.limit, got)
				}
				for range 3 {
					get(sim, report, "sim-ventas")
				}
				st := sim.Stats()
				if tok := st.Tokens["sim-ventas"]; tok.Overlaps != 3 || tok.InFlight != 0 || tok.Calls != 7 || tok.MaxInFlight < 2 {
					t.Errorf("limit %d: %+v", tc.limit, tok)
				}
				if n := st.Operations["ventas"].Calls["chat_7"][chat7sim.Concurrency]; n != int64(tc.refused) {
					t.Errorf("%d refused for concurrency", n)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		sim := newSim(t, chat7sim.Scenario{Faults: chat7sim.Faults{MaxInFlight: 1, Latency: chat7sim.Latency{Base: time.Second}}}, 1, at("2026-11-12T15:00:00Z"))
		go inFlight(sim, 1, "sim-ventas")
		if got := inFlight(sim, 1, "sim-soporte"); got[403] != 0 {
			t.Error("two tokens got into each other's way")
		}
	})
}

// A call whose client has gone keeps its place until the server is through.
func TestAbandonedCallStaysInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := newSim(t, only(400, chat7sim.Faults{MaxInFlight: 1, Slow: chat7sim.Timed{Rate: 1, For: 90 * time.Second}}), 1, at("2026-11-12T15:00:00Z"))
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		defer cancel()
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, report, nil)
		r.Header.Set("wolkvox-token", "sim-ventas")
		func() {
			defer func() {
				if p := recover(); p != http.ErrAbortHandler {
					t.Errorf("the abandoned call ended with %v", p)
				}
			}()
			sim.ServeHTTP(httptest.NewRecorder(), r)
		}()
		if a := get(sim, report, "sim-ventas"); a.status != 403 || !strings.Contains(a.body, "EXCEEDS THE LIMIT OF SIMULTANEOUS REQUESTS PER TOKEN (2)") {
			t.Errorf("right after the time-out: HTTP %d %s", a.status, a.body)
		}
		time.Sleep(31 * time.Second)
		synctest.Wait()
		if a := get(sim, report, "sim-ventas"); a.status != 200 {
			t.Errorf("once it was over: HTTP %d %s", a.status, a.body)
		}
		st := sim.Stats()
		if st.Tokens["sim-ventas"].Overlaps != 1 || st.Operations["ventas"].Calls["chat_7"][chat7sim.Abandoned] != 1 {
			t.Errorf("%+v", st)
		}
	})
}

func TestLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := newSim(t, only(400, chat7sim.Faults{Latency: chat7sim.Latency{Base: time.Second, Random: time.Second}}), 1, at("2026-11-12T15:00:00Z"))
		seen := map[time.Duration]bool{}
		for range 20 {
			start := time.Now()
			get(sim, report, "sim-ventas")
			took := time.Since(start)
			seen[took] = true
			if took < time.Second || took > 2*time.Second {
				t.Errorf("an answer took %v", took)
			}
		}
		if len(seen) < 10 {
			t.Errorf("only %d different times", len(seen))
		}
	})
}

func TestRevoked(t *testing.T) {
	sim := newSim(t, only(400, chat7sim.Faults{RevokedAfter: 3}), 1, at("2026-11-12T15:00:00Z"))
	for i := range 5 {
		a := get(sim, report, "sim-ventas")
		if bad := strings.Contains(a.body, "PLEASE VALIDATE TOKEN"); bad != (i >= 3) {
			t.Errorf("call %d: %.80s", i+1, a.body)
		}
	}
}

func TestMaintenance(t *testing.T) {
	f := chat7sim.Faults{Maintenance: []chat7sim.Period{{From: "23:50", To: "00:20"}, {From: "12:00", To: "12:01"}}}
	for now, closed := range map[string]bool{
		"2026-11-12T04:49:59Z": false, "2026-11-12T04:50:00Z": true, "2026-11-12T05:19:59Z": true, "2026-11-12T05:20:00Z": false,
		"2026-11-12T16:59:59Z": false, "2026-11-12T17:00:00Z": true, "2026-11-12T17:01:00Z": false,
	} {
		a := get(newSim(t, only(400, f), 1, at(now)), report, "sim-ventas")
		if got := a.status == 403 && strings.Contains(a.body, "BACKUP"); got != closed {
			t.Errorf("at %s: HTTP %d %.80s", now, a.status, a.body)
		}
	}
}

func TestTooMany(t *testing.T) {
	c := at("2026-11-12T15:00:00Z")
	sim := newSim(t, only(400, chat7sim.Faults{TooMany: 1, RetryAfter: 4500 * time.Millisecond}), 1, c)
	forms := map[string]bool{}
	for range 20 {
		a := get(sim, report, "sim-ventas")
		forms[a.header.Get("Retry-After")] = a.status == 429
	}
	if len(forms) != 2 || !forms["5"] || !forms["Thu, 12 Nov 2026 15:00:05 GMT"] {
		t.Errorf("Retry-After: %v", forms)
	}
}
