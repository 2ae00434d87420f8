package main

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/pipeline/chat7/chat7sim"
	"wolkpipe/pipeline/window"
	"wolkpipe/schemas"
)

// below says which span may stand below which; "" is none.
var below = map[string][]string{
	"extract":  {""},
	"lease":    {"extract"},
	"call":     {"extract"},
	"append":   {"extract"},
	"converge": {"append", ""},
	"load":     {"converge"},
	"fold":     {"converge"},
	"commit":   {"converge"},
}

// sayable are the attributes that a span may have, by its name.
var sayable = map[string][]string{
	"extract":  {"wolkpipe.operation", "wolkpipe.for", "wolkpipe.day", "wolkpipe.range"},
	"lease":    {"wolkpipe.outcome"},
	"call":     {"wolkpipe.attempt", "wolkpipe.result", "wolkpipe.rows", "wolkpipe.bytes", "http.response.status_code"},
	"append":   {"wolkpipe.operation", "wolkpipe.day", "wolkpipe.windows", "wolkpipe.sequence", "wolkpipe.outcome"},
	"converge": {"wolkpipe.sink", "wolkpipe.operation", "wolkpipe.day", "wolkpipe.windows", "wolkpipe.rows", "wolkpipe.writes", "wolkpipe.conflicts", "wolkpipe.outcome"},
	"fold":     {"wolkpipe.windows", "wolkpipe.sequence"},
	"commit":   {"wolkpipe.windows", "wolkpipe.rows", "wolkpipe.writes", "wolkpipe.outcome"},
}

// TestTraces has a daemon and commands tell a collector of their work: a call
// of the source can be followed to each sink's commit, and nothing secret or
// personal is told.
func TestTraces(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	s := newSite(t, chat7sim.Options{Scenario: busy(), Seed: 1})
	s.configure(yesterday(), "15m", `nats: {listen: "127.0.0.1:0"}`, `status: {listen: "127.0.0.1:0"}`, "traces: {endpoint: "+c.url+"}")
	const header = "collectors-own-secret"
	s.env = append(s.env, "OTEL_EXPORTER_OTLP_HEADERS=api-key="+header, "OTEL_BSP_MAX_QUEUE_SIZE=100000") // none is to be left out
	p := s.start()
	s.status(p, complete)
	p.signal(syscall.SIGTERM)
	p.exits(0)

	s.followed(c)
	before := time.Now().UTC().Add(-60 * time.Hour).Format(time.DateOnly)
	for _, args := range [][]string{
		{"backfill", "-c", "wolkpipe.yaml", "--operation", "ventas", "--from", before, "--to", before},
		{"verify", "-c", "wolkpipe.yaml", "--operation", "ventas", "--from", before, "--to", before},
	} {
		if code, out, log := s.run(args...); code != 0 {
			t.Fatalf("%v exits %d: %s%s", args, code, out, log)
		}
	}
	c.sound(t)
	reasons := map[string]bool{}
	for _, step := range c.named("extract") {
		reasons[step.said["wolkpipe.for"]] = true
	}
	for _, want := range []string{"live", "catchup", "backfill", "settle", "verify", "quota", "codes"} {
		if !reasons[want] {
			t.Errorf("no step is for %s: %v", want, reasons)
		}
	}
	if c.resource["service.name"] != "wolkpipe" || c.resource["service.version"] == "" || c.resource["service.instance.id"] == "" {
		t.Errorf("the resource is %v", c.resource)
	}
	for _, r := range c.requests {
		if r.Header.Get("Api-Key") != header {
			t.Errorf("the collector is sent the headers %v", r.Header)
		}
	}
	s.private(c)
	s.checkSecrets(p)
	if strings.Contains(p.stderr.String(), header) {
		t.Errorf("the collector's header is in the log: %s", p.stderr.String())
	}
	s.marked(true)
}

