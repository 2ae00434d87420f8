// Package deploy_test tries what deploy holds: the rules and the dashboard on a
// real Prometheus that scrapes the real program, the image, the chart, the unit
// and the compose file with the tools that read them, and every configuration
// in them with `wolkpipe check`.
//
// Tools that a machine lacks are installed: Go programs at pinned versions into
// a cache of the user's, others as Debian packages. Where that cannot be done a
// test is skipped with the reason; with CI set in the environment it fails.
package deploy_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wolkpipe/sinks/sinktest/servers"
)

// Versions of the tools that are Go programs.
const (
	helmModule        = "helm.sh/helm/v3/cmd/helm@v3.22.0"
	kubeconformModule = "github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0"
	natsModule        = "github.com/nats-io/natscli/nats@v0.5.1"
	composeModule     = "github.com/compose-spec/compose-go/v2/cmd@v2.16.2"
	gatewayModule     = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"
)

// impossible ends a test that this machine cannot run.
func impossible(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// goTool is the path of one of them.
func goTool(t *testing.T, module string) string {
	t.Helper()
	path, version, _ := strings.Cut(module, "@")
	return servers.Tool(t, path, version)
}

// moduleFolder is where the sources of a module are; it is downloaded where it
// is not there yet.
func moduleFolder(t *testing.T, module string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", module)
	cmd.Dir = t.TempDir()
	out, err := cmd.Output()
	var found struct{ Dir string }
	if err != nil || json.Unmarshal(out, &found) != nil || found.Dir == "" {
		impossible(t, "go mod download %s: %v\n%s", module, err, out)
	}
	return found.Dir
}

// must runs a command in deploy's folder, and gives what it prints.
func must(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := try(t, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(name), strings.Join(args, " "), err, tail(out))
	}
	return out
}

// try is must for a command that may fail.
func try(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	return string(out), err
}

// tail is the end of a long text.
func tail(s string) string {
	const most = 6000
	if len(s) > most {
		return "…" + s[len(s)-most:]
	}
	return s
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// patience is how long a process may take to do what it surely does; a slow
// machine is not a failure.
const patience = 2 * time.Minute

// eventually asks until the answer is yes.
func eventually(t *testing.T, what string, yes func() bool) {
	t.Helper()
	limit := time.After(patience)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !yes() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("waited %s for: %s", patience, what)
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		}
	}
}
