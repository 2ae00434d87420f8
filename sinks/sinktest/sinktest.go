// Package sinktest is the conformance suite of sinks: what [sinks.Sink] and
// [sinks.Held] oblige a driver to, as tests that every driver runs.
//
//	func TestConformance(t *testing.T) {
//		sinktest.Run(t, func(t *testing.T) sinktest.Harness { return newHarness(t) })
//	}
//
// The law behind all of it: once [sinks.Converge] has returned without an
// error, the store holds for each window exactly the rows that the source
// tells, whatever failed, raced or came late before. The harness reads the
// store as its users do, so a driver cannot vouch for itself.
//
// The package also has what tests of other packages need around sinks:
// [Memory], a sink in memory with real guards, [Faulty], which makes any sink
// fail, and [Source], a journal in memory.
package sinktest

import (
	"testing"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
)

// Harness is one store under test, empty when it is made. What it opened is
// closed by the cleanup of the test that made it.
type Harness interface {
	// Open gives another handle on the store, one that shares no state with
	// the others in this process: a second process. The suite closes it.
	Open(t testing.TB) sinks.Sink

	// Contents reads what the store now holds of a day without the driver's
	// help, the way its users do: events summed, files queried. Each window
	// that the store knows is there once, the empty ones too, with Local,
	// Start, End, Method, ObservedAt and Rows; the order is free. Nil where
	// nothing was ever written. No commit is under way when it is called.
	Contents(t testing.TB, key sinks.Key) []schemas.Window
}

// Watcher is a [Harness] that can also be read while commits are under way.
// Implementing it adds the case that readers see a window before or after a
// commit, never between.
type Watcher interface {
	Harness

	// Watch is Contents at any time: only Local and Rows are looked at, and a
	// window that is just being made known may be missing.
	Watch(t testing.TB, key sinks.Key) []schemas.Window
}

// testCase is one obligation. It takes a testing.TB so that the suite's own
// tests can see it fail.
type testCase struct {
	name string
	run  func(t testing.TB, h Harness)
}

// cases are all obligations, in the order in which a new driver meets them.
func cases() []testCase {
	var all []testCase
	all = append(all, contentCases...)
	all = append(all, orderCases...)
	all = append(all, guardCases...)
	all = append(all, sizeCases...)
	all = append(all, faultCases...)
	all = append(all, fillCases...)
	all = append(all, auditCases...)
	return all
}

// Run runs the suite, each case on a store of its own from newHarness.
func Run(t *testing.T, newHarness func(t *testing.T) Harness) {
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) { c.run(t, newHarness(t)) })
	}
}

// open opens a handle that is closed when the test ends.
func open(t testing.TB, h Harness) sinks.Sink {
	t.Helper()
	s := h.Open(t)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing the sink: %v", err)
		}
	})
	return s
}

// check fails unless the store holds exactly want of key's day.
func check(t testing.TB, h Harness, key sinks.Key, want []schemas.Window) {
	t.Helper()
	if d := Diff(want, h.Contents(t, key)); d != "" {
		t.Fatalf("the store does not hold %s (wanted -, held +):\n%s", key, d)
	}
}

// load loads key's day or fails.
func load(t testing.TB, s sinks.Sink, key sinks.Key) sinks.Held {
	t.Helper()
	held, err := s.Load(t.Context(), key)
	if err != nil {
		t.Fatalf("Load %s: %v", key, err)
	}
	return held
}

// commit loads and commits day, which must work.
func commit(t testing.TB, s sinks.Sink, day *sinks.Day) sinks.Change {
	t.Helper()
	change, err := load(t, s, day.Key).Commit(t.Context(), day)
	if err != nil {
		t.Fatalf("Commit %s: %v", day.Key, err)
	}
	return change
}

// wrote fails unless change tells of n replaced windows and at least a write.
func wrote(t testing.TB, change sinks.Change, n int) {
	t.Helper()
	if change.Windows != n || change.Writes < 1 {
		t.Fatalf("Change = %+v, want %d windows in at least one write", change, n)
	}
}

// idle fails unless change tells that nothing was written.
func idle(t testing.TB, change sinks.Change) {
	t.Helper()
	if change != (sinks.Change{}) {
		t.Fatalf("Change = %+v, want zero: the sink held the day already", change)
	}
}
