package extract

import (
	"math/rand/v2"
	"time"

	"wolkpipe/pipeline/window"
)

// Back-off doubles from firstWait to lastWait, with jitter.
const (
	firstWait = time.Second
	lastWait  = time.Minute
)

// backoff is how long to wait after so many failures in a row: between half
// and all of the doubled time, so that two processes do not stay in step.
func backoff(failures int) time.Duration {
	wait := lastWait
	if failures < 6 {
		wait = firstWait << failures
	}
	return wait/2 + rand.N(wait/2+1)
}

// failures counts failures in a row, of all calls and of each range.
type failures struct {
	inRow     int // of all calls
	successes int // of all calls, ever
	ranges    map[window.Range]*streak
}

// streak is a range's failures in a row.
type streak struct {
	failures int
	since    int // successes when it began
}

func newFailures() failures { return failures{ranges: map[window.Range]*streak{}} }

// add counts a failure, and gives how long to wait.
func (f *failures) add(r window.Range) time.Duration {
	s := f.ranges[r]
	if s == nil {
		s = &streak{since: f.successes}
		f.ranges[r] = s
	}
	wait := backoff(max(f.inRow, s.failures))
	f.inRow++
	s.failures++
	return wait
}

func (f *failures) succeeded(r window.Range) {
	f.inRow = 0
	f.successes++
	delete(f.ranges, r)
}

// inRowOf is how often a range has failed since it was last answered.
func (f *failures) inRowOf(r window.Range) int {
	if s := f.ranges[r]; s != nil {
		return s.failures
	}
	return 0
}

func (f *failures) forget(r window.Range) { delete(f.ranges, r) }

// stuck reports whether a range fails by itself: while others are answered,
// or for so long that it is worth finding out.
func (f *failures) stuck(r window.Range) bool {
	s := f.ranges[r]
	return s != nil && (s.failures >= 5 && f.successes > s.since || s.failures >= 20)
}
