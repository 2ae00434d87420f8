package main

import (
	"strings"
	"testing"
	"time"

	"wolkpipe/pipeline/chat7/chat7sim"
)

// TestBackfillOwnCountWaitsForReset: where our own count is full, a backfill
// waits for the midnight after which the source may tell that its day has begun
// anew, not until the oldest calls are 24 h old.
func TestBackfillOwnCountWaitsForReset(t *testing.T) {
	t.Parallel()
	operations := brisk("ventas")
	operations[0].Licences = 1
	begin := time.Date(2026, 11, 27, 4, 45, 0, 0, time.UTC) // 23:45 in Bogotá
	s, _ := quickSite(t, begin, 100, chat7sim.Options{Seed: 6, Scenario: chat7sim.Scenario{
		Operations: operations, Faults: chat7sim.Faults{UsedElsewhere: 930},
	}})
	s.configure("2026-11-26", "1h")
	s.env = append(s.env, "TZ=UTC")
	p := s.start(backfillArgs("ventas", "2026-11-02", "2026-11-05")...)
	p.says("waiting until ")
	if !strings.Contains(p.stderr.String(), "waiting until 2026-11-27 05:") {
		t.Errorf("it waits past the reset: %s", p.stderr.String())
	}
}

// TestSecondBackfillWithoutDaemon: of commands at once where no daemon runs, the
// first takes on what the others ask, for another operation too, and stays until
// that is done.
func TestSecondBackfillWithoutDaemon(t *testing.T) {
	t.Parallel()
	s, _ := quickSite(t, noon, 100, chat7sim.Options{Seed: 5, Scenario: chat7sim.Scenario{
		Operations: brisk("ventas", "soporte"), Faults: chat7sim.Faults{Latency: chat7sim.Latency{Base: 5 * time.Millisecond}},
	}})
	s.configure("2026-11-27", "15m")
	first := s.start(backfillArgs("ventas", "2026-11-01", "2026-11-01")...)
	first.says("filling: ")
	second := s.start(backfillArgs("ventas", "2026-11-02", "2026-11-03")...)
	third := s.start(backfillArgs("soporte", "2026-11-02", "2026-11-03")...)
	first.exits(0)
	third.exits(0)
	second.exits(0)
}

// TestProgressOfAStartingDaemon: a daemon that has just started has not read the
// journal yet; what it does not know is not told as filled now.
func TestProgressOfAStartingDaemon(t *testing.T) {
	t.Parallel()
	s, _ := quickSite(t, noon, 100, chat7sim.Options{Seed: 5, Scenario: chat7sim.Scenario{Operations: brisk("ventas")}})
	s.configure("2026-11-27", "5m")
	s.run(backfillArgs("ventas", "2026-10-01", "2026-11-26")...)
	p := s.start()
	p.says(`"msg":"running"`)
	_, stdout, stderr := s.run(backfillArgs("ventas", "2026-10-01", "2026-11-26")...)
	if !strings.Contains(stdout, " 0 of them filled now") {
		t.Errorf("%s%s", stdout, stderr)
	}
}
