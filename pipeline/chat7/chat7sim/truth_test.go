package chat7sim_test

import (
	"maps"
	"testing"
	"time"

	"pgregory.net/rapid"

	"wolkpipe/pipeline/chat7/chat7sim"
	"wolkpipe/pipeline/window"
)

// zonesWithTrouble have, on the day, an hour skipped or repeated, a midnight
// that is not there, or nothing at all.
var zonesWithTrouble = []struct{ zone, day string }{
	{"America/Bogota", "2026-11-10"},
	{"America/Santiago", "2026-09-06"}, // skips its midnight
	{"America/Santiago", "2026-04-04"}, // repeats 23:00
	{"Asia/Beirut", "2026-03-29"},      // skips its midnight
	{"America/New_York", "2026-11-01"}, // repeats 01:00
	{"America/New_York", "2026-03-08"}, // skips 02:00
	{"Australia/Lord_Howe", "2026-04-05"},
	{"Pacific/Apia", "2011-12-30"}, // was skipped whole
}

func steady(zone string, f chat7sim.Faults) chat7sim.Scenario {
	return chat7sim.Scenario{Operations: []chat7sim.Operation{
		{Name: "ventas", Timezone: zone, InteractionsPerDay: 2000, Steady: true, Licences: -1, Faults: &f}}}
}

func add(to map[[2]string]int64, counts []chat7sim.Count) {
	for _, c := range counts {
		to[[2]string{c.Agent, c.Code}] += c.Interactions
	}
}

