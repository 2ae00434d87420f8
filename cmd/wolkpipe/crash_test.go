package main

import (
	"os"
	"strconv"
	"testing"
	"time"

	"wolkpipe/pipeline/chat7/chat7sim"
)

// TestKilledDaemonConverges kills the daemon with SIGKILL again and again: in
// its start, and in the middle of its work, at random moments. After every few
// kills it is left to finish; then events, lake, tables, coverage and quarantine must
// be what the source has, as if nothing had happened.
//
// The clock runs 100 times as fast, so that a call without an answer costs less
// than a second, and windows become due all along. The days hold a clock change.
//
// The source is faulty all the while. [TestKilledAmidFaults] has a broker and
// an object store that are, too; in [TestPowerLoss] a kill also takes what was
// not flushed. WOLKPIPE_TEST_KILLS and WOLKPIPE_TEST_SEED make them longer, or
// other ones. Hundreds of kills, with a table of what was seen at the end of each:
//
//	WOLKPIPE_TEST_KILLS=120 go test -count=1 -v -timeout 1h -run 'TestKilledDaemon|TestKilledAmid|TestPowerLoss' ./cmd/wolkpipe
func TestKilledDaemonConverges(t *testing.T) {
	t.Parallel()
	s := newStorm(t, 12)
	s.more = withTables
	s.weather([]*fault{{name: "process killed"}})
	s.checkTables(s.since())
	for _, f := range []string{"server_errors", "php_warning", "odd_code", "cut"} {
		if s.sourceFaults()[f] == 0 {
			t.Errorf("%s never struck", f)
		}
	}
}

// unsteady is a source with faults and oddities of every kind that does not
// change what is true.
func unsteady() chat7sim.Scenario {
	operations := chat7sim.DefaultOperations()
	for i := range operations {
		operations[i].Weekends, operations[i].Licences = true, 50
	}
	return chat7sim.Scenario{
		Operations: operations,
		Faults: chat7sim.Faults{
			Latency:      chat7sim.Latency{Base: 4 * time.Millisecond, Random: 8 * time.Millisecond},
			Slow:         chat7sim.Timed{Rate: 0.005, For: 300 * time.Millisecond},
			ServerErrors: 0.03, Cut: 0.002, Dropped: 0.002, PHPWarning: 0.1, OddCode: 0.1,
			OddNames: 0.3, SplitNames: 0.1, JunkRows: 0.02, DuplicateRows: 0.05, RepeatedKeys: 0.1, Shuffled: true,
		},
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
