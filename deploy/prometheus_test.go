package deploy_test

import (
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"

	"wolkpipe/sinks/sinktest/servers"
)

// freePort is a port that nobody listens on now, for programs that cannot
// choose and tell one.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// TestRules has promtool read the rules and run their unit tests.
func TestRules(t *testing.T) {
	promtool := servers.Debian(t, "promtool", "prometheus")
	must(t, promtool, "check", "rules", "prometheus/rules.yaml")
	must(t, promtool, "test", "rules", "prometheus/rules_test.yaml")
}

// anchor is a place in the runbook.
var anchor = regexp.MustCompile(`<a id="([a-z]+)"></a>`)

// TestAlerts: each alert says what is wrong, names a mend, and has a place in
// the runbook and a unit test.
func TestAlerts(t *testing.T) {
	book, tests := read(t, "RUNBOOK.md"), read(t, "prometheus/rules_test.yaml")
	var anchors, names []string
	for _, m := range anchor.FindAllStringSubmatch(book, -1) {
		anchors = append(anchors, m[1])
	}
	for _, a := range alerts(t) {
		if slices.Contains(names, a.Alert) {
			t.Errorf("%s stands twice", a.Alert)
		}
		names = append(names, a.Alert)
		if s := a.Labels["severity"]; s != "critical" && s != "warning" {
			t.Errorf("%s has severity %q", a.Alert, s)
		}
		if a.Annotations["summary"] == "" || len(a.Annotations["description"]) < 80 {
			t.Errorf("%s does not say what is wrong and how to mend it", a.Alert)
		}
		link, ok := strings.CutPrefix(a.Annotations["runbook"], "deploy/RUNBOOK.md#")
		if !ok || !slices.Contains(anchors, link) || link != strings.ToLower(a.Alert) {
			t.Errorf("%s: %q is no place in the runbook", a.Alert, a.Annotations["runbook"])
		}
		if !strings.Contains(tests, `alertname="`+a.Alert+`"`) && !strings.Contains(tests, "alertname: "+a.Alert) {
			t.Errorf("%s has no unit test", a.Alert)
		}
	}
}

// TestDashboard: panels have ids of their own, do not overlap, and say what
// they show.
func TestDashboard(t *testing.T) {
	d := readDashboard(t)
	taken := map[[2]int]string{}
	ids := map[int]bool{}
	for _, p := range d.Panels {
		if ids[p.ID] {
			t.Errorf("panel %q: id %d stands twice", p.Title, p.ID)
		}
		ids[p.ID] = true
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %q asks nothing", p.Title)
		}
		g := p.GridPos
		if g.W == 0 || g.H == 0 || g.X+g.W > 24 {
			t.Errorf("panel %q does not fit: %+v", p.Title, g)
		}
		for x := g.X; x < g.X+g.W; x++ {
			for y := g.Y; y < g.Y+g.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" {
					t.Fatalf("panels %q and %q overlap", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
	}
	for _, name := range []string{"datasource", "namespace", "job", "operation"} {
		if !slices.ContainsFunc(d.Templating.List, func(v struct{ Name, Type, Definition string }) bool { return v.Name == name }) {
			t.Errorf("no variable %s", name)
		}
	}
}
