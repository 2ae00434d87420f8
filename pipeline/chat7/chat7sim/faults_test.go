package chat7sim_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"wolkpipe/pipeline/chat7/chat7sim"
	"wolkpipe/pipeline/window"
)

// bends are the faults under which an answer is not the truth, or there is
// none in the end. Each has a test of its own.
var bends = []string{"exclusive-end", "row-cap", "row-cap-refused", "short-ranges", "empty-after-end", "empty-spells", "revoked"}

// Under every other scenario, a reader who asks again when an answer cannot be
// read, and normalises what can, gets the truth; and each fault does strike.
func TestScenariosTellTheTruth(t *testing.T) {
	for name, sc := range chat7sim.Scenarios() {
		if slices.Contains(bends, name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { tellTheTruth(t, sc) })
		})
	}
}

func tellTheTruth(t *testing.T, sc chat7sim.Scenario) {
	c := at("2026-11-11T17:40:00Z") // a working hour in both zones
	sc.Faults.EmptyAfterEnd, sc.Faults.EmptySpells = chat7sim.Timed{}, chat7sim.Spells{}
	sim := newSim(t, sc, 11, c)
	for _, o := range slices.Concat(sim.Operations(), sim.Operations()) {
		windows := append(halfHours(t, "2026-11-10"), halfHours(t, "2026-11-11")...)
		windows = append(windows, span(t, "2026-11-10T00:00:00", "2026-11-11T00:00:00"), span(t, "2026-11-01T00:00:00", "2026-11-12T00:00:00"))
		for _, r := range windows {
			want := sim.Truth(o.Name, r)
			got := patient(t, sim, o.Tokens[0], r)
			if !same(got.counts, want) {
				t.Fatalf("%s %v: answered\n%v\nin truth\n%v", o.Name, r, got.counts, want)
			}
			if len(want) > 0 && got.empty {
				t.Fatalf("%s %v: empty, in truth %d", o.Name, r, sum(want))
			}
		}
	}
	st := sim.Stats()
	for _, key := range struckBy(sc.Faults) {
		n := int64(0)
		for _, o := range st.Operations {
			n += o.Faults[key]
		}
		if n == 0 {
			t.Errorf("%s never struck", key)
		}
	}
	for name, tok := range st.Tokens {
		if tok.MaxInFlight != 1 || tok.Overlaps != 0 || tok.InFlight != 0 {
			t.Errorf("one call after another, yet %s: %+v", name, tok)
		}
	}
}

// unnoted are faults that do not strike single calls.
var unnoted = []string{"max_in_flight", "quota_reset", "used_elsewhere", "retry_after", "latency", "odd_names", "split_names", "no_description",
	"shuffled", "token_info_object", "code_act_key", "exclusive_end", "row_cap_refuses", "max_range_days", "maintenance"}

// mayMiss are faults that strike too seldom among everything.
var mayMiss = []string{"late", "recoded", "deleted", "slow", "grouped_counts"}

func struckBy(f chat7sim.Faults) []string {
	var keys []string
	v := reflect.ValueOf(f)
	single := 0
	for i := range v.NumField() {
		key := v.Type().Field(i).Tag.Get("yaml")
		if !v.Field(i).IsZero() {
			single++
			if !slices.Contains(unnoted, key) {
				keys = append(keys, key)
			}
		}
	}
	if single > 5 { // everything
		keys = slices.DeleteFunc(keys, func(k string) bool { return slices.Contains(mayMiss, k) })
	}
	return keys
}

