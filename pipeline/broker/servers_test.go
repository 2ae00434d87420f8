package broker

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// TestServersThatDoNotSync warns of a server that says so to an account that
// may ask, and of none where it may not or the server syncs.
func TestServersThatDoNotSync(t *testing.T) {
	for _, c := range []struct {
		sync, user string
		warns      bool
	}{{"2m", "asks", true}, {"always", "asks", false}, {"2m", "other", false}} {
		t.Run(c.sync+" "+c.user, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "conf")
			text := fmt.Sprintf(`server_name: lazy, listen: "127.0.0.1:-1", jetstream: {store_dir: %q, sync_interval: %s}, system_account: SYS
accounts: {
  SYS: {users: [{user: system, password: x}], exports: [{service: %q, response: stream}]}
  OURS: {users: [{user: asks, password: x}], jetstream: enabled, imports: [{service: {account: SYS, subject: %q}}]}
  OTHER: {users: [{user: other, password: x}], jetstream: enabled}
}`, t.TempDir(), c.sync, serversSubject, serversSubject)
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			o, err := server.ProcessConfigFile(path)
			if err != nil {
				t.Fatal(err)
			}
			o.NoLog, o.NoSigs = true, true
			ns, err := server.NewServer(o)
			if err != nil {
				t.Fatal(err)
			}
			ns.Start()
			defer ns.WaitForShutdown()
			defer ns.Shutdown()
			if !ns.ReadyForConnections(20 * time.Second) {
				t.Fatal("the server does not start")
			}
			nc, err := Dial(RemoteOptions{URL: strings.Replace(ns.ClientURL(), "nats://", "nats://"+c.user+":x@", 1), Logger: quiet})
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			var said lockedBuffer
			err = EnsureStreams(t.Context(), on(t, nc), Streams{Log: slog.New(slog.NewTextHandler(&said, nil))})
			if err != nil {
				t.Fatal(err)
			}
			if warned := strings.Contains(said.String(), "the NATS server lazy acknowledges before it has synced"); warned != c.warns {
				t.Errorf("it says %q", said.String())
			}
		})
	}
}

func TestFaultsOfServers(t *testing.T) {
	for answer, want := range map[string]string{
		`{"server":{"name":"n0","ver":"2.11.9"},"data":{"config":{"sync_always":true}}}`: "the NATS server n0 has version 2.11.9",
		`{"server":{"name":"n0","ver":"2.12.0"},"data":{"config":{"sync_always":true}}}`: "",
		`{"server":{"name":"n0","ver":"3.0.0"},"data":{"config":{"sync_always":true}}}`:  "",
		`{"server":{"name":"n0","ver":"2.15.2"},"data":{"config":{}}}`:                   "sync_interval: always",
		`{"server":{"name":"n0","ver":"2.15.2"},"data":{"disabled":true,"config":{}}}`:   "",
		`{"server":{"name":"n0","ver":"2.15.2"},"data":{}}`:                              "",
		`{"error":{"code":503}}`: "",
		`junk`:                   "",
	} {
		if got := strings.Join(faultsOf([]byte(answer)), "\n"); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", answer, got, want)
		}
	}
}
