package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"wolkpipe/pipeline"
	"wolkpipe/pipeline/chat7/chat7sim"
)

// The secrets of an installation, each of which is looked for everywhere.
const (
	wrongToken   = "Zq7-wrong-token-of-ventas-0001"
	oldToken     = "Zq7-old-token-of-ventas-0002"
	newToken     = "Zq7-new-token-of-ventas-0003"
	agentKey     = "Zq7-key-of-the-agents-names-0004"
	catalogToken = "Zq7-token-of-the-catalog-0005"
)

// TestNoSecretIsTold has every command at work with the most talkative log, and
// everything go wrong that has to do with secrets: a token that is refused, a
// source that repeats the token in its errors, one that redirects, a token that
// is replaced, a catalog that repeats its own. Then no secret is anywhere but
// in the private file that holds it.
func TestNoSecretIsTold(t *testing.T) {
	endures(t)
	t.Parallel()
	s := newSite(t, chat7sim.Options{Seed: 11, Scenario: chat7sim.Scenario{Operations: []chat7sim.Operation{
		{Name: "ventas", Tokens: []string{oldToken, newToken}, Timezone: "America/Bogota", InteractionsPerDay: 60, Weekends: true, Licences: 5},
	}}})
	source := s.talkative()
	catalog := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = fmt.Fprintf(w, `{"error":{"message":"%s is %s","type":%q,"code":503}}`, r.URL.Path, r.Header.Get("Authorization"), r.Header.Get("Authorization"))
	}))
	t.Cleanup(catalog.Close)
	s.write("agent.key", agentKey+"\n")
	s.env = append(s.env, "CATALOG_TOKEN="+catalogToken)
	rest := []string{
		`nats: {listen: "127.0.0.1:0"}`, `status: {listen: "127.0.0.1:0"}`, "log: {level: debug}", "agent_names: hash", `agent_key: "file:agent.key"`,
		"sinks:", "  - {name: events, kind: events}", "  - {name: lake, kind: parquet}", "  - {name: tables, kind: iceberg, interval: 1s}", "  - {name: files, kind: ndjson}",
	}
	s.configure(yesterday(), "1h", append(rest, fmt.Sprintf("  - {name: remote, kind: iceberg, catalog: %q, token: env:CATALOG_TOKEN}", catalog.URL))...)

	h := newHunt(s, wrongToken, oldToken, newToken, agentKey, catalogToken)
	says := func(code int, args ...string) {
		t.Helper()
		got, stdout, stderr := s.run(append(args, "-c", "wolkpipe.yaml")...)
		h.text("what "+args[0]+" says", stdout+stderr)
		if got != code {
			t.Errorf("%v exits %d, want %d:\n%s%s", args, got, code, stdout, stderr)
		}
	}
	days := []string{"--operation", "ventas", "--from", yesterday(), "--to", yesterday()}
	ask := func(command string, more ...string) []string {
		return append(append([]string{command}, days...), more...)
	}

	// Without a daemon, and with a token that is refused.
	s.setToken("ventas", wrongToken)
	says(0, "check")
	says(1, ask("backfill")...)
	says(1, "doctor")
	says(0, "status", "--json")

	p := s.start()
	failing := func(why string) {
		t.Helper()
		s.status(p, func(status pipeline.Status) bool {
			return strings.Contains(operation(t, status, "ventas").Error, why)
		})
		says(0, "status", "--json")
		says(0, "status")
		h.site(pageURL(t, p))
	}
	failing("replace the operation's token")
	source.mode.Store("redirect")
	s.setToken("ventas", oldToken)
	failing("redirects")
	source.mode.Store("fail")
	failing("the server failed")
	source.mode.Store("refuse")
	failing("no such thing")
	source.mode.Store("")
	s.status(p, completeBut("remote"))
	if n := source.foreign.Load(); n > 0 {
		t.Errorf("%d calls followed the redirect", n)
	}

	// A new token, in the middle of the daemon's work.
	s.setToken("ventas", newToken)
	before := time.Now().UTC().AddDate(0, 0, -4).Format(time.DateOnly)
	says(0, "backfill", "--operation", "ventas", "--from", before, "--to", before)
	last := s.watch.all()
	if token := last[len(last)-1].token; token != newToken {
		t.Errorf("the daemon goes on with another token than the new one")
	}
	says(0, "doctor")
	h.site(pageURL(t, p))
	h.cmdline(p)
	p.signal(syscall.SIGTERM)
	p.exits(0)
	h.process(p)

	// Without the catalog, all that succeeds.
	s.configure(yesterday(), "1h", rest...)
	p = s.start()
	s.status(p, complete)
	follower := s.start("tail", "-c", "wolkpipe.yaml", "--since", "1h")
	follower.stdout.wait(t, follower, ".window.v1")
	h.cmdline(follower)
	follower.signal(syscall.SIGINT)
	follower.exits(0)
	h.process(follower)
	says(0, ask("verify", "--json")...)
	says(0, ask("verify", "--repair")...)
	says(0, ask("backfill", "--plan")...)
	says(0, "resync", "--sink", "lake")
	says(0, "resync", "--sink", "tables")
	says(0, "doctor", "--json")
	says(0, "status", "--json")
	says(0, "check", "--json")
	h.site(pageURL(t, p))
	h.cmdline(p)
	p.signal(syscall.SIGTERM)
	p.exits(0)
	h.process(p)
	says(0, "tail", "--since", "1h")
	says(0, ask("verify")...)

	if !strings.Contains(p.stderr.String(), `"level":"DEBUG"`) {
		t.Error("the log has no line of level debug: nothing is tested")
	}
	h.files()
	h.streams()
	h.done()
}

