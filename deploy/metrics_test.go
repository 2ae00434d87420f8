package deploy_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"wolkpipe/sinks/sinktest/servers"
)

// query is a PromQL expression of the rules or the dashboard.
type query struct{ where, expr string }

// alert is an alert of the rules.
type alert struct {
	Alert       string
	Expr        string
	For         string
	Labels      map[string]string
	Annotations map[string]string
}

func alerts(t *testing.T) []alert {
	t.Helper()
	var file struct{ Groups []struct{ Rules []alert } }
	if err := yaml.Unmarshal([]byte(read(t, "prometheus/rules.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	var all []alert
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	if len(all) == 0 {
		t.Fatal("no alerts")
	}
	return all
}

// dashboard is what the tests read of Grafana's model.
type dashboard struct {
	UID        string
	Templating struct {
		List []struct{ Name, Type, Definition string }
	}
	Annotations struct{ List []struct{ Name, Expr string } }
	Panels      []struct {
		ID      int
		Type    string
		Title   string
		GridPos struct{ X, Y, W, H int }
		Targets []struct{ Expr, LegendFormat string }
	}
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	var d dashboard
	if err := json.Unmarshal([]byte(read(t, "grafana/wolkpipe.json")), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// queries are all expressions, Grafana's variables put in.
func queries(t *testing.T) (all []query) {
	t.Helper()
	for _, a := range alerts(t) {
		all = append(all, query{"alert " + a.Alert, a.Expr})
	}
	d := readDashboard(t)
	plain := strings.NewReplacer("$__rate_interval", "5m", "$namespace", ".*", "$job", ".*", "$operation", ".*")
	add := func(where, expr string) {
		if expr = plain.Replace(expr); strings.Contains(expr, "$") {
			t.Errorf("%s has an unknown variable: %s", where, expr)
		}
		all = append(all, query{where, expr})
	}
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			add("panel "+p.Title, target.Expr)
		}
	}
	for _, a := range d.Annotations.List {
		add("annotation "+a.Name, a.Expr)
	}
	for _, v := range d.Templating.List {
		if m := values.FindStringSubmatch(v.Definition); m != nil {
			add("variable "+v.Name, fmt.Sprintf("count by (%s) (%s)", m[2], m[1]))
		}
	}
	return all
}

// metric is a metric's name in an expression, with its labels' matchers.
var (
	metric  = regexp.MustCompile(`\b(wolkpipe_[a-z0-9_]+|go_[a-z_]+|process_[a-z_]+)\b(?:\{([^}]*)\})?`)
	matcher = regexp.MustCompile(`([a-zA-Z_]+)\s*(?:=~|!~|!=|=)\s*"[^"]*"`)
	grouped = regexp.MustCompile(`\b(?:by|without|on|ignoring)\s*\(([^)]*)\)`)
	values  = regexp.MustCompile(`^label_values\((.*), (\w+)\)$`)
	sample  = regexp.MustCompile(`(?m)^([a-z_]+)(?:\{(.*)\})? \S+$`)
)

// target are labels that Prometheus gives, not the program.
var target = []string{"namespace", "job", "instance"}

// exposed reads the names of metrics, each with its labels.
func exposed(text string) map[string][]string {
	all := map[string][]string{}
	for _, m := range sample.FindAllStringSubmatch(text, -1) {
		labels := all[m[1]]
		for _, l := range matcher.FindAllStringSubmatch(m[2], -1) {
			labels = append(labels, l[1])
		}
		slices.Sort(labels)
		all[m[1]] = slices.Compact(labels)
	}
	return all
}

// unknown tells what an expression relies on that is not exposed.
func unknown(expr string, metrics map[string][]string) (flaws []string) {
	known := slices.Clone(target)
	found := metric.FindAllStringSubmatch(expr, -1)
	for _, m := range found {
		labels, ok := metrics[m[1]]
		if !ok {
			flaws = append(flaws, "no metric "+m[1])
		}
		known = append(known, labels...)
		for _, l := range matcher.FindAllStringSubmatch(m[2], -1) {
			if !slices.Contains(labels, l[1]) && !slices.Contains(target, l[1]) {
				flaws = append(flaws, m[1]+" has no label "+l[1])
			}
		}
	}
	if len(found) == 0 && !strings.HasPrefix(expr, "up{") && !strings.HasPrefix(expr, "sum(up{") {
		flaws = append(flaws, "no metric at all")
	}
	for _, g := range grouped.FindAllStringSubmatch(expr, -1) {
		for label := range strings.SplitSeq(g[1], ",") {
			if label = strings.TrimSpace(label); !slices.Contains(known, label) {
				flaws = append(flaws, "no label "+label)
			}
		}
	}
	return flaws
}

// source is the configuration of an operation that works, and of one whose token
// will be refused.
func source(t *testing.T) string {
	t.Helper()
	u := simulate(t, `
operations:
  - {name: ventas, timezone: America/Bogota, interactions_per_day: 5000, steady: true, licences: 5}
  - {name: soporte, timezone: America/Santiago, interactions_per_day: 100, licences: 5}
`)
	return fmt.Sprintf(`
operations:
  - {name: ventas, url: %q, token: "file:ventas.token", timezone: America/Bogota}
  - {name: soporte, url: %q, token: "file:soporte.token", timezone: America/Santiago}
nats: {listen: "127.0.0.1:0"}
status: {listen: "127.0.0.1:0"}
`, u, u)
}

// runSource runs a daemon on it.
func runSource(t *testing.T) *daemon {
	t.Helper()
	d := &daemon{dir: t.TempDir()}
	write(t, filepath.Join(d.dir, "wolkpipe.yaml"), source(t))
	write(t, filepath.Join(d.dir, "ventas.token"), "sim-ventas\n")
	write(t, filepath.Join(d.dir, "soporte.token"), "somebody-else's\n")
	d.again(t)
	eventually(t, "all metrics", func() bool {
		_, text := get(t, d.status+"/metrics")
		return strings.Contains(text, `wolkpipe_window_lag_seconds{operation="ventas"}`) &&
			strings.Contains(text, `wolkpipe_quota_calls_remaining{operation="ventas"}`) &&
			strings.Contains(text, `reason="bad_token"`)
	})
	return d
}

// quiet are queries that find nothing where nothing is wrong.
var quiet = regexp.MustCompile(`^(alert .*|panel Notices|annotation Starts)$`)

// TestMetrics holds that rules and dashboard rely on nothing but what the
// program exposes, and that a Prometheus that scrapes it answers each query of
// the dashboard and raises the alert that the refused token is.
func TestMetrics(t *testing.T) {
	d := runSource(t)
	_, text := get(t, d.status+"/metrics")
	metrics := exposed(text)
	for _, q := range queries(t) {
		for _, flaw := range unknown(q.expr, metrics) {
			t.Errorf("%s: %s: %s\nexposed are %s", q.where, flaw, q.expr, slices.Sorted(maps.Keys(metrics)))
		}
	}
	if t.Failed() {
		return
	}
	p := scrape(t, d.status)
	for _, q := range queries(t) {
		if quiet.MatchString(q.where) {
			if _, err := p.query(t, q.expr); err != nil {
				t.Errorf("%s: %v\n%s", q.where, err, q.expr)
			}
			continue
		}
		eventually(t, q.where+": an answer to "+q.expr, func() bool {
			n, err := p.query(t, q.expr)
			if err != nil {
				t.Fatalf("%s: %v\n%s", q.where, err, q.expr)
			}
			return n > 0
		})
	}
	eventually(t, "the alert of the refused token", func() bool {
		n, err := p.query(t, `ALERTS{alertname="WolkpipeBadToken", operation="soporte", job="wolkpipe"}`)
		return err == nil && n == 1
	})
}

// server is a running Prometheus.
type server string

// scrape runs a Prometheus with the rules, on the program.
func scrape(t *testing.T, status string) server {
	t.Helper()
	program := servers.Debian(t, "prometheus", "prometheus")
	rules, err := filepath.Abs("prometheus/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(status)
	if err != nil {
		t.Fatal(err)
	}
	dir, port := t.TempDir(), freePort(t)
	write(t, filepath.Join(dir, "prometheus.yml"), fmt.Sprintf(`
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [%q]
scrape_configs:
  - job_name: wolkpipe
    static_configs: [{targets: [%q], labels: {namespace: test}}]
`, rules, u.Host))
	start(t, dir, program, "--config.file=prometheus.yml", "--storage.tsdb.path=tsdb", "--log.level=warn",
		fmt.Sprintf("--web.listen-address=127.0.0.1:%d", port))
	s := server(fmt.Sprintf("http://127.0.0.1:%d", port))
	eventually(t, "Prometheus to be ready", func() bool {
		code, _ := get(t, string(s)+"/-/ready")
		return code == 200
	})
	return s
}

// query tells how many series an expression has.
func (s server) query(t *testing.T, expr string) (int, error) {
	t.Helper()
	_, body := get(t, string(s)+"/api/v1/query?query="+url.QueryEscape(expr))
	var answer struct {
		Status, Error string
		Data          struct{ Result []json.RawMessage }
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		return 0, fmt.Errorf("%w: %s", err, body)
	}
	if answer.Status != "success" {
		return 0, fmt.Errorf("%s", answer.Error)
	}
	return len(answer.Data.Result), nil
}
