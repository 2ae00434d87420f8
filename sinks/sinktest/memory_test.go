package sinktest

import (
	"testing"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
)

type memoryHarness struct{ store *Memory }

func (h memoryHarness) Open(testing.TB) sinks.Sink { return h.store }

func (h memoryHarness) Contents(_ testing.TB, key sinks.Key) []schemas.Window {
	return h.store.Contents(key)
}

func (h memoryHarness) Watch(_ testing.TB, key sinks.Key) []schemas.Window {
	return h.store.Contents(key)
}

func TestMemory(t *testing.T) {
	Run(t, func(*testing.T) Harness { return memoryHarness{NewMemory()} })
}
