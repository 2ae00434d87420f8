package chat7sim_test

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/text/unicode/norm"

	"wolkpipe/pipeline/chat7/chat7sim"
	"wolkpipe/pipeline/window"
)

// clock is a clock that stands until it is set.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func at(s string) *clock {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return &clock{t: t}
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func newSim(t testing.TB, sc chat7sim.Scenario, seed uint64, c *clock) *chat7sim.Sim {
	t.Helper()
	s, err := chat7sim.New(chat7sim.Options{Scenario: sc, Seed: seed, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// only is a scenario of one operation, ventas in Bogotá, with those faults.
func only(perDay int, f chat7sim.Faults) chat7sim.Scenario {
	return chat7sim.Scenario{
		Operations: []chat7sim.Operation{{Name: "ventas", Timezone: "America/Bogota", Licences: 10, InteractionsPerDay: perDay}},
		Faults:     f,
	}
}

// span is the range between two wall-clock times, the second excluded.
func span(t testing.TB, from, to string) window.Range {
	t.Helper()
	a, err := window.ParseLocal(from)
	if err != nil {
		t.Fatal(err)
	}
	b, err := window.ParseLocal(to)
	if err != nil {
		t.Fatal(err)
	}
	return window.Range{From: a, To: b}
}

// halfHours are the windows of a day.
func halfHours(t testing.TB, day string) []window.Range {
	t.Helper()
	r := span(t, day+"T00:00:00", day+"T00:30:00")
	var all []window.Range
	for range 48 {
		all = append(all, r)
		r = window.Range{From: r.To, To: r.To + 1800}
	}
	return all
}

type answer struct {
	status int
	header http.Header
	body   string
	cut    bool
}

// get drives the handler without a network.
func get(h http.Handler, target, token string) (a answer) {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	if token != "" {
		r.Header.Set("wolkvox-token", token)
	}
	w := httptest.NewRecorder()
	defer func() {
		if p := recover(); p != nil {
			if p != http.ErrAbortHandler {
				panic(p)
			}
			a.cut = true
		}
		a.status, a.header, a.body = w.Code, w.Header(), w.Body.String()
	}()
	h.ServeHTTP(w, r)
	return
}

// ask puts the question for r with an inclusive end.
func ask(h http.Handler, token string, r window.Range) answer {
	q := url.Values{"api": {"chat_7"}, "date_ini": {r.From.Compact()}, "date_end": {(r.To - 1).Compact()}}
	return get(h, "/api/v2/reports_manager.php?"+q.Encode(), token)
}

// decoded is an answer as a patient reader takes it.
type decoded struct {
	empty   bool
	counts  []chat7sim.Count
	rows    int // at the source
	dropped int // alike to the byte
	rejects int
	raw     []map[string]any
}

// decode reads an answer knowing nothing of how it was made. Whatever is not
// plainly an answer with or without rows is an error.
func decode(a answer) (decoded, error) {
	var d decoded
	if a.cut {
		return d, fmt.Errorf("cut")
	}
	start := strings.IndexByte(a.body, '{')
	if start < 0 || strings.HasPrefix(a.body, "<!DOCTYPE") {
		return d, fmt.Errorf("not JSON: %.60q", a.body)
	}
	var env struct {
		Code any               `json:"code"`
		Msg  string            `json:"msg"`
		Data []json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal([]byte(a.body[start:]), &env); err != nil {
		return d, err
	}
	code := strings.TrimSpace(fmt.Sprint(env.Code))
	switch {
	case code == "404" && env.Msg == "Validate dates entered":
		d.empty = true
		return d, nil
	case a.status != 200 || code != "200" && code != "0" && code != "":
		return d, fmt.Errorf("HTTP %d, code %v: %s", a.status, env.Code, env.Msg)
	}
	d.empty, d.rows = len(env.Data) == 0, len(env.Data)
	seen, sums := map[string]bool{}, map[[2]string]int64{}
	for _, raw := range env.Data {
		if seen[string(raw)] {
			d.dropped++
			continue
		}
		seen[string(raw)] = true
		var row map[string]any
		if err := json.Unmarshal(raw, &row); err != nil {
			return d, err
		}
		d.raw = append(d.raw, row)
		n, ok := readCount(row["interactions"])
		if !ok {
			d.rejects++
			continue
		}
		if n > 0 {
			sums[[2]string{cleaned(row["agent_name"].(string)), cleaned(row["cod_act"].(string))}] += n
		}
	}
	for k, n := range sums {
		d.counts = append(d.counts, chat7sim.Count{Agent: k[0], Code: k[1], Interactions: n})
	}
	slices.SortFunc(d.counts, func(a, b chat7sim.Count) int {
		return strings.Compare(a.Agent+"\x00"+a.Code, b.Agent+"\x00"+b.Code)
	})
	return d, nil
}

func readCount(v any) (int64, bool) {
	switch x := v.(type) {
	case float64:
		return int64(x), x >= 0 && x == float64(int64(x))
	case string:
		s := strings.TrimSpace(x)
		if groups := strings.Split(s, ","); len(groups) > 1 {
			for _, g := range groups[1:] {
				if len(g) != 3 {
					return 0, false
				}
			}
			s = strings.Join(groups, "")
		}
		n, err := strconv.ParseInt(s, 10, 64)
		return n, err == nil && n >= 0
	}
	return 0, false
}

func cleaned(s string) string {
	s = norm.NFC.String(html.UnescapeString(s))
	return strings.Join(strings.Fields(strings.ReplaceAll(s, "\u200b", "")), " ")
}

// mustDecode fails the test on an answer that cannot be read.
func mustDecode(t testing.TB, a answer) decoded {
	t.Helper()
	d, err := decode(a)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// patient asks until it is answered.
func patient(t testing.TB, h http.Handler, token string, r window.Range) decoded {
	t.Helper()
	var err error
	for range 60 {
		var d decoded
		if d, err = decode(ask(h, token, r)); err == nil {
			return d
		}
	}
	t.Fatalf("no answer for %v in 60 calls, lastly: %v", r, err)
	return decoded{}
}

func sum(counts []chat7sim.Count) (n int64) {
	for _, c := range counts {
		n += c.Interactions
	}
	return n
}

// same compares counts, nil and empty alike.
func same(a, b []chat7sim.Count) bool { return slices.Equal(a, b) }
