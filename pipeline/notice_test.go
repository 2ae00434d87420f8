package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"wolkpipe/pipeline/chat7"
	"wolkpipe/pipeline/chat7/chat7sim"
	"wolkpipe/pipeline/doctor"
	"wolkpipe/pipeline/notice"
	"wolkpipe/pipeline/window"
)

// hearing is a log that counts notices by kind.
type hearing struct {
	slog.Handler
	mu     sync.Mutex
	counts map[string]int
}

func (h *hearing) Enabled(context.Context, slog.Level) bool { return true }
func (h *hearing) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h *hearing) WithGroup(string) slog.Handler            { return h }

func (h *hearing) Handle(_ context.Context, r slog.Record) error {
	if !strings.HasPrefix(r.Message, "notice: ") {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "kind" {
			h.counts[a.Value.String()]++
		}
		return true
	})
	return nil
}

func (h *hearing) heard(kind notice.Kind) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.counts[string(kind)]
}

// noticing is a rig at midnight of one operation in Bogotá, whose log is heard.
func noticing(t *testing.T, scenario chat7sim.Scenario) (*rig, *hearing) {
	r := newRig(t, scenario, 1, time.Date(2026, 11, 10, 5, 0, 0, 0, time.UTC))
	r.window = 30 * time.Minute
	r.since = window.DateOf(2026, 11, 10)
	h := &hearing{counts: map[string]int{}}
	r.log = slog.New(h)
	return r, h
}

// stands runs until a time, and checks the notices that stand of one kind.
func (r *rig) stands(after time.Duration, kind notice.Kind, want int) []notice.Notice {
	r.t.Helper()
	p := r.with(r.clock.Now().Add(after), func(*Pipeline) {})
	var all []notice.Notice
	for _, o := range p.Status(r.t.Context()).Operations {
		for _, n := range o.Notices {
			if n.Kind == kind {
				all = append(all, n)
			} else {
				r.t.Errorf("there is a notice of another kind: %+v", n)
			}
		}
	}
	if len(all) != want {
		r.t.Errorf("%d notices of %s stand after %s: %+v", len(all), kind, r.clock.Now(), all)
	}
	if gauge := standing(r.t, p, kind); int(gauge) != want {
		r.t.Errorf("wolkpipe_notices is %v for %s", gauge, kind)
	}
	var page strings.Builder
	p.Status(r.t.Context()).Write(&page)
	for _, n := range all {
		if !strings.Contains(page.String(), n.Text) {
			r.t.Errorf("the page does not tell %q:\n%s", n.Text, page.String())
		}
	}
	return all
}

// standing reads the metric.
func standing(t testing.TB, p *Pipeline, kind notice.Kind) (sum float64) {
	t.Helper()
	families, err := p.o.Registerer.(*prometheus.Registry).Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, f := range families {
		if f.GetName() != "wolkpipe_notices" {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "kind" && l.GetValue() == string(kind) {
					sum += m.GetGauge().GetValue()
					found = true
				}
			}
		}
	}
	if !found {
		t.Errorf("there is no wolkpipe_notices of %s", kind)
	}
	return sum
}

// once checks that a kind was logged that often, with a restart in between.
func (r *rig) once(h *hearing, kind notice.Kind, want int) {
	r.t.Helper()
	if n := h.heard(kind); n != want {
		r.t.Errorf("%s was logged %d times, not %d", kind, n, want)
	}
}

// TestNoNotice: where nothing is wrong there is none, over days and restarts.
func TestNoNotice(t *testing.T) {
	for name, scenario := range map[string]chat7sim.Scenario{
		"friendly": {},
		"odd": {Faults: chat7sim.Faults{OddNames: 0.7, CodeActKey: true, NoDescription: 0.3, Shuffled: true, ServerErrors: 0.05,
			Late: chat7sim.Lag{Rate: 0.05, Mean: 10 * time.Minute}, EmptyAfterEnd: chat7sim.Timed{Rate: 0.1, For: 5 * time.Minute}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, h := noticing(t, scenario)
			r.quota, r.additive, r.ages = 0, yes(), []time.Duration{time.Hour, 24 * time.Hour}
			for range 4 {
				r.stands(25*time.Hour, notice.AlwaysEmpty, 0)
			}
			if len(h.counts) != 0 {
				t.Errorf("logged: %v", h.counts)
			}
		})
	}
}