func TestTruthAddsUpOverAnySplit(t *testing.T) {
	f := chat7sim.Faults{
		Late: chat7sim.Lag{Rate: 0.2, Mean: time.Hour}, Recoded: chat7sim.Lag{Rate: 0.2, Mean: time.Hour},
		Deleted: chat7sim.Lag{Rate: 0.2, Mean: time.Hour}, OddNames: 0.5, SplitNames: 0.5, JunkRows: 0.1,
	}
	rapid.Check(t, func(t *rapid.T) {
		z := rapid.SampledFrom(zonesWithTrouble).Draw(t, "zone")
		d, err := window.ParseDate(z.day)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Unix(int64(d.Start())+rapid.Int64Range(0, 3*24*3600).Draw(t, "now"), 0)
		sim, err := chat7sim.New(chat7sim.Options{Scenario: steady(z.zone, f), Seed: rapid.Uint64().Draw(t, "seed"), Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		second := rapid.Int64Range(-36*3600, 60*3600)
		r := window.Range{From: d.Start() + window.Local(second.Draw(t, "from")), To: d.Start() + window.Local(second.Draw(t, "to"))}
		for name, read := range map[string]func(string, window.Range) []chat7sim.Count{"truth": sim.Truth, "final": sim.Final} {
			whole, parts := map[[2]string]int64{}, map[[2]string]int64{}
			add(whole, read("ventas", r))
			for from := r.From; from < r.To; {
				to := min(r.To, from+window.Local(rapid.Int64Range(1, 20*3600).Draw(t, "step")))
				add(parts, read("ventas", window.Range{From: from, To: to}))
				from = to
			}
			if !maps.Equal(whole, parts) {
				t.Fatalf("%s of %v in %s is %v, its parts make %v", name, r, z.zone, whole, parts)
			}
		}
	})
}

func TestTruthIsDecidedByTheSeed(t *testing.T) {
	c := at("2026-11-12T03:00:00Z")
	day := span(t, "2026-11-10T00:00:00", "2026-11-11T00:00:00")
	one, again, other := newSim(t, chat7sim.Scenario{}, 7, c), newSim(t, chat7sim.Scenario{}, 7, c), newSim(t, chat7sim.Scenario{}, 8, c)
	// Another order of questions: nothing may depend on it.
	again.Truth("soporte", span(t, "2026-11-01T00:00:00", "2026-11-12T00:00:00"))
	if !same(one.Truth("ventas", day), again.Truth("ventas", day)) {
		t.Error("one seed, two truths")
	}
	if same(one.Truth("ventas", day), other.Truth("ventas", day)) {
		t.Error("two seeds, one truth")
	}
	if same(one.Truth("ventas", day), one.Truth("soporte", day)) {
		t.Error("two operations, one truth")
	}
	if n := sum(one.Truth("ventas", day)); n < 300 || n > 500 {
		t.Errorf("%d interactions on a working day of about 400", n)
	}
	if a, b := ask(one, "sim-ventas", day), ask(again, "sim-ventas", day); a.body != b.body {
		t.Error("one seed, two answers")
	}
}

// What people do does not depend on what goes wrong with telling it.
func TestFaultsDoNotChangeWhatHappened(t *testing.T) {
	c := at("2026-11-14T03:00:00Z")
	r := span(t, "2026-11-10T00:00:00", "2026-11-12T00:00:00")
	f := chat7sim.Scenarios()["everything"].Faults
	f.Recoded, f.Deleted = chat7sim.Lag{}, chat7sim.Lag{}
	friendly, spoilt := newSim(t, only(2000, chat7sim.Faults{}), 3, c), newSim(t, only(2000, f), 3, c)
	if !same(friendly.Final("ventas", r), spoilt.Final("ventas", r)) {
		t.Error("the same seed has another truth under faults")
	}
	if same(friendly.Final("ventas", r), newSim(t, only(2000, chat7sim.Faults{Recoded: chat7sim.Lag{Rate: 0.3, Mean: time.Hour}}), 3, c).Final("ventas", r)) {
		t.Error("recoding changed nothing")
	}
}

func TestRepeatedHourHoldsBothPasses(t *testing.T) {
	// 01:00 to 02:00 is shown from 05:00Z to 06:00Z and from 06:00Z to 07:00Z.
	c := at("2026-11-01T06:00:00Z")
	c.add(-time.Second)
	sim := newSim(t, steady("America/New_York", chat7sim.Faults{}), 1, c)
	hour := span(t, "2026-11-01T01:00:00", "2026-11-01T02:00:00")
	before := span(t, "2026-11-01T00:00:00", "2026-11-01T01:00:00")
	first := sum(sim.Truth("ventas", hour))
	c.add(time.Hour)
	both := sum(sim.Truth("ventas", hour))
	if plain := sum(sim.Truth("ventas", before)); first < plain/2 || both < 3*plain/2 {
		t.Errorf("an hour before has %d, the first pass %d, both %d", plain, first, both)
	}
	if final := sum(sim.Final("ventas", hour)); both != final {
		t.Errorf("both passes have %d, in the end there are %d", both, final)
	}
}

func TestSkippedTimeHoldsNothing(t *testing.T) {
	c := at("2027-01-01T00:00:00Z")
	for _, z := range []struct{ zone, from, to string }{
		{"America/New_York", "2026-03-08T02:00:00", "2026-03-08T03:00:00"},
		{"America/Santiago", "2026-09-06T00:00:00", "2026-09-06T01:00:00"},
		{"Pacific/Apia", "2011-12-30T00:00:00", "2011-12-31T00:00:00"},
	} {
		sim := newSim(t, steady(z.zone, chat7sim.Faults{}), 1, c)
		if n := sum(sim.Final("ventas", span(t, z.from, z.to))); n != 0 {
			t.Errorf("%s has %d interactions in an hour that was not", z.zone, n)
		}
		after := span(t, z.to, z.to)
		after.To += 3600
		if n := sum(sim.Final("ventas", after)); n == 0 {
			t.Errorf("%s has none in the hour after", z.zone)
		}
	}
}

// The simulator maps instants to the clock by itself; package window, which
// the pipeline uses, must see the same.
func TestVisibleExactlyWhenTheWindowIsOver(t *testing.T) {
	for _, z := range zonesWithTrouble {
		zone, err := window.LoadZone(z.zone)
		if err != nil {
			t.Fatal(err)
		}
		d, _ := window.ParseDate(z.day)
		c := &clock{}
		sim := newSim(t, steady(z.zone, chat7sim.Faults{}), 5, c)
		for _, w := range zone.Windows(d, window.Grid(30*time.Minute)) {
			c.t = w.End.Add(-time.Nanosecond)
			if got, want := sim.Truth("ventas", w.Range), sim.Final("ventas", w.Range); !same(got, want) {
				t.Errorf("%s: %v has %d of %d when it is over", z.zone, w.Range, sum(got), sum(want))
			}
			c.t = w.Start.Add(-time.Nanosecond)
			if got := sim.Truth("ventas", w.Range); len(got) != 0 {
				t.Errorf("%s: %v has %d before it began", z.zone, w.Range, sum(got))
			}
		}
	}
}

func TestShapeOfTime(t *testing.T) {
	c := at("2027-01-01T00:00:00Z")
	sim := newSim(t, only(5000, chat7sim.Faults{}), 1, c)
	count := func(from, to string) int64 { return sum(sim.Truth("ventas", span(t, from, to))) }
	workday := count("2026-11-10T00:00:00", "2026-11-11T00:00:00")
	for name, quiet := range map[string]int64{
		"a Sunday":   count("2026-11-15T00:00:00", "2026-11-16T00:00:00") * 4,
		"a Saturday": count("2026-11-14T00:00:00", "2026-11-15T00:00:00") * 3 / 2,
		"Christmas":  count("2026-12-25T00:00:00", "2026-12-26T00:00:00") * 4,
		"lunch":      count("2026-11-10T12:30:00", "2026-11-10T13:30:00") * 20,
		"the night":  count("2026-11-10T00:00:00", "2026-11-10T08:00:00") * 20,
	} {
		if quiet == 0 || quiet >= workday {
			t.Errorf("%s is not quiet: %d, weighed against a working day's %d", name, quiet, workday)
		}
	}
	codes := map[string]int64{}
	agents := map[string]bool{}
	for _, c := range sim.Truth("ventas", span(t, "2026-11-01T00:00:00", "2026-12-01T00:00:00")) {
		codes[c.Code] += c.Interactions
		agents[c.Agent] = true
	}
	for _, code := range []string{"", "-", "TIMEOUTCHAT", "TIMEOUTACW", "AGENT-INITIATED", "0012", "12", "Acuerdo_de_Pago", "ACUERDO_DE_PAGO", "Solución en línea"} {
		if codes[code] == 0 {
			t.Errorf("no interaction with code %q", code)
		}
		if code != "TIMEOUTCHAT" && codes[code]*3 > codes["TIMEOUTCHAT"] {
			t.Errorf("code %q has %d, TIMEOUTCHAT only %d", code, codes[code], codes["TIMEOUTCHAT"])
		}
	}
	if !agents[""] || !agents["Bot Wolki"] || len(agents) != 11 { // 12, of whom two are namesakes
		t.Errorf("agents: %v", agents)
	}
}

func TestSilence(t *testing.T) {
	sim := newSim(t, chat7sim.Scenarios()["silence"], 1, at("2026-11-14T03:00:00Z"))
	r := span(t, "2026-11-01T00:00:00", "2026-11-12T00:00:00")
	if n := len(sim.Final("ventas", r)); n != 0 {
		t.Errorf("%d rows of nothing", n)
	}
	if d := mustDecode(t, ask(sim, "sim-ventas", r)); !d.empty {
		t.Error("nothing is not empty")
	}
}

// TestClosed: a closed operation has its number on weekdays in its hours, and
// nothing at any other time.
func TestClosed(t *testing.T) {
	s, err := chat7sim.New(chat7sim.Options{Seed: 2, Scenario: chat7sim.Scenario{Operations: []chat7sim.Operation{
		{Name: "ventas", Timezone: "America/Bogota", InteractionsPerDay: 200, Closed: true},
	}}, Now: func() time.Time { return time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC) }})
	if err != nil {
		t.Fatal(err)
	}
	sum := func(from, to window.Local) (n int64) {
		for _, c := range s.Truth("ventas", window.Range{From: from, To: to}) {
			n += c.Interactions
		}
		return n
	}
	for d := window.DateOf(2026, 12, 1); d <= window.DateOf(2026, 12, 31); d++ {
		want := int64(200)
		if w := (int(d) + 4) % 7; w == 0 || w == 6 { // day 0 was a Thursday
			want = 0
		}
		inside := sum(d.Start()+8*3600, d.Start()+20*3600)
		if all := sum(d.Start(), d.End()); all != want || inside != want {
			t.Errorf("%s has %d interactions, %d in its hours, want %d", d, all, inside, want)
		}
	}
}
