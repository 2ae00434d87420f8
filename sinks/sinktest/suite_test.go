package sinktest

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"wolkpipe/sinks"
)

// recorder is a testing.TB that keeps failures to itself.
type recorder struct {
	testing.TB
	mu      sync.Mutex
	failure string
	cleanup []func()
}

func (r *recorder) fail(s string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failure += s
}

func (r *recorder) Helper()                   {}
func (r *recorder) Log(...any)                {}
func (r *recorder) Logf(string, ...any)       {}
func (r *recorder) Cleanup(f func())          { r.cleanup = append(r.cleanup, f) }
func (r *recorder) Fail()                     { r.fail("failed") }
func (r *recorder) Error(a ...any)            { r.fail(fmt.Sprint(a...)) }
func (r *recorder) Errorf(s string, a ...any) { r.fail(fmt.Sprintf(s, a...)) }
func (r *recorder) FailNow()                  { r.fail("failed"); runtime.Goexit() }
func (r *recorder) Fatal(a ...any)            { r.fail(fmt.Sprint(a...)); runtime.Goexit() }
func (r *recorder) Fatalf(s string, a ...any) { r.fail(fmt.Sprintf(s, a...)); runtime.Goexit() }
func (r *recorder) Failed() bool              { r.mu.Lock(); defer r.mu.Unlock(); return r.failure != "" }

// try runs a case on a store and gives what it found wrong, "" for nothing.
func try(t *testing.T, c testCase, h Harness) string {
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			for _, f := range slices.Backward(r.cleanup) {
				f()
			}
		}()
		c.run(r, h)
	}()
	<-done
	return r.failure
}

// TestSuiteFindsFlaws holds the suite to what it is for: a store that is right
// passes, and for each flaw there is a case that tells it.
func TestSuiteFindsFlaws(t *testing.T) {
	// The random case is left out: the plain ones have to find each flaw.
	plain := slices.DeleteFunc(cases(), func(c testCase) bool { return strings.HasPrefix(c.name, "random") })
	for _, c := range plain {
		if found := try(t, c, &broken{days: make(map[sinks.Key]brokenDay)}); found != "" {
			t.Errorf("%s fails on a store without a flaw: %s", c.name, found)
		}
	}
	for _, f := range flaws {
		t.Run(string(f), func(t *testing.T) {
			for _, c := range plain {
				if failure := try(t, c, &broken{flaw: f, days: make(map[sinks.Key]brokenDay)}); failure != "" {
					t.Logf("found by %q: %.300s", c.name, failure)
					return
				}
			}
			t.Error("no case finds it")
		})
	}
}
