package chat7sim_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"wolkpipe/pipeline/chat7/chat7sim"
	"wolkpipe/pipeline/window"
)

func TestTruthOverHTTP(t *testing.T) {
	c := at("2026-11-10T16:00:00Z") // eleven in Bogotá
	sim := newSim(t, chat7sim.Scenarios()["late"], 1, c)
	r := span(t, "2026-11-10T10:00:00", "2026-11-10T12:00:00")
	for final, want := range map[string][]chat7sim.Count{"": sim.Truth("ventas", r), "&final=1": sim.Final("ventas", r)} {
		a := get(sim, "/truth?operation=ventas&date_ini=20261110100000&date_end=20261110115959"+final, "")
		var got struct {
			Operation    string
			Timezone     string
			DateEnd      string `json:"date_end"`
			Bounds       string
			Final        bool
			Interactions int64
			Rows         []chat7sim.Count
		}
		if err := json.Unmarshal([]byte(a.body), &got); err != nil {
			t.Fatal(err)
		}
		if !same(got.Rows, want) || got.Interactions != sum(want) || got.Final != (final != "") || got.Timezone != "America/Bogota" ||
			got.DateEnd != "20261110115959" || got.Bounds != "both seconds included" {
			t.Errorf("%+v, want %v", got, want)
		}
	}
	if same(sim.Truth("ventas", r), sim.Final("ventas", r)) {
		t.Error("now and in the end are the same")
	}
	for _, bad := range []string{"/truth?operation=none&date_ini=20261110100000&date_end=20261110115959", "/truth?date_ini=20261110100000&date_end=20261110115959",
		"/truth?operation=ventas&date_ini=x&date_end=20261110115959", "/truth?operation=ventas&date_ini=20261110100000"} {
		if a := get(sim, bad, ""); a.status != 400 {
			t.Errorf("%s: HTTP %d", bad, a.status)
		}
	}
	if a := get(newSim(t, only(400, chat7sim.Faults{}), 1, c), "/truth?date_ini=20261110100000&date_end=20261110115959", ""); a.status != 200 {
		t.Errorf("the only operation must be named: %s", a.body)
	}
	// It costs nothing.
	if n := sim.Stats().Operations["ventas"].Total; n != 0 {
		t.Errorf("%d calls", n)
	}
	defer func() {
		if recover() == nil {
			t.Error("Truth answers for an operation that is not there")
		}
	}()
	sim.Truth("none", r)
}

func TestStatsAndIndex(t *testing.T) {
	sim := newSim(t, chat7sim.Scenario{}, 1, at("2026-11-12T15:00:00Z"))
	rows := mustDecode(t, get(sim, report, "sim-ventas")).rows
	get(sim, tokenInfo, "sim-soporte")
	var st chat7sim.Stats
	if err := json.Unmarshal([]byte(get(sim, "/stats", "").body), &st); err != nil {
		t.Fatal(err)
	}
	o := st.Operations["ventas"]
	if o.Calls["chat_7"]["ok"] != 1 || o.Rows != int64(rows) || rows == 0 || o.Quota != 1000 || o.QuotaSpent["2026-11-12"] != 1 || o.Results()["ok"] != 1 ||
		st.Operations["soporte"].Calls["token_info"]["ok"] != 1 || st.Tokens["sim-ventas"].MaxInFlight != 1 {
		t.Errorf("%+v", st)
	}
	for _, m := range []map[string]int64{sim.Stats().Operations["ventas"].Days, sim.Stats().Operations["ventas"].QuotaSpent, sim.Stats().Operations["ventas"].Faults, sim.Stats().Strangers} {
		m["scribble"] = 1
	}
	sim.Stats().Operations["ventas"].Calls["chat_7"]["scribble"] = 1
	if after := get(sim, "/stats", "").body; strings.Contains(after, "scribble") {
		t.Errorf("Stats gives its own maps away: %s", after)
	}
	index := get(sim, "/", "").body
	for _, want := range []string{"simulator", "soporte", "America/Santiago", "sim-ventas", "/truth", "last second included"} {
		if !strings.Contains(index, want) {
			t.Errorf("the index does not say %q:\n%s", want, index)
		}
	}
	if a := get(sim, "/nowhere", ""); a.status != 404 {
		t.Errorf("nowhere: HTTP %d", a.status)
	}
}

// Run under the race detector: everything at once, and the counters add up.
func TestManyAtOnce(t *testing.T) {
	c := at("2026-11-12T15:00:00Z")
	sc := chat7sim.Scenario{Faults: chat7sim.Faults{MaxInFlight: 100, OddNames: 0.5, Late: chat7sim.Lag{Rate: 0.1, Mean: 3600e9}, Shuffled: true, Busy: 0.1}}
	sim := newSim(t, sc, 1, c)
	days := halfHours(t, "2026-11-10")
	want := newSim(t, sc, 1, c)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			token, name := "sim-ventas", "ventas"
			if i%2 == 0 {
				token, name = "sim-soporte", "soporte"
			}
			for j, r := range days {
				back := window.Local(j % 5 * 24 * 3600)
				r = window.Range{From: r.From - back, To: r.To - back}
				for d, err := decode(ask(sim, token, r)); ; d, err = decode(ask(sim, token, r)) {
					if err == nil {
						if !same(d.counts, want.Truth(name, r)) {
							t.Errorf("%s %v is not the truth", name, r)
						}
						break
					}
				}
				sim.Stats()
			}
		})
	}
	wg.Wait()
	st := sim.Stats()
	for name, o := range st.Operations {
		n := int64(0)
		for _, k := range o.Results() {
			n += k
		}
		if n != o.Total || n != st.Tokens["sim-"+name].Calls || o.Results()[chat7sim.OK]+o.Results()[chat7sim.Empty] != 4*48 || o.QuotaSpent["2026-11-12"] != n {
			t.Errorf("%s: %+v", name, o)
		}
	}
}

func BenchmarkDenseWindow(b *testing.B) {
	sc, err := chat7sim.LoadScenario("testdata/dense.yaml")
	if err != nil {
		b.Fatal(err)
	}
	sim := newSim(b, sc, 1, at("2026-11-12T15:00:00Z"))
	r := span(b, "2026-11-10T00:00:00", "2026-11-10T00:05:00")
	rows := 0
	ask(sim, "sim-masiva", r)
	for b.Loop() {
		r = window.Range{From: r.From, To: r.From + 300}
		a := ask(sim, "sim-masiva", r)
		rows += strings.Count(a.body, "interactions")
		if r.From += 300; r.From >= r.From.Date().End()-300 {
			r.From = r.From.Date().Start()
		}
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkDenseDay(b *testing.B) {
	sc, err := chat7sim.LoadScenario("testdata/dense.yaml")
	if err != nil {
		b.Fatal(err)
	}
	d, _ := window.ParseDate("2026-11-01")
	for b.Loop() {
		sim := newSim(b, sc, 1, at("2026-11-12T15:00:00Z"))
		if n := sum(sim.Truth("masiva", window.Range{From: d.Start(), To: d.End()})); n != 1_000_000 {
			b.Fatal(n)
		}
	}
}
