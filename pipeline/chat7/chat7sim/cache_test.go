package chat7sim

import (
	"testing"

	"wolkpipe/pipeline/window"
)

func TestCacheIsBounded(t *testing.T) {
	var c dayCache
	made := map[window.Date]int{}
	generate := func(size int) func(window.Date) *day {
		return func(d window.Date) *day { made[d]++; return &day{entries: make([]entry, size)} }
	}
	for d := range window.Date(2 * maxCachedDays) {
		c.get(d, generate(1))
		c.get(0, generate(1)) // always in use
	}
	if len(c.days) != maxCachedDays || c.entries != maxCachedDays {
		t.Errorf("%d days of %d entries are kept", len(c.days), c.entries)
	}
	if made[0] != 1 || made[1] != 1 || made[2*maxCachedDays-1] != 1 {
		t.Error("days were made again while they were kept")
	}
	c.get(1, generate(1))
	if made[1] != 2 {
		t.Error("a day that was dropped was not made again")
	}
	for d := range window.Date(5) {
		c.get(10_000+d, generate(maxCachedEntries/2))
	}
	if c.entries > maxCachedEntries {
		t.Errorf("%d entries are kept", c.entries)
	}
	c.get(20_000, generate(maxCachedEntries+1))
	if len(c.days) != 1 {
		t.Errorf("%d days are kept with one that is too large", len(c.days))
	}
}
