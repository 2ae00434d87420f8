package iceberg

import (
	"flag"
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	flush = false // a power cut is not among the tests
	// Every commit of the suite's random case is some files, all in one table.
	if err := flag.Set("rapid.checks", "12"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