// followed finds a call whose rows can be followed to the commits of all sinks.
func (s *site) followed(c *collector) {
	s.t.Helper()
	for _, step := range c.named("extract") {
		steps := c.within(step)
		if len(steps["call"]) == 0 || len(steps["lease"]) == 0 || step.said["wolkpipe.for"] != "catchup" {
			continue
		}
		for _, kept := range steps["append"] {
			held := map[string]bool{}
			for _, convergence := range c.within(kept)["converge"] {
				parts := c.within(convergence)
				whole := len(parts["load"]) > 0 && len(parts["fold"]) > 1 && len(parts["commit"]) > 0
				if convergence.said["wolkpipe.outcome"] == "changed" && whole && convergence.said["wolkpipe.day"] == kept.said["wolkpipe.day"] {
					held[convergence.said["wolkpipe.sink"]] = convergence.trace() == step.trace()
				}
			}
			if held["events"] && held["lake"] {
				return
			}
		}
	}
	s.t.Errorf("no call can be followed to the commits of events and lake, of %d", len(c.named("call")))
}

// sound holds spans to their places, links and attributes.
func (c *collector) sound(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	links := map[string]int{}
	for _, s := range c.spans {
		parent := c.byID[s.parent()]
		place := ""
		if s.parent() != "" {
			if parent == nil {
				t.Errorf("%s: its parent was never sent", s.Name)
				continue
			}
			if place = parent.Name; s.trace() != parent.trace() {
				t.Errorf("%s is in another trace than the %s above it", s.Name, place)
			}
		}
		if !slices.Contains(below[s.Name], place) || s.scope != "wolkpipe" {
			t.Errorf("%s of %s stands below %q", s.Name, s.scope, place)
		}
		for key := range s.said {
			if !slices.Contains(sayable[s.Name], key) && key != "error.type" {
				t.Errorf("%s says %s=%s", s.Name, key, s.said[key])
			}
		}
		if len(s.Events) > 0 {
			t.Errorf("%s has events: %v", s.Name, s.Events)
		}
		for _, link := range s.Links {
			to := c.byID[fmt.Sprintf("%x", link.SpanId)]
			switch {
			case to == nil:
				t.Errorf("%s has a link to a span that was never sent", s.Name)
			case to.id() == s.parent():
				t.Errorf("%s has a link to its parent", s.Name)
			case to.said["wolkpipe.operation"] != s.said["wolkpipe.operation"]:
				t.Errorf("%s of %s has a link to %s of %s", s.Name, s.said["wolkpipe.operation"], to.Name, to.said["wolkpipe.operation"])
			default:
				links[s.Name+" to "+to.Name]++
			}
		}
	}
	t.Logf("%d spans; links: %v", len(c.spans), links)
	for kind := range links {
		if !slices.Contains([]string{"append to extract", "converge to append", "converge to converge"}, kind) {
			t.Errorf("a link leads from %s", kind)
		}
	}
}

// private holds what was sent to say nothing of persons, and no secret.
func (s *site) private(c *collector) {
	s.t.Helper()
	look := func(what, word string) {
		if len(word) < 5 { // found in any bytes
			return
		}
		for _, raw := range c.raw {
			if bytes.Contains(raw, []byte(word)) {
				s.t.Errorf("%s %q was sent to the collector", what, word)
				return
			}
		}
	}
	for _, op := range s.sim.Operations() {
		look("the token", op.Tokens[0])
		day, err := window.ParseDate(yesterday())
		if err != nil {
			s.t.Fatal(err)
		}
		cells := s.sim.Truth(op.Name, window.Range{From: day.Start(), To: day.End()})
		if len(cells) < 5 {
			s.t.Fatalf("%s had %d rows only", op.Name, len(cells))
		}
		for _, cell := range cells {
			look("the agent", cell.Agent)
			look("the code", cell.Code)
		}
	}
	look("the source's address", strings.TrimPrefix(s.url, "http://"))
	look("a query", "date_ini")
}

