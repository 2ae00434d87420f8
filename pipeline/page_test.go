package pipeline

import (
	"context"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"wolkpipe/pipeline/chat7/chat7sim"
	"wolkpipe/pipeline/status"
	"wolkpipe/pipeline/window"
	"wolkpipe/schemas"
)

// paged is a rig that polled for a week, corrections and rejected rows
// included, and a backfill that the quota has held up.
func paged(t *testing.T) (*rig, *Pipeline) {
	operation := small(120)
	operation.Licences = 8
	r := newRig(t, chat7sim.Scenario{Operations: []chat7sim.Operation{operation}, Faults: chat7sim.Faults{
		Recoded: chat7sim.Lag{Rate: 0.05, Mean: 10 * time.Hour, Max: 30 * time.Hour}, JunkRows: 0.02, DuplicateRows: 0.05,
	}}, 3, noon)
	r.window, r.additive, r.quota = time.Hour, yes(), 300
	r.ages = []time.Duration{time.Hour, 24 * time.Hour, 48 * time.Hour}
	r.since = window.DateOf(2026, 11, 4)
	p := r.with(noon.Add(50*time.Hour), func(p *Pipeline) {
		r.ask(p, "ventas", window.DateOf(2026, 8, 1), window.DateOf(2026, 10, 20), "")
	})
	r.converge()
	return r, p
}

// TestPage: what the status page is given from memory is what the journal says
// day by day, and a day's windows are what the sinks are given of it.
func TestPage(t *testing.T) {
	r, p := paged(t)
	ctx := t.Context()
	page := NewPage(p)
	o, err := page.Operation(ctx, "ventas", "2026-07-01", "2026-11-30")
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]status.Day{}
	for _, d := range o.Days {
		told[d.Day] = d
	}
	seen := map[string]int{}
	for date := window.DateOf(2026, 7, 1); date <= window.DateOf(2026, 11, 30); date++ {
		day := date.String()
		d, known := told[day]
		wanted := date >= r.since && date <= r.last() || date >= window.DateOf(2026, 8, 1) && date <= window.DateOf(2026, 10, 20)
		content, err := page.Day(ctx, "ventas", day)
		if known != wanted || errors.Is(err, status.ErrUnknown) != !wanted {
			t.Errorf("%s: known %t, wanted %t, its windows: %v", day, known, wanted, err)
		}
		if !wanted {
			continue
		}
		want, err := p.Coverage(ctx, "ventas", day, day)
		if err != nil {
			t.Fatal(err)
		}
		w := want.Days[0]
		due, observed, rows, rejected := 0, 0, int64(0), int64(0)
		for _, line := range content.Windows {
			if line.Due {
				due++
			}
			if line.Observed {
				observed++
				rows, rejected = rows+line.Rows, rejected+line.Rejected
			}
		}
		if d.Due != due || d.Missing != w.Missing || d.Corrected != w.Corrected || d.Settled != (w.State == schemas.Settled) ||
			d.Recorded != (w.Observed > 0) || d.Rejected != r.inQuarantine(date) || d.Filling != (date < r.since) {
			t.Errorf("%s is %+v, the journal has %+v", day, d, w)
		}
		if len(content.Windows) != w.Expected || observed != w.Observed || rows != w.Rows || rejected != w.Rejected ||
			content.Settled != d.Settled || content.ComparedAt.IsZero() != (w.ComparedAt == nil) {
			t.Errorf("%s holds %d windows of %d, %d rows, %d rejected: the journal has %+v", day, observed, len(content.Windows), rows, rejected, w)
		}
		seen[d.State()]++
		if d.Corrected > 0 {
			seen["corrected"]++
		}
		if d.Rejected > 0 {
			seen["rejected"]++
		}
	}
	for _, what := range []string{"settled", "provisional", "being filled", "corrected", "rejected"} {
		if seen[what] == 0 {
			t.Errorf("no day was %s: the test shows less than it should: %v", what, seen)
		}
	}
	s := p.Status(ctx).Operations[0]
	tellsDays(t, p, o, s.Days)
	if o.Missing != s.Missing || o.Due != s.Due || o.LastWindow != s.LastWindow || o.First != "2026-08-01" || o.Since != "2026-11-04" ||
		o.Quarantined != int64(s.Quarantined) || o.Quota.Limit != 300 || o.Quota.Left != *s.QuotaLeft || len(o.Backfills) != 1 {
		t.Errorf("%+v\nthe status is %+v", o, s)
	}
	if o.Late() {
		t.Errorf("late by %s", o.Lag())
	}
	r.clock.jump(7 * time.Hour)
	i := NewPage(p).Installation(ctx)
	if o := i.Operations[0]; !o.Late() || o.Lacking() < 6 || len(i.Sinks) != 3 || i.NATS != "connected" {
		t.Errorf("after seven hours without polling: %+v", o)
	}
}

