package servers

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/gofrs/flock"
)

// Debian is the path of a program, installed with its Debian package where it
// is missing:
//
//	servers.Debian(t, "promtool", "prometheus")
func Debian(t testing.TB, program, pkg string) string {
	t.Helper()
	if path, err := exec.LookPath(program); err == nil {
		return path
	}
	ctx, cancel := context.WithTimeout(t.Context(), installTime)
	defer cancel()
	cache := cacheFolder(t)
	if err := os.MkdirAll(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	lock := flock.New(filepath.Join(cache, "apt.lock")) // lists are fetched by one at a time
	if _, err := lock.TryLockContext(ctx, 200*time.Millisecond); err != nil {
		t.Fatalf("waiting for another process to install Debian packages: %v", err)
	}
	defer func() { _ = lock.Close() }()
	if path, err := exec.LookPath(program); err == nil {
		return path // the other one did
	}
	cmd := exec.CommandContext(ctx, "sh", "-c", `apt-get update && apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$0"`, pkg)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	output, err := cmd.CombinedOutput()
	path, missing := exec.LookPath(program)
	if missing != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is missing, and Debian's package %s cannot be installed: %v\n%s", program, pkg, err, end(output))
		}
		t.Skipf("%s is missing, and Debian's package %s cannot be installed: %v\n%s", program, pkg, err, end(output))
	}
	return path
}

// end is the end of a long text.
func end(text []byte) []byte { return text[max(0, len(text)-2000):] }
