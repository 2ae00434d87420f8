package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/pipeline/broker"
	"wolkpipe/pipeline/chat7/chat7sim"
	"wolkpipe/pipeline/erase"
	"wolkpipe/pipeline/journal"
	"wolkpipe/pipeline/window"
)

// TestErase erases an agent as a user would: with wrong input, beside a
// daemon, killed in between, with none running. Then nothing in the data folder
// names the agent, all counts are what the source has, and they stay so when
// the source is asked again.
func TestErase(t *testing.T) {
	t.Parallel()
	s := newSite(t, chat7sim.Options{Seed: 8, Scenario: chat7sim.Scenario{
		Operations: []chat7sim.Operation{
			{Name: "ventas", Timezone: "America/Bogota", InteractionsPerDay: 300, Weekends: true, Licences: 5},
			{Name: "cobros", Timezone: "America/Bogota", InteractionsPerDay: 100, Weekends: true, Licences: 5},
		},
		Faults: chat7sim.Faults{OddNames: 0.4, SplitNames: 0.2, JunkRows: 0.05, DuplicateRows: 0.1, RepeatedKeys: 0.1, Shuffled: true},
	}})
	since := time.Now().UTC().AddDate(0, 0, -3).Format(time.DateOnly)
	s.configure(since, "1h", withTables...)
	agent := s.busiest("ventas", since)
	args := func(more ...string) []string { return append([]string{"erase", "-c", "wolkpipe.yaml"}, more...) }
	want := func(code int, says string, args ...string) (stdout string) {
		t.Helper()
		got, stdout, stderr := s.run(args...)
		if got != code || !strings.Contains(stdout+stderr, says) {
			t.Errorf("%v exits %d, want %d with %q:\n%s%s", args, got, code, says, stdout, stderr)
		}
		if strings.Contains(stdout+stderr, agent) {
			t.Errorf("%v repeats the name:\n%s%s", args, stdout, stderr)
		}
		return stdout
	}
	want(2, "--agent is missing", args("--yes")...)
	want(2, "say --yes if it is meant", args("--agent", agent)...)
	want(2, `--operation "nobody" is not in the configuration`, args("--agent", agent, "--operation", "nobody", "--yes")...)
	want(1, "nothing was erased", args("--agent", agent, "--yes")...) // nothing is there yet
	want(1, "erased already", args("--agent", "erased:0123456789abcdef", "--yes")...)

	p := s.start()
	s.status(p, complete)
	s.consumer("reader") // which reads nothing
	want(1, "nothing was erased", args("--agent", "Nobody At All", "--yes")...)
	want(0, "named in", args("--agent", agent, "--plan")...)
	if s.names(agent) == 0 {
		t.Fatal("the data folder does not name the agent: nothing is tested")
	}
	// Killed at each step, then carried out.
	for _, at := range []string{"rewriting the journal", "erasing from lake", "destroying what events kept"} {
		c := s.start(args("--agent", agent, "--yes")...)
		c.says(at)
		c.kill()
	}
	told := want(0, "erased from", args("--agent", agent, "--yes")...)
	if !strings.Contains(told, "consumer reader had not read") {
		t.Errorf("the consumer that lags is not named:\n%s", told)
	}
	last := s.status(p, complete)
	p.signal(syscall.SIGTERM)
	p.exits(0)
	s.erased = agent
	s.check(since, time.Hour, last)
	s.checkTables(since)
	if n := s.names(agent); n > 0 {
		t.Errorf("the data folder still names the agent in %d places", n)
	}

	// The source tells the name again, of days that are known and of others.
	days := []string{"-c", "wolkpipe.yaml", "--operation", "ventas", "--from", since, "--to", yesterday()}
	want(0, "agrees with the journal", append([]string{"verify"}, days...)...)
	object := s.path("data", "lake", "chat_7", "operation=ventas", "day="+since, "chat_7.parquet")
	if err := os.Remove(object); err != nil {
		t.Fatal(err)
	}
	want(0, "agrees with the journal", append([]string{"verify", "--repair"}, days...)...)
	before := time.Now().UTC().AddDate(0, 0, -5).Format(time.DateOnly)
	want(0, "Done: ", "backfill", "-c", "wolkpipe.yaml", "--operation", "ventas", "--from", before, "--to", before)
	if n := s.names(agent); n > 0 {
		t.Errorf("asked again, the data folder names the agent in %d places", n)
	}
	want(0, "erased before", args("--agent", agent, "--yes")...) // with no daemon, and nothing to do
}

