package iceberg

import (
	"testing"

	"wolkpipe/sinks/sinktest"
)

func TestConformance(t *testing.T) {
	for name, at := range map[string]func(testing.TB) lakeAt{"sqlite": sqliteLake, "hadoop": hadoopLake} {
		t.Run(name, func(t *testing.T) {
			sinktest.Run(t, func(t *testing.T) sinktest.Harness { return at(t) })
		})
	}
}