// marked holds the journal's messages to carry a trace on, or not.
func (s *site) marked(want bool) {
	s.t.Helper()
	nc, end := s.connect()
	defer end()
	js, err := jetstream.New(nc)
	if err != nil {
		s.t.Fatal(err)
	}
	consumer, err := js.OrderedConsumer(s.t.Context(), schemas.JournalStream, jetstream.OrderedConsumerConfig{HeadersOnly: true})
	if err != nil {
		s.t.Fatal(err)
	}
	messages, err := consumer.FetchNoWait(1000)
	if err != nil {
		s.t.Fatal(err)
	}
	n := 0
	for msg := range messages.Messages() {
		n++
		if mark := msg.Headers().Get("traceparent"); (mark != "") != want || strings.HasPrefix(mark, "00-00000000") {
			s.t.Errorf("%s has traceparent %q", msg.Subject(), mark)
		}
		if others := msg.Headers().Get("Traceparent") + msg.Headers().Get("tracestate"); others != "" {
			s.t.Errorf("%s has %q", msg.Subject(), others)
		}
	}
	if n == 0 {
		s.t.Error("the journal is empty")
	}
}

// TestNoTraces: where no collector is configured, messages carry nothing, and
// the variables of others start nothing.
func TestNoTraces(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	s := newSite(t, chat7sim.Options{Scenario: busy(), Seed: 1})
	s.configure(yesterday(), "1h")
	s.env = append(s.env, "OTEL_EXPORTER_OTLP_ENDPOINT="+c.url, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "OTEL_EXPORTER_OTLP_HEADERS=hunter2")
	p := s.start()
	s.status(p, complete)
	p.signal(syscall.SIGTERM)
	p.exits(0)
	s.marked(false)
	if log := p.stderr.String(); strings.Count(log, "no traces are sent") != 1 || strings.Contains(log, "hunter2") || len(c.requests) > 0 {
		t.Errorf("%d requests; the log is %s", len(c.requests), log)
	}
}

// TestCollectorFails: whatever is wrong with the collector, the daemon works,
// tells it once, without what the collector was sent, and ends in time.
func TestCollectorFails(t *testing.T) {
	const secret = "hunter2hunter2"
	hung := make(chan struct{})
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("what is for the collector was sent to whom it named")
	}))
	t.Cleanup(elsewhere.Close)
	for name, answer := range map[string]http.HandlerFunc{
		"hangs": func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			select {
			case <-hung:
			case <-r.Context().Done():
			}
		},
		"refuses": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, "not with ", r.Header.Get("Authorization"))
		},
		"fails": func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, r.Header.Get("Authorization"), http.StatusInternalServerError)
		},
		"is overloaded": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusServiceUnavailable)
		},
		"is away":           nil,
		"has a certificate": func(http.ResponseWriter, *http.Request) {},
		"leads somewhere else": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+"/"+secret, http.StatusTemporaryRedirect)
		},
		"answers what is no OTLP": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/x-protobuf")
			fmt.Fprint(w, "<html>")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewUnstartedServer(answer)
			server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
			if name == "has a certificate" {
				server.StartTLS()
			} else {
				server.Start()
			}
			url := server.URL
			t.Cleanup(server.Close)
			if answer == nil {
				server.Close()
			}
			s := newSite(t, chat7sim.Options{Scenario: busy(), Seed: 1})
			s.configure(yesterday(), "15m", `nats: {listen: "127.0.0.1:0"}`, `status: {listen: "127.0.0.1:0"}`, "traces: {sample: 1}")
			s.env = append(s.env, "OTEL_EXPORTER_OTLP_ENDPOINT="+url, "OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20"+secret,
				"OTEL_BSP_SCHEDULE_DELAY=100")
			p := s.start()
			last := s.status(p, complete)
			if name != "hangs" {
				p.says("the collector does not take traces")
			}
			p.signal(syscall.SIGTERM)
			p.exits(0)
			s.check(yesterday(), 15*time.Minute, last)
			s.marked(true)
			said := p.stderr.String()
			if n := strings.Count(said, "the collector does not take traces"); n != 1 {
				t.Errorf("it is told %d times: %s", n, said)
			}
			if strings.Contains(said, secret) {
				t.Errorf("what the collector is sent is in the log: %s", said)
			}
		})
	}
	t.Cleanup(func() { close(hung) })
}
