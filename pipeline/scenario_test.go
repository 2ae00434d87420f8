package pipeline

import (
	"maps"
	"slices"
	"testing"
	"time"

	"wolkpipe/pipeline/chat7/chat7sim"
	"wolkpipe/pipeline/window"
)

// TestScenarios runs the pipeline under each of the simulator's faults: half a
// day to catch up with, a few live windows, then every window asked for again
// once the late closings are in.
func TestScenarios(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(chat7sim.Scenarios())) {
		scenario := chat7sim.Scenarios()[name]
		switch name {
		case "slow", "revoked", "silence", "row-cap", "row-cap-refused", "quota": // below, or elsewhere
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, scenario, 42, noon)
			r.since = window.DateOf(2026, 11, 10)
			r.run(noon)
			r.run(noon.Add(40 * time.Minute))
			r.grace = time.Hour
			r.clock.jump(5 * time.Hour)
			r.settle(r.since)
			r.check(r.last())
		})
	}
}