// Each fault of the rows looks as it says.
func TestRowsLookAsTheScenarioSays(t *testing.T) {
	day := span(t, "2026-11-10T00:00:00", "2026-11-11T00:00:00")
	c := at("2026-11-12T15:00:00Z")
	plain := mustDecode(t, ask(newSim(t, only(4000, chat7sim.Faults{}), 1, c), "sim-ventas", day))
	for name, tc := range map[string]struct {
		faults chat7sim.Faults
		want   func(decoded, string) bool
	}{
		"friendly": {chat7sim.Faults{}, func(d decoded, body string) bool {
			return d.rejects == 0 && d.dropped == 0 && d.rows == len(d.counts) && strings.Contains(body, `{"interactions":"`) && !strings.Contains(body, "ñ") && strings.Contains(body, `Petici\u00f3n\/Queja`)
		}},
		"number_counts": {chat7sim.Faults{NumberCounts: 1}, func(_ decoded, body string) bool { return !strings.Contains(body, `"interactions":"`) }},
		"spaced_counts": {chat7sim.Faults{SpacedCounts: 1}, func(_ decoded, body string) bool { return strings.Count(body, `"interactions":" `) == plain.rows }},
		"junk_rows": {chat7sim.Faults{JunkRows: 0.1}, func(d decoded, body string) bool {
			for _, s := range []string{`:"",`, `:null,`, `:-2,`, `:"-3",`} {
				if !strings.Contains(body, `"interactions"`+s) {
					return false
				}
			}
			return d.rejects > 100 && d.rows-d.rejects-d.dropped == len(d.counts)
		}},
		"zero_rows":      {chat7sim.Faults{ZeroRows: 1}, func(d decoded, body string) bool { return strings.Count(body, `"interactions":"0"`) == plain.rows }},
		"duplicate_rows": {chat7sim.Faults{DuplicateRows: 1}, func(d decoded, _ string) bool { return d.dropped == plain.rows && d.rows == 2*plain.rows }},
		"repeated_keys":  {chat7sim.Faults{RepeatedKeys: 1}, func(d decoded, _ string) bool { return d.rows > plain.rows+10 && d.dropped == 0 }},
		"odd_names": {chat7sim.Faults{OddNames: 1}, func(d decoded, body string) bool {
			odd := 0
			for _, row := range d.raw {
				if s := row["agent_name"].(string); s != cleaned(s) {
					odd++
				}
			}
			return odd == len(d.raw) && strings.Contains(body, `\u0301`) && strings.Contains(body, "&") && strings.Contains(body, "  ")
		}},
		"split_names": {chat7sim.Faults{SplitNames: 0.5}, func(d decoded, _ string) bool { return d.rows > plain.rows*3/2 && len(d.counts) == len(plain.counts) }},
		"extra_keys":  {chat7sim.Faults{ExtraKeys: 1}, func(d decoded, body string) bool { return strings.Count(body, `"interno":{`) == plain.rows }},
		"no_description": {chat7sim.Faults{NoDescription: 1}, func(_ decoded, body string) bool {
			return !strings.Contains(body, "description_cod_act")
		}},
	} {
		sim := newSim(t, only(4000, tc.faults), 1, c)
		a := ask(sim, "sim-ventas", day)
		d := mustDecode(t, a)
		if !same(d.counts, plain.counts) {
			t.Errorf("%s: not the truth", name)
		}
		if !tc.want(d, a.body) {
			t.Errorf("%s: %d rows (plain: %d), %d rejected, %d dropped: %.600s", name, d.rows, plain.rows, d.rejects, d.dropped, a.body)
		}
		if again := ask(sim, "sim-ventas", day); again.body != a.body {
			t.Errorf("%s: the same question has got other rows", name)
		}
	}
	grouped := newSim(t, chat7sim.Scenarios()["grouped-counts"], 1, c)
	if d := mustDecode(t, ask(grouped, "sim-ventas", day)); d.rejects > 0 || !strings.Contains(d.raw[0]["interactions"].(string), ",") {
		t.Errorf("grouped: %v", d.raw)
	}
	shuffled := newSim(t, only(4000, chat7sim.Faults{Shuffled: true}), 1, c)
	if a, b := ask(shuffled, "sim-ventas", day), ask(shuffled, "sim-ventas", day); a.body == b.body || len(a.body) != len(b.body) {
		t.Error("shuffled: the order is stable")
	}
}

