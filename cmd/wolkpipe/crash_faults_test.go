package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/nats-io/nats-server/v2/server"

	"wolkpipe/sinks/sinktest/servers"
)

// TestKilledAmidFaults is [TestKilledDaemonConverges] with a NATS server and an
// object store that are elsewhere, and fail while the daemon is killed: the
// ways to them are cut, slow, silent, or lose answers to what was done, and the
// server is killed itself. A fault may begin under one daemon and end under the next.
func TestKilledAmidFaults(t *testing.T) {
	endures(t)
	if raced() {
		t.Skip("three servers and a daemon are too much beside the race detector")
	}
	t.Parallel()
	s := newStorm(t, 12)
	toxic := servers.Toxic(t)
	broker := startLoneServer(t)
	store := servers.S3(t)
	store.CreateBucket(t, "lake")
	toBroker, toStore, byway := toxic.Proxy(t, broker.address), toxic.Proxy(t, store.Addr), toxic.Proxy(t, broker.address)
	s.nats = "nats://" + broker.address // past the faults
	s.env = append(s.env, store.Env()...)
	route := func(p *servers.Proxy) string { return fmt.Sprintf("nats: {url: %q}", "nats://"+p.Addr) }
	s.more = []string{
		route(toBroker), `status: {listen: "127.0.0.1:0"}`,
		"sinks:", "  - {name: events, kind: events}", fmt.Sprintf("  - {name: lake, kind: parquet, bucket: %q}", store.At(toStore.Addr).URL("lake")),
	}
	s.fetch = func() { fetchBucket(t, store, "lake", s.path("data", "lake")) }
	faults := append(broken(t, "NATS", toBroker), broken(t, "store", toStore)...)
	faults = append(faults, &fault{name: "NATS: server killed", begin: func(*rand.Rand) func() {
		broker.kill()
		return func() { broker.start(t) }
	}})
	// What the killed daemon has sent comes when the next one, by another way,
	// has looked already, and perhaps done the same.
	faults = append(faults, &fault{outlives: true, name: "NATS: requests late", begin: func(rng *rand.Rand) func() {
		delivered := lame(t, toBroker, "latency", servers.Upstream, map[string]any{"latency": 1000 + rng.IntN(2000)})
		s.more[0] = route(byway)
		return func() {
			s.pause(0, 3000)
			delivered()
			s.more[0] = route(toBroker)
		}
	}})
	s.weather(faults)
}

// lame puts a fault on a way. Its end cuts the connections: toxiproxy may wait
// for ever for one that holds what nobody takes.
func lame(t *testing.T, p *servers.Proxy, kind string, stream servers.Stream, attributes map[string]any) (end func()) {
	t.Helper()
	remove := p.AddToxic(t, kind, stream, attributes)
	return func() {
		t.Helper()
		p.Down(t)
		remove()
		p.Up(t)
	}
}

// broken are the ways in which a way can fail.
func broken(t *testing.T, name string, p *servers.Proxy) []*fault {
	toxic := func(what, kind string, stream servers.Stream, attributes func(*rand.Rand) map[string]any) *fault {
		return &fault{name: name + ": " + what, begin: func(rng *rand.Rand) func() { return lame(t, p, kind, stream, attributes(rng)) }}
	}
	one := func(attribute string, from, to int) func(*rand.Rand) map[string]any {
		return func(rng *rand.Rand) map[string]any { return map[string]any{attribute: from + rng.IntN(to-from)} }
	}
	return []*fault{
		{name: name + ": down", begin: func(*rand.Rand) func() { p.Down(t); return func() { p.Up(t) } }},
		toxic("answers lost", "limit_data", servers.Downstream, one("bytes", 0, 1)), // to what was done
		toxic("answers reset", "reset_peer", servers.Downstream, one("timeout", 0, 100)),
		toxic("requests cut", "limit_data", servers.Upstream, one("bytes", 100, 20_000)),
		toxic("silence", "timeout", servers.Downstream, one("timeout", 0, 1)),
		toxic("slow", "latency", servers.Downstream, one("latency", 50, 500)),
	}
}

// loneServer is a process of nats-server with a store that is synced before
// anything is acknowledged.
type loneServer struct {
	natsNode
	program, config string
}

// startLoneServer starts one; it is killed by the test's cleanup.
func startLoneServer(t *testing.T) *loneServer {
	t.Helper()
	dir := t.TempDir()
	n := &loneServer{program: servers.Tool(t, "github.com/nats-io/nats-server/v2", "v"+server.VERSION), config: filepath.Join(dir, "nats.conf")}
	n.address, n.log.grown = fixedPort(t), make(chan struct{})
	text := fmt.Sprintf("listen: %q\njetstream: {store_dir: %q, sync_interval: always}\n", n.address, filepath.Join(dir, "store"))
	if err := os.WriteFile(n.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	n.start(t)
	t.Cleanup(func() {
		n.kill()
		if t.Failed() {
			t.Logf("the NATS server wrote:\n%s", lastOf(n.log.String(), 4000))
		}
	})
	return n
}

func (n *loneServer) start(t *testing.T) {
	t.Helper()
	cmd, ended := exec.Command(n.program, "-c", n.config), make(chan struct{})
	cmd.Stdout, cmd.Stderr = &n.log, &n.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	n.cmd, n.ended = cmd, ended
	go func() {
		_ = cmd.Wait() // it is killed
		close(ended)
	}()
}

// fetchBucket makes a folder what a bucket holds.
func fetchBucket(t *testing.T, store *servers.S3Server, bucket, dir string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	client := store.Client()
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: &bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			answer, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: o.Key})
			if err != nil {
				t.Fatal(err)
			}
			data, err := io.ReadAll(answer.Body)
			_ = answer.Body.Close()
			path := filepath.Join(dir, filepath.FromSlash(*o.Key))
			if err == nil {
				err = os.MkdirAll(filepath.Dir(path), 0o755)
			}
			if err == nil {
				err = os.WriteFile(path, data, 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}
