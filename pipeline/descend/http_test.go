package descend

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"wolkpipe/pipeline/chat7"
	"wolkpipe/pipeline/chat7/chat7sim"
	"wolkpipe/pipeline/transform"
	"wolkpipe/pipeline/window"
)

// served is a simulator behind its real client.
type served struct {
	t      *testing.T
	sim    *chat7sim.Sim
	client *chat7.Client
	now    time.Time
	calls  int
}

func serve(t *testing.T, faults chat7sim.Faults, rowCap int) *served {
	t.Helper()
	s := &served{t: t, now: time.Date(2028, 1, 1, 12, 0, 0, 0, time.UTC)} // all that is late has come
	var err error
	s.sim, err = chat7sim.New(chat7sim.Options{Seed: 3, Now: func() time.Time { return s.now },
		Scenario: chat7sim.Scenario{Faults: faults, Operations: []chat7sim.Operation{
			{Name: "ventas", Timezone: "America/Bogota", InteractionsPerDay: 150, Licences: -1, Tokens: []string{"t"}}}}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s.sim)
	t.Cleanup(server.Close)
	s.client, err = chat7.New(chat7.Options{BaseURL: server.URL, RowCap: rowCap, Token: func(context.Context) (string, error) { return "t", nil }})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ask asks until there is an answer, or the range is too much.
func (s *served) ask(r window.Range) (Answer, bool) {
	for {
		s.calls++
		s.now = s.now.Add(7 * time.Second)
		got, err := s.client.Rows(s.t.Context(), r)
		if err == nil {
			return s.prepare(got.Rows), true
		}
		var failure *chat7.Error
		if !errors.As(err, &failure) {
			s.t.Fatal(err)
		}
		switch failure.Kind {
		case chat7.Truncated:
			return Answer{}, false
		case chat7.BadToken, chat7.Quota, chat7.Permanent:
			s.t.Fatal(err)
		}
	}
}

// prepare reads rows as a driver of a descent has to.
func (s *served) prepare(rows []json.RawMessage) Answer {
	a := Answer{Rows: rows, Counts: map[Key]int64{}, Usable: true}
	for _, raw := range rows {
		one := transform.Window([]json.RawMessage{raw}, transform.Options{})
		var row struct {
			Agent string `json:"agent_name"`
			Code  string `json:"cod_act"`
		}
		if len(one.Rejects) > 0 || json.Unmarshal(raw, &row) != nil {
			a.Usable = false
			continue
		}
		k := Key{row.Agent, row.Code}
		if _, twice := a.Counts[k]; twice {
			a.Usable = false
		}
		var n int64
		for _, r := range one.Rows {
			n = r.Interactions
		}
		a.Counts[k] = n
		a.Total += n
	}
	return a
}

// TestOverHTTP: each fault of the simulator, through the real client and
// transform, against its truth.
func TestOverHTTP(t *testing.T) {
	everything := chat7sim.Scenarios()["everything"].Faults
	everything.EmptySpells, everything.EmptyAfterEnd = chat7sim.Spells{}, chat7sim.Timed{}
	everything.Latency, everything.Slow = chat7sim.Latency{}, chat7sim.Timed{}
	for _, c := range []struct {
		name   string
		faults chat7sim.Faults
		cap    int
		refuse bool // to derive
		lies   bool // empty for a while
	}{
		{name: "friendly"},
		{name: "everything", faults: everything},
		{name: "junk", faults: chat7sim.Faults{JunkRows: 0.03}},
		{name: "zero", faults: chat7sim.Faults{ZeroRows: 0.2}},
		{name: "repeated keys", faults: chat7sim.Faults{RepeatedKeys: 0.5}},
		{name: "duplicate rows", faults: chat7sim.Faults{DuplicateRows: 0.2}},
		{name: "odd names", faults: chat7sim.Faults{OddNames: 0.7, SplitNames: 0.3, Shuffled: true, NoDescription: 0.5}},
		{name: "row cap", cap: 25},
		{name: "shared", faults: chat7sim.Faults{Shared: 0.2}, refuse: true},
		{name: "empty spells", faults: chat7sim.Faults{EmptySpells: chat7sim.Spells{Every: 10 * time.Minute, For: time.Minute}}, lies: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, c.faults, c.cap)
			windows := windowsOf(t, "America/Bogota", monday+4, 3, 15*time.Minute) // Friday to Sunday
			out := drive(t, windows, Options{Derive: !c.refuse}, s.ask)
			differ := s.compare(out, windows, c.lies, c.refuse)
			stats := s.sim.Stats().Operations["ventas"]
			t.Logf("%d questions, %d calls, %d windows: %s; %d falsely empty; %+v", out.calls, s.calls, len(windows), out.methods(), differ, out.stats)
			if c.lies && stats.Results()[chat7sim.FalseEmpty] == 0 {
				t.Error("no answer was falsely empty")
			}
		})
	}
}

// compare holds every window to the truth, and gives the number of those that
// are empty against it, which is an error unless the source has lied.
func (s *served) compare(out outcome, windows []window.Window, lies, direct bool) (differ int) {
	s.t.Helper()
	for _, w := range windows {
		res := out.windows[w.From]
		got := transform.Window(res.Rows, transform.Options{})
		want := s.sim.Truth("ventas", w.Range)
		if direct { // the answer to the window itself is all there is to compare with
			a, _ := s.ask(w.Range)
			want = nil
			for _, r := range transform.Window(a.Rows, transform.Options{}).Rows {
				want = append(want, chat7sim.Count{Agent: r.Agent, Code: r.Code, Interactions: r.Interactions})
			}
		}
		var have []chat7sim.Count
		for _, r := range got.Rows {
			have = append(have, chat7sim.Count{Agent: r.Agent, Code: r.Code, Interactions: r.Interactions})
		}
		if fmt.Sprint(have) == fmt.Sprint(want) {
			continue
		}
		if differ++; !lies || res.Method != Empty {
			s.t.Fatalf("window %v by %s is %v, want %v", w.Range, res.Method, have, want)
		}
	}
	return differ
}