// Each fault of writing looks as it says, on every call at rate 1.
func TestBodiesLookAsTheScenarioSays(t *testing.T) {
	c := at("2026-11-12T15:00:00Z")
	full, none := span(t, "2026-11-10T10:00:00", "2026-11-10T12:00:00"), span(t, "2026-12-01T00:00:00", "2026-12-01T01:00:00")
	for name, tc := range map[string]struct {
		faults chat7sim.Faults
		want   func(answer) bool
	}{
		"html_page":   {chat7sim.Faults{HTMLPage: 1}, func(a answer) bool { return a.status == 200 && strings.HasPrefix(a.body, "<!DOCTYPE html>") }},
		"html_404":    {chat7sim.Faults{HTML404: 1}, func(a answer) bool { return a.status == 404 && strings.HasPrefix(a.body, "<!DOCTYPE html>") }},
		"php_warning": {chat7sim.Faults{PHPWarning: 1}, func(a answer) bool { return strings.HasPrefix(a.body, "<br />\n<b>Warning</b>") }},
		"bom":         {chat7sim.Faults{BOM: 1}, func(a answer) bool { return strings.HasPrefix(a.body, "\xef\xbb\xbf{") }},
		"cut_short": {chat7sim.Faults{CutShort: 1}, func(a answer) bool {
			return !a.cut && !strings.HasSuffix(a.body, "}") && a.header.Get("Content-Length") == fmt.Sprint(len(a.body))
		}},
		"cut":     {chat7sim.Faults{Cut: 1}, func(a answer) bool { return a.cut && a.body != "" }},
		"dropped": {chat7sim.Faults{Dropped: 1}, func(a answer) bool { return a.cut && a.body == "" }},
		"server_errors": {chat7sim.Faults{ServerErrors: 1}, func(a answer) bool {
			return a.status >= 500 && a.status <= 504
		}},
		"busy":             {chat7sim.Faults{Busy: 1}, func(a answer) bool { return a.status == 403 && strings.Contains(a.body, "EXCEEDS THE LIMIT") }},
		"maintenance_rate": {chat7sim.Faults{MaintenanceRate: 1}, func(a answer) bool { return a.status == 403 && strings.Contains(a.body, "MAINTENANCE") }},
		"unknown_403": {chat7sim.Faults{UnknownForbidden: 1}, func(a answer) bool {
			return a.status == 403 && strings.Contains(a.body, "COULD NOT BE PROCESSED")
		}},
	} {
		sim := newSim(t, only(400, tc.faults), 1, c)
		for _, r := range []window.Range{full, none} {
			if a := ask(sim, "sim-ventas", r); !tc.want(a) {
				t.Errorf("%s: HTTP %d, cut %t, %.200q", name, a.status, a.cut, a.body)
			} else if d, err := decode(a); err == nil && d.empty == (r == full) {
				t.Errorf("%s: an answer that lies: %.200q", name, a.body)
			}
		}
		if st := sim.Stats().Operations["ventas"]; st.Faults[name] != 2 {
			t.Errorf("%s: noted %v", name, st.Faults)
		}
	}

	starts := func(f chat7sim.Faults, r window.Range, until string) map[string]bool {
		sim, seen := newSim(t, only(400, f), 1, c), map[string]bool{}
		for range 100 {
			a := ask(sim, "sim-ventas", r)
			head, _, _ := strings.Cut(a.body, until)
			seen[fmt.Sprint(a.status, " ", head)] = true
		}
		return seen
	}
	expect := func(name string, got map[string]bool, want ...string) {
		t.Helper()
		if keys := slices.Sorted(maps.Keys(got)); !slices.Equal(keys, slices.Sorted(slices.Values(want))) {
			t.Errorf("%s: %q", name, keys)
		}
	}
	expect("odd_code", starts(chat7sim.Faults{OddCode: 1}, full, `,"error"`), `200 {"code":"200"`, `200 {"code":"0"`, `200 {"code":" "`, `200 {"code":""`)
	expect("odd_code of an empty answer", starts(chat7sim.Faults{OddCode: 1}, none, `,"error"`), `404 {"code":"404"`)
	expect("error_under_200", starts(chat7sim.Faults{ErrorUnder200: 1}, full, `,"msg"`), `200 {"code":403,"error":"FORBIDDEN"`, `200 {"code":500,"error":"INTERNAL SERVER ERROR"`)
	expect("empty_forms", starts(chat7sim.Scenarios()["empty-forms"].Faults, none, "\x00"),
		`404 {"code":404,"error":"NOT FOUND","msg":"Validate dates entered"}`, `200 {"code":404,"error":"NOT FOUND","msg":"Validate dates entered"}`,
		`200 {"code":200,"error":null,"msg":"0 records were found","data":[]}`, `200 {"code":200,"error":null,"msg":"0 records were found","data":null}`,
		`200 {"code":200,"error":null,"msg":"0 records were found"}`)
	if msgs := starts(chat7sim.Faults{OddMsg: 1}, full, `,"data"`); len(msgs) != 3 {
		t.Errorf("odd_msg: %v", msgs)
	}
}

func TestOtherShapes(t *testing.T) {
	c := at("2026-11-12T15:00:00Z")
	for _, tc := range []struct {
		faults      chat7sim.Faults
		info, codes string
	}{
		{chat7sim.Faults{}, `"data":[{"all_token_today":"1",`, `"data":[{"cod_act":"TIMEOUTCHAT","description_cod_act":"Cierre por inactividad","hit":"0","rpc":"0","chat":"1","voice":"0","type_code":`},
		{chat7sim.Faults{TokenInfoObject: true, CodeActKey: true}, `"data":{"all_token_today":"1",`, `"data":[{"code_act":"TIMEOUTCHAT",`},
	} {
		sim := newSim(t, only(400, tc.faults), 1, c)
		if a := get(sim, tokenInfo, "sim-ventas"); !strings.Contains(a.body, tc.info) {
			t.Errorf("token_info: %s", a.body)
		}
		if a := get(sim, "/api/v2/information.php?api=activity_codes", "sim-ventas"); !strings.Contains(a.body, tc.codes) {
			t.Errorf("activity_codes: %s", a.body)
		}
	}
}

// What real clients see of connections cut off, and of gzip.
func TestOverARealConnection(t *testing.T) {
	c := at("2026-11-12T15:00:00Z")
	fetch := func(f chat7sim.Faults) (string, error) {
		srv := httptest.NewServer(newSim(t, only(400, f), 1, c))
		defer srv.Close()
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+report, nil)
		req.Header.Set("wolkvox-token", "sim-ventas")
		resp, err := srv.Client().Do(req)
		if err != nil {
			return "", err
		}
		defer func() { _ = resp.Body.Close() }()
		b, err := io.ReadAll(resp.Body)
		return fmt.Sprint(resp.Uncompressed, " ", string(b)), err
	}
	if _, err := fetch(chat7sim.Faults{Cut: 1}); err == nil || err != io.ErrUnexpectedEOF {
		t.Errorf("cut: %v", err)
	}
	if _, err := fetch(chat7sim.Faults{Dropped: 1}); err == nil {
		t.Error("dropped: no error")
	}
	for rate, uncompressed := range map[chat7sim.Rate]string{0: "false {", 1: "true {"} {
		if body, err := fetch(chat7sim.Faults{Gzip: rate}); err != nil || !strings.HasPrefix(body, uncompressed) {
			t.Errorf("gzip %v: %v %.60s", rate, err, body)
		}
	}
}