// TestNoSecretOfNATSIsTold asks a NATS of the user's that is not there.
func TestNoSecretOfNATSIsTold(t *testing.T) {
	endures(t)
	t.Parallel()
	s := newSite(t, chat7sim.Options{Scenario: busy()})
	const password, seed = "Zq7-password-of-nats-0006", "SUAZQ7SEEDOFNATSCREDENTIALS0007"
	s.write("nats.creds", "-----BEGIN NATS USER JWT-----\neyJ0.eyJ1."+password+"\n------END NATS USER JWT------\n\n"+
		"-----BEGIN USER NKEY SEED-----\n"+seed+"\n------END USER NKEY SEED------\n")
	h := newHunt(s, password, seed, "sim-ventas", "sim-soporte")
	for _, where := range []string{`{url: "nats://ana:` + password + `@127.0.0.1:1"}`, `{url: "nats://127.0.0.1:1", credentials: nats.creds}`} {
		s.configure(yesterday(), "1h", "nats: "+where, `status: {listen: "127.0.0.1:0"}`, "log: {level: debug}")
		days := []string{"--operation", "ventas", "--from", yesterday(), "--to", yesterday()}
		for _, args := range [][]string{
			{"check"}, {"check", "--json"}, {"status"}, {"status", "--json"}, {"tail"}, {"doctor"}, {"resync", "--sink", "lake"},
			append([]string{"verify"}, days...), append([]string{"backfill"}, days...), append([]string{"backfill", "--plan"}, days...),
		} {
			code, stdout, stderr := s.run(append(args, "-c", "wolkpipe.yaml")...)
			if h.text("what "+args[0]+" says", stdout+stderr); code != 0 && !strings.Contains(stdout+stderr, "127.0.0.1:1") || stdout+stderr == "" {
				t.Errorf("%v exits %d: %s%s", args, code, stdout, stderr)
			}
		}
	}
}

// completeBut is complete, whatever a sink that is away has still to do.
func completeBut(sink string) func(pipeline.Status) bool {
	return func(s pipeline.Status) bool {
		for i := range s.Sinks {
			if s.Sinks[i].Name == sink {
				s.Sinks[i].Backlog = 0
			}
		}
		return complete(s)
	}
}

// talkative is a source that tells the token it was asked with to whoever reads.
type talkative struct {
	mode    atomic.Value // "", "redirect", "fail", "refuse"
	foreign atomic.Int64 // calls where the redirect leads
}

func (s *site) talkative() *talkative {
	k := &talkative{}
	k.mode.Store("")
	foreign := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { k.foreign.Add(1) }))
	s.t.Cleanup(foreign.Close)
	whole := s.watch.before(s.sim)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := r.Header.Get("wolkvox-token")
		w.Header().Set("X-Token", token)
		switch k.mode.Load() {
		case "redirect":
			w.Header().Set("Location", foreign.URL+"/"+token+"?token="+token)
			w.WriteHeader(http.StatusFound)
		case "fail":
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusBadGateway)
		case "refuse":
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprintf(w, `{"code":400,"error":"no such thing %s","msg":"token\u200b %s","data":null}`, token, strings.Join(strings.Split(token, ""), "\u200b"))
		default:
			whole.ServeHTTP(w, r)
			return
		}
		_, _ = fmt.Fprintf(w, "<html>the token %s was sent", token)
	}))
	s.t.Cleanup(server.Close)
	s.url = server.URL
	return k
}

// natsSecret is what the data folder's server is reached with.
func (s *site) natsSecret() string {
	s.t.Helper()
	text, err := os.ReadFile(s.path("data", "nats.secret"))
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}
