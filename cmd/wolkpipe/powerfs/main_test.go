package powerfs_test

import (
	"fmt"
	"os"
	"testing"
)

// TestMain runs the tests where they are asked for: a process that both serves
// a disk and writes on it can come to a stand.
func TestMain(m *testing.M) {
	if os.Getenv("WOLKPIPE_ENDURE") != "1" {
		fmt.Println("skipped: a process that serves the disk it writes on can come to a stand: WOLKPIPE_ENDURE=1 runs it")
		return
	}
	os.Exit(m.Run())
}
