package deploy_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"wolkpipe/sinks/sinktest/servers"
)

const unit = "systemd/wolkpipe.service"

// most is how exposed the unit may be by systemd's own count, 10 being a
// service without any protection.
const most = 2.0

// TestUnit has systemd read the unit, and count how exposed it is.
func TestUnit(t *testing.T) {
	analyze := servers.Debian(t, "systemd-analyze", "systemd")
	// The program is not installed here: the unit is read with one that is.
	text := strings.Replace(read(t, unit), "/usr/local/bin/wolkpipe ", wolkpipe(t)+" ", 1)
	installed := write(t, filepath.Join(t.TempDir(), "wolkpipe.service"), text)
	if err := os.Chmod(scratch, 0o755); err != nil {
		t.Fatal(err)
	}
	if out := must(t, analyze, "verify", "--man=no", "--recursive-errors=no", installed); strings.TrimSpace(out) != "" {
		t.Errorf("systemd-analyze verify: %s", out)
	}
	out := must(t, analyze, "security", "--offline=true", "--no-pager", installed)
	m := regexp.MustCompile(`exposure level for wolkpipe\.service: ([0-9.]+)`).FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("systemd-analyze security tells no level:\n%s", out)
	}
	if level, err := strconv.ParseFloat(m[1], 64); err != nil || level >= most {
		t.Errorf("the unit's exposure is %s, not below %.1f:\n%s", m[1], most, out)
	}
}

// TestUnitConfiguration: the file beside the unit is right, keeps its data where
// the unit lets it write, and reads the credentials that the unit loads.
func TestUnitConfiguration(t *testing.T) {
	text, service := read(t, "systemd/wolkpipe.yaml"), read(t, unit)
	if !strings.Contains(text, "data: /var/lib/wolkpipe ") || !strings.Contains(service, "StateDirectory=wolkpipe\n") {
		t.Error("data is not the unit's state")
	}
	for _, m := range regexp.MustCompile(`file:/run/credentials/wolkpipe\.service/(\S+)`).FindAllStringSubmatch(text, -1) {
		if !strings.Contains(service, "LoadCredential="+m[1]+":") {
			t.Errorf("the unit loads no credential %s", m[1])
		}
	}
	check(t, text)
}
