package chat7sim_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wolkpipe/pipeline/chat7/chat7sim"
)

func TestExamplesLoad(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) < 3 {
		t.Fatalf("%v %v", files, err)
	}
	for _, file := range files {
		sc, err := chat7sim.LoadScenario(file)
		if err != nil {
			t.Error(err)
			continue
		}
		sim := newSim(t, sc, 1, at("2026-11-12T15:00:00Z"))
		for _, o := range sim.Operations() {
			if n := sum(sim.Truth(o.Name, span(t, "2026-11-10T10:00:00", "2026-11-10T11:00:00"))); n == 0 {
				t.Errorf("%s: %s has nothing at ten in the morning", file, o.Name)
			}
		}
	}
	sc, err := chat7sim.LoadScenario("testdata/bad-day.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if f := sc.Faults; f.Late.Mean != 15*time.Minute || f.Slow.For != 90*time.Second || len(f.Maintenance) != 2 || f.EmptyForms[4] != chat7sim.EmptyNotFoundIn200 {
		t.Errorf("%+v", f)
	}
	if sc.Operations[0].Faults != nil || sc.Operations[1].Faults == nil {
		t.Error("an operation's own faults")
	}
	if _, err := chat7sim.LoadScenario(filepath.Join(t.TempDir(), "none.yaml")); !os.IsNotExist(unwrap(err)) {
		t.Errorf("a file that is not there: %v", err)
	}
}

func unwrap(err error) error {
	for {
		u, ok := err.(interface{ Unwrap() error })
		if !ok {
			return err
		}
		if _, path := err.(*os.PathError); path {
			return err
		}
		err = u.Unwrap()
	}
}

func TestParseScenarioRefuses(t *testing.T) {
	op := "operations:\n  - {name: a, timezone: America/Bogota}\n"
	for _, tc := range []struct{ yaml, want string }{
		{"faults:\n  late: {rate: 0.1}\n  lat: 3\n", `line 3: unknown key "lat"`},
		{"faults:\n  late:\n    rat: 0.1\n", `line 3: unknown key "rat"`},
		{"operations:\n  - {name: a, zone: America/Bogota}\n", `line 2: unknown key "zone"`},
		{"faults:\n  slow: {rate: often}\n", "line 2: cannot unmarshal !!str `often` into chat7sim.Rate"},
		{"faults:\n  retry_after: 5 apples\n", "line 2: cannot unmarshal !!str `5 apples` into time.Duration"},
		{"faults:\n  late: {rate: 1.5}\n", "faults.late.rate: 1.5 is not between 0 and 1"},
		{"faults:\n  busy: .nan\n", "faults.busy: NaN is not between 0 and 1"},
		{"faults:\n  latency: {base: -1s}\n", "faults.latency.base: -1s is negative"},
		{"faults:\n  row_cap: -1\n", "faults.row_cap: -1 is negative"},
		{"faults:\n  quota_reset: midnight\n", `faults.quota_reset: "midnight" is not a time of the form 15:04`},
		{"faults:\n  maintenance: [{from: \"02:00\"}]\n", `faults.maintenance[0].to: "" is not a time of the form 15:04`},
		{"faults:\n  empty_forms: [nothing]\n", `faults.empty_forms: "nothing" is none of 404, 404_under_200, list, null, absent`},
		{"faults:\n  empty_spells: {every: 1m, for: 1m}\n", "faults.empty_spells: for 1m0s is not shorter than every 1m0s"},
		{"operations:\n  - {name: Ventas, timezone: America/Bogota}\n", `operations[0].name: "Ventas" is not of the form [a-z][a-z0-9_-]*, 63 characters at most`},
		{"operations:\n  - {name: a, timezone: Bogota}\n", `operations[0].timezone: time zone "Bogota" is not known: use an IANA name such as America/Bogota`},
		{op + "  - {name: a, timezone: America/Bogota}\n", `operations[1].name: "a" is there twice`},
		{op + "  - {name: b, timezone: America/Bogota, tokens: [sim-a]}\n", `operations[1].tokens: "sim-a" is a token of a already`},
		{op + "  - {name: b, timezone: America/Bogota, tokens: [\" x\"]}\n", `operations[1].tokens: " x" cannot be sent in a header as it is`},
		{op + "  - {name: b, timezone: America/Bogota, interactions_per_day: 20000000}\n", "operations[1].interactions_per_day: 20000000 is not between 0 and 10000000"},
		{op + "  - {name: b, timezone: America/Bogota, hours: 20:00-08:00}\n", `operations[1].hours: "20:00-08:00" is not of the form 08:00-20:00, the earlier time first`},
		{op + "  - {name: b, timezone: America/Bogota, holidays: [Friday]}\n", `operations[1].holidays: date "Friday" is not a day of the form 2006-01-02`},
		{op + "  - {name: b, timezone: America/Bogota, faults: {cut: 2}}\n", "operations[1].faults.cut: 2 is not between 0 and 1"},
		{op + "---\n" + op, "more than one YAML document: keep the first"},
		{"faults: [", "yaml: line 1: did not find expected node content"},
	} {
		_, err := chat7sim.ParseScenario(strings.NewReader(tc.yaml))
		if err == nil || err.Error() != tc.want {
			t.Errorf("%s\ngot  %v\nwant %s", tc.yaml, err, tc.want)
		}
	}
	if sc, err := chat7sim.ParseScenario(strings.NewReader("# nothing\n")); err != nil || len(sc.Operations) != 0 {
		t.Errorf("an empty file: %v", err)
	}
	if _, err := chat7sim.New(chat7sim.Options{Scenario: chat7sim.Scenario{Faults: chat7sim.Faults{Cut: 2}}}); err == nil {
		t.Error("New took what ParseScenario refuses")
	}
}
