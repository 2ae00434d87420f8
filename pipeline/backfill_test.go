package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"wolkpipe/pipeline/backfill"
	"wolkpipe/pipeline/chat7"
	"wolkpipe/pipeline/chat7/chat7sim"
	"wolkpipe/pipeline/journal"
	"wolkpipe/pipeline/window"
	"wolkpipe/schemas"
	"wolkpipe/sinks"
)

// with runs a fresh pipeline, does something with it at its start, lets it
// work until limit and stops it.
func (r *rig) with(limit time.Time, do func(p *Pipeline)) *Pipeline {
	r.t.Helper()
	p := r.pipeline()
	ctx, cancel := context.WithCancel(r.t.Context())
	defer cancel()
	done := make(chan error, 1)
	do(p)
	go func() { done <- p.Run(ctx) }()
	r.clock.until(r.t, limit)
	cancel()
	if err := <-done; err != nil {
		r.t.Fatal(err)
	}
	return p
}

func (r *rig) ask(p *Pipeline, operation string, from, to window.Date, grid string) backfill.Request {
	r.t.Helper()
	request, err := p.Backfill(r.t.Context(), backfill.Ask{Operation: operation, From: from.String(), To: to.String(), Window: grid})
	if err != nil {
		r.t.Fatal(err)
	}
	return request
}

func yes() *bool { b := true; return &b }

func calls(r *rig, operation string) int64 { return r.sim.Stats().Operations[operation].Total }

// TestBackfill fills two months beside live polling, by ranges, and compares
// them once.
func TestBackfill(t *testing.T) {
	r := newRig(t, chat7sim.Scenario{Operations: []chat7sim.Operation{
		{Name: "ventas", Timezone: "America/Bogota", InteractionsPerDay: 40, Licences: 20},
	}}, 1, noon)
	r.window, r.ages, r.additive = time.Hour, []time.Duration{time.Hour, 24 * time.Hour}, yes()
	r.since = window.DateOf(2026, 11, 10)
	from, to := window.DateOf(2026, 9, 20), window.DateOf(2026, 10, 20)
	var id string
	p := r.with(noon.Add(5*time.Hour), func(p *Pipeline) { id = r.ask(p, "ventas", from, to, "").ID() })
	request, ok := p.Asked(id)
	if !ok || request.State != backfill.Done {
		t.Errorf("the backfill is %+v: %+v", request, p.Status(t.Context()).Operations[0])
	}
	spent := calls(r, "ventas")
	t.Logf("%d calls for %d windows", spent, 31*24)
	for _, day := range []window.Date{from, to} {
		r.covered("ventas", p.pollers[0].Live.Zone, day)
	}
	r.settled(p, from, to)

	// Asked again, nothing is asked for, and it is done at once.
	p = r.with(noon.Add(5*time.Hour), func(p *Pipeline) { r.ask(p, "ventas", from, to, "") })
	if request, _ := p.Asked(id); request.State != backfill.Done {
		t.Errorf("asked again it is %+v", request)
	}
	if again := calls(r, "ventas") - spent; again > 1 {
		t.Errorf("asked again it took %d calls", again)
	}
}

// settled checks that days are told as settled by the journal, the events and
// the lake, and by the coverage that the pipeline tells.
func (r *rig) settled(p *Pipeline, from, to window.Date) {
	r.t.Helper()
	told, err := r.pipeline().Coverage(r.t.Context(), "ventas", from.String(), to.String())
	if err != nil {
		r.t.Fatal(err)
	}
	stream, err := r.js.Stream(r.t.Context(), schemas.EventsStream)
	if err != nil {
		r.t.Fatal(err)
	}
	for day := from; day <= to; day++ {
		folded, err := p.journal.Day(r.t.Context(), journal.Key{Operation: "ventas", Day: day})
		if err != nil {
			r.t.Fatal(err)
		}
		if folded.Compared == nil || !folded.Compared.Final {
			r.t.Errorf("%s is not settled: %+v", day, folded.Compared)
			continue
		}
		msg, err := stream.GetLastMsgForSubject(r.t.Context(), schemas.DaySubject("ventas", day.String()))
		if err != nil {
			r.t.Fatal(err)
		}
		var event schemas.Event[schemas.DayData]
		if err := json.Unmarshal(msg.Data, &event); err != nil || event.Data.State != schemas.Settled {
			r.t.Errorf("%s is told as %q: %v", day, event.Data.State, err)
		}
		lines, err := r.lake.Coverage(r.t.Context(), sinks.Key{Operation: "ventas", Day: day.String()})
		if err != nil {
			r.t.Fatal(err)
		}
		for _, line := range lines {
			if line.State != schemas.Settled {
				r.t.Errorf("the lake has %s %d as %q", day, line.WindowLocal, line.State)
				break
			}
		}
		if c := told.Days[day-from]; c.State != schemas.Settled || c.Missing > 0 || c.Observed != c.Expected || c.ComparedAt == nil ||
			c.Interactions != event.Data.Interactions || c.Rows != event.Data.RowCount {
			r.t.Errorf("the coverage of %s is %+v, the event's %+v", day, c, event.Data)
		}
	}
}

