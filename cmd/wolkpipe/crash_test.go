package main

import (
	"math/rand/v2"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"wolkpipe/pipeline"
	"wolkpipe/pipeline/chat7/chat7sim"
)

// TestKilledDaemonConverges kills the daemon with SIGKILL again and again: in
// its start, and in the middle of its work, at random moments. The last one
// is left to finish; then events, lake, tables, coverage and quarantine must be what
// the source has, as if nothing had happened.
//
// The clock runs 100 times as fast, so that a call without an answer costs less
// than a second, and windows become due all along. The days hold a clock change.
// WOLKPIPE_TEST_KILLS and WOLKPIPE_TEST_SEED make it longer, or another one.
func TestKilledDaemonConverges(t *testing.T) {
	t.Parallel()
	kills, seed := number(t, "WOLKPIPE_TEST_KILLS", 12), number(t, "WOLKPIPE_TEST_SEED", 1)
	t.Logf("%d kills, seed %d", kills, seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	clock := quickClock{anchor: time.Now(), begin: time.Date(2026, 9, 7, 15, 0, 0, 0, time.UTC), rate: 100}
	operations := chat7sim.DefaultOperations()
	for i := range operations {
		operations[i].Weekends, operations[i].Licences = true, 50
	}
	s := newSite(t, chat7sim.Options{Seed: seed, Now: clock.Now, Scenario: chat7sim.Scenario{
		Operations: operations,
		Faults: chat7sim.Faults{
			Latency:      chat7sim.Latency{Base: 4 * time.Millisecond, Random: 8 * time.Millisecond},
			Slow:         chat7sim.Timed{Rate: 0.005, For: 300 * time.Millisecond},
			ServerErrors: 0.03, Cut: 0.002, Dropped: 0.002, PHPWarning: 0.1, OddCode: 0.1,
			OddNames: 0.3, SplitNames: 0.1, JunkRows: 0.02, DuplicateRows: 0.05, RepeatedKeys: 0.1, Shuffled: true,
		},
	}})
	s.program, s.env = "wolkpipe-quick", append(s.env, clock.variable())
	const since = "2026-09-05" // the day before the clock change of America/Santiago
	s.configure(since, "5m", withTables...)

	var open int // kills that left a call open at the source
	for kill := range kills {
		before := s.calls()
		p := s.start()
		if kill%4 == 0 { // in the start, wherever it is
			time.Sleep(time.Duration(rng.Int64N(int64(400 * time.Millisecond))))
		} else {
			s.progress(p, before+1+rng.Int64N(60))
			time.Sleep(5*time.Millisecond + time.Duration(rng.Int64N(int64(595*time.Millisecond))))
		}
		p.alive()
		p.kill()
		for _, token := range s.sim.Stats().Tokens {
			open += token.InFlight
		}
		s.checkLakeFiles()
	}

	p := s.start()
	missing := 0
	s.status(p, func(s pipeline.Status) bool {
		missing = operation(t, s, "ventas").Missing
		return s.Running && operation(t, s, "ventas").Due > 0
	})
	last := s.status(p, complete)
	p.signal(syscall.SIGTERM)
	p.exits(0)

	if s.check(since, 5*time.Minute, last) == 0 {
		t.Error("no row was rejected: the quarantine is not tested")
	}
	s.checkTables(since)
	overlaps, faults := int64(0), map[string]int64{}
	for _, token := range s.sim.Stats().Tokens {
		overlaps += token.Overlaps
	}
	for name, op := range s.sim.Stats().Operations {
		t.Logf("%s: %d windows due, %d calls, %v", name, operation(t, last, name).Due, op.Total, op.Results())
		for fault, n := range op.Faults {
			faults[fault] += n
		}
	}
	t.Logf("%d calls were open when the daemon was killed, %d windows of ventas missing after the last kill, %d overlaps, faults: %v",
		open, missing, overlaps, faults)
	// Those included that a killed process left open.
	if met := s.watch.meetings(); met > 0 || overlaps > 0 {
		t.Errorf("%d calls met another on their token, %d of them one of the same process", overlaps, met)
	}
	for _, fault := range []string{"server_errors", "php_warning", "odd_code"} {
		if faults[fault] == 0 {
			t.Errorf("%s never struck", fault)
		}
	}
}

func number(t *testing.T, variable string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// calls is how many calls the simulator has had.
func (s *site) calls() (n int64) {
	for _, op := range s.sim.Stats().Operations {
		n += op.Total
	}
	return n
}

// progress waits until the simulator has had so many calls.
func (s *site) progress(p *process, calls int64) {
	s.t.Helper()
	for begin := time.Now(); s.calls() < calls; time.Sleep(time.Millisecond) {
		p.alive()
		if time.Since(begin) > patience {
			s.t.Fatalf("the daemon makes no calls: %s", p.stderr.String())
		}
	}
}
