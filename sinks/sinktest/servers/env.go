package servers

import (
	"strings"
	"testing"
)

// setenv sets variables for the length of a test.
func setenv(t testing.TB, env []string) {
	t.Helper()
	for _, line := range env {
		name, value, _ := strings.Cut(line, "=")
		t.Setenv(name, value)
	}
}