// small is an operation for tests of many days.
func small(perDay int) chat7sim.Operation {
	return chat7sim.Operation{Name: "ventas", Timezone: "America/Bogota", InteractionsPerDay: perDay, Licences: 1}
}

// TestBackfillWhileTheSourceChanges: closings are late, recoded and deleted, and
// answers empty for a while, as a quota of three days' calls is spent on a week.
// In the end everything is the truth, the quota was kept, and no live window
// was late.
func TestBackfillWhileTheSourceChanges(t *testing.T) {
	for seed := range uint64(3) {
		if seed > 0 && testing.Short() {
			break // the race detector is slow
		}
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, chat7sim.Scenario{Operations: []chat7sim.Operation{small(150)}, Faults: chat7sim.Faults{
				Late:        chat7sim.Lag{Rate: 0.03, Mean: 20 * time.Hour, Max: 35 * time.Hour},
				Recoded:     chat7sim.Lag{Rate: 0.03, Mean: 20 * time.Hour, Max: 35 * time.Hour},
				Deleted:     chat7sim.Lag{Rate: 0.02, Mean: 20 * time.Hour, Max: 35 * time.Hour},
				EmptySpells: chat7sim.Spells{Every: 5 * time.Hour, For: 7 * time.Minute},
				Shuffled:    true, RepeatedKeys: 0.2, SplitNames: 0.1, OddNames: 0.2, ServerErrors: 0.01,
			}}, seed, noon)
			r.window, r.additive, r.quota = 15*time.Minute, yes(), 500 // live polling takes 96
			r.ages = []time.Duration{time.Hour, 24 * time.Hour, 5 * 24 * time.Hour}
			r.since = window.DateOf(2026, 11, 10)
			from := window.DateOf(2026, 11, 2)
			var id string
			p := r.with(noon.Add(12*24*time.Hour), func(p *Pipeline) { id = r.ask(p, "ventas", from, r.since-1, "").ID() })
			if request, _ := p.Asked(id); request.State != backfill.Done {
				t.Errorf("the backfill is %+v: %+v", request, p.Status(t.Context()).Operations[0])
			}
			r.converge()
			r.since, r.grace = from, 6*24*time.Hour
			r.check(window.DateOf(2026, 11, 16))
			r.settled(p, from, window.DateOf(2026, 11, 16))
			for day, n := range r.sim.Stats().Operations["ventas"].Days {
				if n > 500 {
					t.Errorf("%d calls on %s, the quota is 500", n, day)
				}
			}
		})
	}
}

// TestBackfillWithoutAdditivity: where counts do not add up nothing is derived,
// and the result is what the windows themselves answer.
func TestBackfillWithoutAdditivity(t *testing.T) {
	r := newRig(t, chat7sim.Scenario{
		Operations: []chat7sim.Operation{small(100)}, Faults: chat7sim.Faults{Shared: 0.3},
	}, 1, noon)
	no := false
	r.window, r.additive, r.ages = time.Hour, &no, []time.Duration{time.Hour, 24 * time.Hour}
	r.since = window.DateOf(2026, 11, 10)
	from, to := window.DateOf(2026, 11, 1), window.DateOf(2026, 11, 7)
	var id string
	p := r.with(noon.Add(3*time.Hour), func(p *Pipeline) { id = r.ask(p, "ventas", from, to, "").ID() })
	if request, _ := p.Asked(id); request.State != backfill.Done {
		t.Errorf("the backfill is %+v", request)
	}
	r.converge()
	lake, different := r.lakeTable(), int64(0)
	zone := p.pollers[0].Live.Zone
	for day := from; day <= to; day++ {
		folded, err := p.journal.Day(t.Context(), journal.Key{Operation: "ventas", Day: day})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range folded.Windows {
			if o.Method == "derived" {
				t.Errorf("%s was derived", o.Local)
			}
		}
		for _, w := range zone.Windows(day, window.Grid(time.Hour)) {
			direct := r.told(w)
			for k, n := range direct {
				if lake[k] != n {
					t.Errorf("the lake has %d for %v, the source says %d", lake[k], k, n)
				}
			}
			for _, n := range direct {
				different += n
			}
		}
		for _, c := range r.sim.Truth("ventas", window.Range{From: day.Start(), To: day.End()}) {
			different -= c.Interactions
		}
	}
	if different == 0 {
		t.Error("counts added up: the test shows nothing")
	}
}

// told is what the source itself answers for a window.
func (r *rig) told(w window.Window) table {
	r.t.Helper()
	defer r.clock.alone()()
	answer, err := r.pipeline().pollers[0].Ask(r.t.Context(), w)
	if err != nil {
		r.t.Fatal(err)
	}
	all := table{}
	for _, row := range answer {
		all[[4]string{"ventas", w.From.String(), row.Agent, row.Code}] = row.Interactions
	}
	return all
}

