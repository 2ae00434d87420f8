package deploy_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// script is a block of the runbook's commands, by the name in its first line.
func script(t *testing.T, name string) string {
	t.Helper()
	for _, m := range regexp.MustCompile("(?s)```sh\n# ([a-z ]+)\n(.*?)```").FindAllStringSubmatch(read(t, "RUNBOOK.md"), -1) {
		if m[1] == name {
			return m[2]
		}
	}
	t.Fatalf("the runbook has no commands to %s", name)
	return ""
}

// carryOut runs them as a person would, in a folder.
func carryOut(t *testing.T, dir, name string, env ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", script(t, name))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(goTool(t, natsModule))+":"+os.Getenv("PATH"), "HOME="+t.TempDir())
	cmd.Env = append(cmd.Env, env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the runbook's commands to %s: %v\n%s", name, err, tail(string(out)))
	}
}

// upToDate reports whether a daemon misses nothing, and its sinks hold it.
func (d *daemon) upToDate(t *testing.T) bool {
	var s struct {
		Operations []struct {
			Last    string `json:"last_window"`
			Reading bool
			Missing int `json:"windows_missing"`
		}
		Sinks []struct {
			Backlog int `json:"backlog_windows"`
			Error   string
		}
	}
	if err := json.Unmarshal([]byte(d.command(t, "status", "--json")), &s); err != nil {
		t.Fatal(err)
	}
	for _, o := range s.Operations {
		if o.Last == "" || o.Reading || o.Missing > 0 {
			return false
		}
	}
	for _, k := range s.Sinks {
		if k.Backlog > 0 || k.Error != "" {
			return false
		}
	}
	return len(s.Operations) > 0
}

// events are the ids of all events on a server, as they were published.
func events(t *testing.T, url string) (ids []string) {
	t.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), "CHAT7_EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	state := stream.CachedInfo().State
	for seq := state.FirstSeq; seq <= state.LastSeq; seq++ {
		m, err := stream.GetMsg(t.Context(), seq)
		if err != nil {
			t.Fatalf("message %d: %v", seq, err)
		}
		ids = append(ids, m.Header.Get("Nats-Msg-Id"))
	}
	return ids
}

// TestRunbookMove backs up an installation with the embedded server while it
// runs, by the runbook's own commands, restores it on a cluster of three, and goes
// on there: what was told is not told twice, and source, journal, events and lake
// agree.
func TestRunbookMove(t *testing.T) {
	if testing.Short() {
		t.Skip("starts five servers")
	}
	source := simulate(t, "operations: [{name: ventas, timezone: America/Bogota, interactions_per_day: 2000, steady: true, licences: 5}]\n")
	lake := t.TempDir()
	configuration := fmt.Sprintf(`
operations: [{name: ventas, url: %q, token: "file:token", timezone: America/Bogota}]
sinks: [{name: events, kind: events}, {name: lake, kind: parquet, bucket: "file://%s"}]
status: {listen: "127.0.0.1:0"}
`, source, lake)
	d := &daemon{dir: t.TempDir()}
	write(t, filepath.Join(d.dir, "token"), "sim-ventas\n")
	write(t, filepath.Join(d.dir, "wolkpipe.yaml"), configuration+"nats: {listen: \"127.0.0.1:0\"}\n")
	d.again(t)
	eventually(t, "the day so far", func() bool { return d.upToDate(t) })
	carryOut(t, d.dir, "back up")
	d.stop()
	stored, err := filepath.Glob(filepath.Join(d.dir, "backup/streams/*"))
	if err != nil || len(stored) < 5 {
		t.Fatalf("the backup holds %v, %v", stored, err)
	}

	urls, _ := natsCluster(t, compose(t))
	moved := &daemon{dir: t.TempDir()}
	must(t, "cp", "-r", filepath.Join(d.dir, "backup"), filepath.Join(d.dir, "token"), moved.dir)
	user, password := "wolkpipe", variables["NATS_PASSWORD"]
	carryOut(t, moved.dir, "restore", "CLUSTER_URL=nats://"+urls[1], "CLUSTER_USER="+user, "CLUSTER_PASSWORD="+password, "REPLICAS=3")
	write(t, filepath.Join(moved.dir, "wolkpipe.yaml"),
		configuration+fmt.Sprintf("nats: {url: \"nats://%s:%s@%s\", replicas: 3}\n", user, password, urls[1]))
	moved.again(t)
	eventually(t, "going on", func() bool { return moved.upToDate(t) })
	if have, want := strings.TrimSpace(read(t, filepath.Join(moved.dir, "data/identity"))), strings.TrimSpace(read(t, filepath.Join(d.dir, "data/identity"))); have != want {
		t.Errorf("the identity is %s, not %s", have, want)
	}
	day := strings.TrimSpace(must(t, "env", "TZ=America/Bogota", "date", "+%F"))
	moved.command(t, "verify", "--operation", "ventas", "--from", day, "--to", day)
	seen := map[string]bool{}
	ids := events(t, fmt.Sprintf("nats://%s:%s@%s", user, password, urls[1]))
	if len(ids) < 100 {
		t.Errorf("%d events are left", len(ids))
	}
	for _, id := range ids {
		if seen[id] {
			t.Errorf("event %s is told twice", id)
		}
		seen[id] = true
	}
}

// TestRunbookTokens: a token that is replaced in its file is used without a
// restart, as the runbook says; and removing the server's secret makes a new one.
func TestRunbookTokens(t *testing.T) {
	d := runSource(t)
	must(t, "install", "-m", "0600", write(t, filepath.Join(t.TempDir(), "new"), "sim-soporte\n"), filepath.Join(d.dir, "soporte.token"))
	eventually(t, "the operation with the new token", func() bool {
		_, text := get(t, d.status+"/metrics")
		return strings.Contains(text, `wolkpipe_window_lag_seconds{operation="soporte"}`) && !strings.Contains(text, `reason="bad_token"`)
	})
	d.stop()
	secret := filepath.Join(d.dir, "data/nats.secret")
	old := read(t, secret)
	if err := os.Remove(secret); err != nil {
		t.Fatal(err)
	}
	d.again(t)
	if read(t, secret) == old {
		t.Error("the server's password is the old one")
	}
}
