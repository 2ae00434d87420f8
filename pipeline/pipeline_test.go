package pipeline

import (
	"testing"
	"time"

	"wolkpipe/pipeline/chat7/chat7sim"
	"wolkpipe/pipeline/window"
)

// noon is a Tuesday.
var noon = time.Date(2026, 11, 10, 17, 0, 0, 0, time.UTC)

func TestCatchUpThenLive(t *testing.T) {
	r := newRig(t, chat7sim.Scenario{}, 1, noon)
	r.since = window.DateOf(2026, 11, 9)
	r.run(noon)
	r.check(window.DateOf(2026, 11, 10))
	r.run(noon.Add(2 * time.Hour)) // live, in a process of its own
	r.check(window.DateOf(2026, 11, 10))
}