// busiest is the agent whose plain name has the most interactions on a day.
func (s *site) busiest(operation, day string) (agent string) {
	s.t.Helper()
	date, err := window.ParseDate(day)
	if err != nil {
		s.t.Fatal(err)
	}
	counts := map[string]int64{}
	for _, c := range s.sim.Truth(operation, window.Range{From: date.Start(), To: (date + 1).Start()}) {
		if len(c.Agent) > 5 && !strings.ContainsFunc(c.Agent, func(r rune) bool { return r > '~' || r == '&' || r == '<' }) {
			if counts[c.Agent] += c.Interactions; counts[c.Agent] > counts[agent] || agent == "" {
				agent = c.Agent
			}
		}
	}
	if agent == "" {
		s.t.Fatal("no agent has a plain name")
	}
	return agent
}

// consumer makes a durable consumer of the events on a running installation.
func (s *site) consumer(name string) {
	s.t.Helper()
	nc, end := s.beside()
	defer end()
	js, err := jetstream.New(nc)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := js.CreateOrUpdateConsumer(s.t.Context(), "CHAT7_EVENTS", jetstream.ConsumerConfig{Durable: name, AckPolicy: jetstream.AckExplicitPolicy}); err != nil {
		s.t.Fatal(err)
	}
}

// beside reaches the NATS of an installation, whether its daemon runs or not.
func (s *site) beside() (nc *nats.Conn, end func()) {
	s.t.Helper()
	nc, err := broker.Attach(s.path("data"), broker.RemoteOptions{Name: "test"})
	if errors.Is(err, broker.ErrNotRunning) {
		return s.connect()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return nc, nc.Close
}

// names counts the places where the data folder has an agent's name: the bytes
// of its files, and the rows in the journal and the lake.
func (s *site) names(agent string) (n int) {
	s.t.Helper()
	err := filepath.WalkDir(s.path("data"), func(path string, d fs.DirEntry, err error) error {
		if os.IsNotExist(err) || err == nil && d.IsDir() {
			return nil
		}
		data, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			return nil
		}
		if at := bytes.Index(data, []byte(agent)); at >= 0 {
			s.t.Logf("%s has the name at %d of %d", path, at, len(data))
			n += bytes.Count(data, []byte(agent))
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	nc, end := s.beside()
	defer end()
	js, err := jetstream.New(nc)
	if err != nil {
		s.t.Fatal(err)
	}
	j, err := journal.Open(s.t.Context(), js)
	if err != nil {
		s.t.Fatal(err)
	}
	keys, err := j.Days(s.t.Context(), "")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, key := range keys {
		found, err := j.Count(s.t.Context(), key, func(o journal.Observation) (journal.Observation, bool) {
			return o, erase.Named(o.Rows, agent) || bytes.Contains(bytes.Join(raws(o.Rows), nil), []byte(agent))
		})
		if err != nil {
			s.t.Fatal(err)
		}
		if n += found.Now + found.Before + found.Unreadable; found.Any() {
			s.t.Logf("the journal's %s: %+v", key, found)
		}
	}
	return n
}

func raws(rows []json.RawMessage) (all [][]byte) {
	for _, r := range rows {
		all = append(all, r)
	}
	return all
}

// known is by what name an agent is to be found.
func (s *site) known(have holdings, operation, agent string) string {
	if s.erased == "" || agent != s.erased {
		return agent
	}
	for k := range have.rows {
		if k.operation == operation && strings.HasPrefix(k.agent, erase.Standing) {
			return k.agent
		}
	}
	return agent
}