// TestBackfillIsGoneOnWith stops the process at random moments of a backfill:
// the accepted request is gone on with until it is done.
func TestBackfillIsGoneOnWith(t *testing.T) {
	for seed := range uint64(5) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed, 2))
			r := newRig(t, chat7sim.Scenario{Operations: []chat7sim.Operation{small(100)}}, seed, noon)
			r.window, r.additive, r.ages = time.Hour, yes(), []time.Duration{time.Hour}
			r.since = window.DateOf(2026, 11, 10)
			from := window.DateOf(2026, 10, 28)
			var id string
			for i := range 2 + random.IntN(4) {
				p := r.pipeline()
				if i == 0 {
					id = r.ask(p, "ventas", from, r.since-1, "").ID()
				}
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { done <- p.Run(ctx) }()
				r.after(random.IntN(60))
				cancel()
				if err := <-done; err != nil {
					t.Fatal(err)
				}
			}
			p := r.with(noon.Add(30*time.Minute), func(*Pipeline) {}) // a call that was cut off holds the token for a minute
			if request, _ := p.Asked(id); request.State != backfill.Done {
				t.Errorf("the backfill is %+v", request)
			}
			r.since = from
			r.check(window.DateOf(2026, 11, 10))
		})
	}
}

// TestTwoProcessesBackfill lets two processes work on one operation at once,
// live, catching up and on one backfill: one token, no call beside another,
// nothing told twice.
func TestTwoProcessesBackfill(t *testing.T) {
	r := newRig(t, chat7sim.Scenario{Operations: []chat7sim.Operation{small(100)}}, 3, noon)
	r.window, r.additive, r.ages = time.Hour, yes(), []time.Duration{time.Hour}
	r.since = window.DateOf(2026, 11, 9)
	r.clock.workers = 2
	from := window.DateOf(2026, 10, 30)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 2)
	var id string
	for _, owner := range []string{"one", "two"} {
		r.owner = owner
		p := r.pipeline()
		id = r.ask(p, "ventas", from, r.since-1, "").ID()
		go func() { done <- p.Run(ctx) }()
	}
	r.clock.until(t, noon.Add(5*time.Hour))
	cancel()
	for range 2 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if request, _ := r.pipeline().Asked(id); request.State != backfill.Done {
		t.Errorf("the backfill is %+v", request)
	}
	r.since = from
	r.check(window.DateOf(2026, 11, 10))
	for token, s := range r.sim.Stats().Tokens {
		if s.Overlaps > 0 {
			t.Errorf("%d calls overlapped on %s", s.Overlaps, token)
		}
	}
}

// TestBackfillBehindOneThatRests: of two backfills the first waits for a window
// that keeps failing; the second goes on meanwhile, and asks nothing twice.
func TestBackfillBehindOneThatRests(t *testing.T) {
	r := newRig(t, chat7sim.Scenario{Operations: []chat7sim.Operation{small(60)}}, 2, noon)
	r.window, r.additive = time.Hour, yes()
	r.since = window.DateOf(2026, 11, 10)
	broken := window.DateOf(2026, 8, 5) // asked at the same time, the earlier goes first
	r.client = func(o *chat7.Options) { o.Transport = failing(broken.Start() + 10*3600) }
	var first, second string
	p := r.with(noon.Add(6*time.Hour), func(p *Pipeline) {
		first = r.ask(p, "ventas", broken, broken, "").ID()
		second = r.ask(p, "ventas", window.DateOf(2026, 9, 1), window.DateOf(2026, 9, 30), "").ID()
	})
	if request, _ := p.Asked(first); request.State != backfill.Active {
		t.Errorf("the first is %s: its window never failed", request.State)
	}
	if request, _ := p.Asked(second); request.State != backfill.Done {
		t.Errorf("the second is %s", request.State)
	}
	if n := calls(r, "ventas"); n > 800 { // 720 windows
		t.Errorf("%d calls were made", n)
	}
	r.client = nil
	p = r.with(noon.Add(9*time.Hour), func(*Pipeline) {})
	if request, _ := p.Asked(first); request.State != backfill.Done {
		t.Errorf("once its window is answered, the first is %s", request.State)
	}
}

// failing is a transport on which no range is answered that holds a second.
type failing window.Local

// RoundTrip implements [http.RoundTripper].
func (f failing) RoundTrip(request *http.Request) (*http.Response, error) {
	q := request.URL.Query()
	from, err1 := window.ParseCompact(q.Get("date_ini"))
	to, err2 := window.ParseCompact(q.Get("date_end"))
	if err1 == nil && err2 == nil && from <= window.Local(f) && window.Local(f) <= to {
		return nil, errors.New("no answer about this hour")
	}
	return http.DefaultTransport.RoundTrip(request)
}