// TestAlwaysEmpty, until the first row.
func TestAlwaysEmpty(t *testing.T) {
	r, h := noticing(t, chat7sim.Scenarios()["silence"])
	r.stands(2*24*time.Hour+time.Hour, notice.AlwaysEmpty, 0)
	for range 2 {
		if all := r.stands(24*time.Hour, notice.AlwaysEmpty, 1); len(all) == 1 && !strings.Contains(all[0].Text, "WhatsApp") {
			t.Errorf("no reason is told: %q", all[0].Text)
		}
	}
	r.once(h, notice.AlwaysEmpty, 1)
	sim, err := chat7sim.New(chat7sim.Options{Scenario: oneOperation(), Seed: 1, Now: r.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	r.sim, r.http.Config.Handler = sim, sim
	r.stands(24*time.Hour, notice.AlwaysEmpty, 0)
	r.stands(24*time.Hour, notice.AlwaysEmpty, 0)
	r.once(h, notice.AlwaysEmpty, 1)
}

// meddling is a transport that changes some answers.
func meddling(r *rig, change func(request *http.Request, body string) (status int, changed string)) {
	r.client = func(o *chat7.Options) {
		o.Transport = tamper(func(request *http.Request, next func() (*http.Response, error)) (*http.Response, error) {
			response, err := next()
			if err != nil {
				return response, err
			}
			body, err := io.ReadAll(response.Body)
			status, changed := change(request, string(body))
			if status != 0 {
				response.StatusCode = status
			}
			response.Body, response.ContentLength = io.NopCloser(bytes.NewReader([]byte(changed))), int64(len(changed))
			response.Header.Del("Content-Length")
			return response, err
		})
	}
}

// TestTokenUsedAtTheSameTime, until a day after.
func TestTokenUsedAtTheSameTime(t *testing.T) {
	r, h := noticing(t, oneOperation())
	var busy atomic.Bool
	meddling(r, func(_ *http.Request, body string) (int, string) {
		if busy.Swap(false) {
			return 403, `{"code":"403","error":"EXCEEDS THE LIMIT OF SIMULTANEOUS REQUESTS PER TOKEN (2)","msg":"","data":null}`
		}
		return 0, body
	})
	for range 2 {
		busy.Store(true)
		r.stands(3*time.Hour, notice.TokenShared, 1)
	}
	r.stands(20*time.Hour, notice.TokenShared, 1)
	r.stands(4*time.Hour, notice.TokenShared, 0)
	busy.Store(true)
	r.stands(time.Hour, notice.TokenShared, 1)
	r.once(h, notice.TokenShared, 1)
}

// TestTokenUsedElsewhere: the source counts calls that were not made here.
func TestTokenUsedElsewhere(t *testing.T) {
	r, h := noticing(t, oneOperation())
	r.quota = 0
	others := func() {
		for range 20 {
			request, _ := http.NewRequest(http.MethodGet, r.http.URL+"/api/v2/information.php?api=token_info", nil)
			request.Header.Set("wolkvox-token", "sim-ventas")
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
		}
	}
	r.stands(13*time.Hour, notice.TokenShared, 0)
	others()
	for range 2 {
		r.stands(7*time.Hour, notice.TokenShared, 1)
	}
	r.stands(24*time.Hour, notice.TokenShared, 0)
	r.once(h, notice.TokenShared, 1)
}

// TestClockOff, until it is set.
func TestClockOff(t *testing.T) {
	for _, off := range []time.Duration{2 * time.Minute, -2 * time.Minute, 20 * time.Second} {
		t.Run(off.String(), func(t *testing.T) {
			r, h := noticing(t, oneOperation())
			var ahead atomic.Int64
			sim, err := chat7sim.New(chat7sim.Options{
				Scenario: oneOperation(), Seed: 1, Now: func() time.Time { return r.clock.Now().Add(-time.Duration(ahead.Load())) },
			})
			if err != nil {
				t.Fatal(err)
			}
			r.sim, r.http.Config.Handler = sim, sim
			want := 1
			if off.Abs() < 30*time.Second {
				want = 0
			}
			ahead.Store(int64(off))
			for range 2 {
				r.stands(3*time.Hour, notice.ClockOff, want)
			}
			r.once(h, notice.ClockOff, want)
			ahead.Store(0)
			r.stands(time.Hour, notice.ClockOff, 0)
		})
	}
}

// TestCountsDoNotAddUp as doctor found, until it finds that they do.
func TestCountsDoNotAddUp(t *testing.T) {
	r, h := noticing(t, oneOperation())
	r.additive = new(bool)
	for range 2 {
		r.stands(time.Hour, notice.CountsDiffer, 1)
	}
	r.once(h, notice.CountsDiffer, 1)
	state, err := r.js.KeyValue(t.Context(), StateBucket)
	if err != nil {
		t.Fatal(err)
	}
	r.additive = yes()
	if err := doctor.Store(t.Context(), state, "ventas", doctor.Finding{Additive: yes()}); err != nil {
		t.Fatal(err)
	}
	r.stands(time.Hour, notice.CountsDiffer, 0)
}

// TestDayThatNeverAgrees, until it does.
func TestDayThatNeverAgrees(t *testing.T) {
	r, h := noticing(t, oneOperation())
	r.additive, r.ages = yes(), []time.Duration{time.Hour}
	var wrong atomic.Bool
	wrong.Store(true)
	meddling(r, func(request *http.Request, body string) (int, string) {
		q := request.URL.Query()
		if !wrong.Load() || q.Get("api") != "chat_7" || q.Get("date_ini")[:10] == q.Get("date_end")[:10] || q.Get("date_ini")[:8] != "20261110" {
			return 0, body
		}
		return 0, strings.Replace(body, `"data":[`, `"data":[{"interactions":"1","agent_name":"Nobody","cod_act":"0012"},`, 1)
	})
	r.stands(25*time.Hour+40*time.Minute, notice.CountsDiffer, 0) // compared twice
	all := r.stands(2*time.Hour, notice.CountsDiffer, 1)
	if len(all) == 1 && !strings.HasSuffix(all[0].Text, ": 2026-11-10") {
		t.Errorf("%q", all[0].Text)
	}
	r.stands(2*time.Hour, notice.CountsDiffer, 1)
	r.once(h, notice.CountsDiffer, 1)
	wrong.Store(false)
	r.stands(24*time.Hour, notice.CountsDiffer, 0)
}

// TestCodeNeverSeen, until the list has it.
func TestCodeNeverSeen(t *testing.T) {
	r, h := noticing(t, oneOperation())
	var used, listed atomic.Int64
	meddling(r, func(request *http.Request, body string) (int, string) {
		switch request.URL.Query().Get("api") {
		case "chat_7":
			for i := range used.Load() {
				body = strings.Replace(body, `"data":[`, fmt.Sprintf(`"data":[{"interactions":"1","agent_name":"Ana","cod_act":"NUEVO &amp; %d"},`, i), 1)
			}
			if used.Load() == 1 { // sentinels come later, and are no news either
				body = strings.NewReplacer(`"cod_act":""`, `"cod_act":"0012"`, `"cod_act":"-"`, `"cod_act":"0012"`).Replace(body)
			}
		case "activity_codes":
			for i := range listed.Load() {
				body = strings.Replace(body, `"data":[`, fmt.Sprintf(`"data":[{"cod_act":"NUEVO & %d"},`, i), 1)
			}
		}
		return 0, body
	})
	used.Store(1) // from the beginning: it is no news
	r.stands(30*time.Hour, notice.UnknownCode, 0)
	used.Store(3)
	for range 2 {
		all := r.stands(12*time.Hour, notice.UnknownCode, 1)
		if len(all) == 1 && !strings.HasSuffix(all[0].Text, ": NUEVO & 1, NUEVO & 2") {
			t.Errorf("%q", all[0].Text)
		}
	}
	r.once(h, notice.UnknownCode, 1)
	listed.Store(3)
	r.stands(25*time.Hour, notice.UnknownCode, 0)
	used.Store(4)
	r.stands(24*time.Hour, notice.UnknownCode, 1)
	r.stands(7*24*time.Hour, notice.UnknownCode, 0) // no news any more
}

// TestQuotaDoesNotLast, until there is more.
func TestQuotaDoesNotLast(t *testing.T) {
	r, h := noticing(t, oneOperation())
	r.quota = 47 // live polling takes 48
	for range 2 {
		r.stands(3*time.Hour, notice.QuotaShort, 1)
	}
	r.once(h, notice.QuotaShort, 1)
	r.quota = 100
	r.stands(time.Hour, notice.QuotaShort, 0)
}

// TestBackfillLeavesTheQuota: that background work spends all but what live
// polling needs is no shortage; that others do is one.
func TestBackfillLeavesTheQuota(t *testing.T) {
	r, _ := noticing(t, chat7sim.Scenario{Operations: []chat7sim.Operation{small(300)}})
	r.quota, r.window = 400, 5*time.Minute // live polling takes 288
	r.since -= 6
	r.stands(40*time.Hour, notice.QuotaShort, 0)

	r, h := noticing(t, chat7sim.Scenario{Operations: []chat7sim.Operation{small(300)}, Faults: chat7sim.Faults{UsedElsewhere: 800}})
	r.quota, r.window = 0, 5*time.Minute
	r.stands(20*time.Hour, notice.QuotaShort, 1)
	r.once(h, notice.QuotaShort, 1)
}