// tellsDays checks what the status tells of single days.
func tellsDays(t *testing.T, p *Pipeline, o status.Operation, days []DayStatus) {
	t.Helper()
	told := map[string]DayStatus{}
	for _, d := range days {
		told[d.Day] = d
	}
	for _, d := range o.Days {
		want := DayStatus{Day: d.Day, Missing: d.Missing, Corrected: d.Corrected, Quarantined: d.Rejected}
		if d.Filling {
			want.Missing = 0
		}
		have := told[d.Day]
		have.State = ""
		if want.Missing+want.Corrected+want.Quarantined == 0 {
			want = DayStatus{}
		}
		if have != want {
			t.Errorf("the status tells of %s %+v, want %+v", d.Day, have, want)
		}
	}
	var text strings.Builder
	p.Status(t.Context()).Write(&text)
	for _, d := range days[max(0, len(days)-mostTold):] {
		line := regexp.MustCompile(fmt.Sprintf(`(?m)^%s +ventas +\S+ +%d +%d +%d$`, d.Day, d.Missing, d.Corrected, d.Quarantined))
		if !line.MatchString(text.String()) {
			t.Errorf("the status does not print %+v:\n%s", d, text.String())
		}
	}
}

// inQuarantine counts the messages of a day.
func (r *rig) inQuarantine(date window.Date) int {
	r.t.Helper()
	stream, err := r.js.Stream(r.t.Context(), schemas.QuarantineStream)
	if err != nil {
		r.t.Fatal(err)
	}
	subject := schemas.QuarantineSubject("ventas", date.String())
	info, err := stream.Info(r.t.Context(), jetstream.WithSubjectFilter(subject))
	if err != nil {
		r.t.Fatal(err)
	}
	return int(info.State.Subjects[subject])
}

// TestPageNamesNoAgent: the pages of a real pipeline, every day's included, hold
// no agent's name; also where NATS is away they are there.
func TestPageNamesNoAgent(t *testing.T) {
	r, p := paged(t)
	page := NewPage(p)
	h := status.Handler(status.Options{
		Alive: p.Alive, Ready: p.Ready, Gatherer: prometheus.NewRegistry(), Log: r.log,
		Coverage:     func(context.Context, string, string, string) (any, int, error) { return nil, 0, nil },
		Installation: func(ctx context.Context) status.Installation { return page.Installation(ctx) },
		Operation:    page.Operation, Day: page.Day,
	})
	var served strings.Builder
	get := func(path string) int {
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), "GET", path, nil))
		served.Write(answer.Body.Bytes())
		return answer.Code
	}
	agents := map[string]bool{}
	zone := p.pollers[0].Live.Zone
	for date := r.since; date <= r.last(); date++ {
		if code := get("/operations/ventas/days/" + date.String()); code != http.StatusOK {
			t.Errorf("%s: %d", date, code)
		}
		for _, w := range zone.Windows(date, p.pollers[0].Live.Grid) {
			for _, c := range r.sim.Truth("ventas", w.Range) {
				if c.Agent != "" {
					agents[c.Agent] = true
				}
			}
		}
	}
	for _, path := range []string{"/", "/operations/ventas", "/operations/ventas?year=2026", "/operations/ventas?month=2026-11"} {
		if code := get(path); code != http.StatusOK {
			t.Errorf("%s: %d", path, code)
		}
	}
	if len(agents) < 3 {
		t.Fatalf("%d agents: the test shows nothing", len(agents))
	}
	text := html.UnescapeString(served.String())
	for agent := range agents {
		if strings.Contains(text, agent) {
			t.Errorf("the agent %s is named", agent)
		}
	}

	r.nats.Close()
	page = NewPage(p) // the other one may tell what it knew a moment ago
	if code := get("/"); code != http.StatusOK || !strings.Contains(served.String(), "NATS closed") {
		t.Errorf("without NATS: %d", code)
	}
	if code := get("/operations/ventas"); code != http.StatusOK {
		t.Errorf("an operation without NATS: %d", code)
	}
}
