package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/sinks/sinktest/servers"
)

// natsCluster is three processes of nats-server, each with a store of its own
// that is synced before anything is acknowledged.
type natsCluster struct {
	t       *testing.T
	dir     string
	program string
	nodes   []*natsNode
	more    string        // of every node's configuration
	options []nats.Option // that a client needs
	js      jetstream.JetStream
	small   error // why the last node's store is not a small file system of its own; nil where it is
}

// natsNode is one of them.
type natsNode struct {
	name    string
	address string // for clients
	routes  string // for the other nodes
	store   string
	cmd     *exec.Cmd
	log     output
	ended   chan struct{} // closed when the process has
}

// oneCluster keeps tests from having two clusters at a time: a machine has to
// be fast enough for its servers to hear of one another.
var oneCluster sync.Mutex

// startCluster starts a cluster and waits until it makes streams of three
// replicas. more is added to each node's configuration, options are what a
// client then needs. It is killed by the test's cleanup.
func startCluster(t *testing.T, more string, options ...nats.Option) *natsCluster {
	t.Helper()
	oneCluster.Lock()
	t.Cleanup(oneCluster.Unlock)
	c := &natsCluster{
		t: t, dir: t.TempDir(), more: more, options: options,
		program: servers.Tool(t, "github.com/nats-io/nats-server/v2", "v"+server.VERSION),
	}
	for i := range 3 {
		name := fmt.Sprint("n", i)
		c.nodes = append(c.nodes, &natsNode{
			name: name, address: fixedPort(t), routes: fixedPort(t), store: filepath.Join(c.dir, name),
		})
	}
	c.small = mountSmall(t, c.nodes[2].store)
	t.Cleanup(func() {
		for _, n := range c.nodes {
			if n.cmd != nil {
				n.kill()
			}
			if t.Failed() {
				t.Logf("%s wrote:\n%s", n.name, lastOf(n.log.String(), 4000))
			}
		}
	})
	for i := range c.nodes {
		c.start(i)
	}
	nc, err := nats.Connect(c.url(), append(options, nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond),
		nats.PingInterval(2*time.Second), nats.MaxPingsOutstanding(2),
		nats.RetryOnFailedConnect(true), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	if c.js, err = jetstream.New(nc); err != nil {
		t.Fatal(err)
	}
	c.await("a stream of three replicas", func(ctx context.Context) error {
		_, err := c.js.CreateStream(ctx, jetstream.StreamConfig{Name: "FIRST", Subjects: []string{"first"}, Replicas: 3})
		return err
	})
	c.await("its end", func(ctx context.Context) error {
		err := c.js.DeleteStream(ctx, "FIRST")
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			return nil
		}
		return err
	})
	return c
}

// mountSmall makes dir a file system that is soon full, where that is permitted.
func mountSmall(t *testing.T, dir string) error {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if text, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=192m", "wolkpipe-test", dir).CombinedOutput(); err != nil {
		return fmt.Errorf("a small file system cannot be mounted: %w: %s", err, text)
	}
	t.Cleanup(func() {
		if text, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("unmounting %s: %v: %s", dir, err, text)
		}
	})
	return nil
}

// fillUp leaves no room on the file system of dir; free makes it again.
func fillUp(t *testing.T, dir string) (free func()) {
	t.Helper()
	path := filepath.Join(dir, "filling")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for chunk := make([]byte, 1<<20); len(chunk) > 0; {
		if _, err = f.Write(chunk); err != nil {
			chunk = chunk[:len(chunk)/2] // to the last byte
		}
	}
	if err := f.Close(); !errors.Is(err, syscall.ENOSPC) && err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

func lastOf(text string, n int) string { return text[max(0, len(text)-n):] }

// url is what a client of the cluster is configured with.
func (c *natsCluster) url() string {
	var all []string
	for _, n := range c.nodes {
		all = append(all, "nats://"+n.address)
	}
	return strings.Join(all, ",")
}

// start starts a node that does not run.
func (c *natsCluster) start(i int) {
	c.t.Helper()
	n := c.nodes[i]
	var routes []string
	for _, other := range c.nodes {
		routes = append(routes, "nats-route://"+other.routes)
	}
	// Clients are told of no other addresses: one that goes through a proxy
	// stays there.
	text := fmt.Sprintf("server_name: %s\nlisten: %q\njetstream: {store_dir: %q, sync_interval: always}\n"+
		"cluster: {name: test, listen: %q, no_advertise: true, routes: [%s]}\n%s\n",
		n.name, n.address, n.store, n.routes, strings.Join(routes, ", "), c.more)
	path := filepath.Join(c.dir, n.name+".conf")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
	n.log.mu.Lock()
	if n.log.grown == nil {
		n.log.grown = make(chan struct{})
	}
	n.log.mu.Unlock()
	cmd, ended := exec.Command(c.program, "-c", path), make(chan struct{})
	cmd.Stdout, cmd.Stderr = &n.log, &n.log
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	n.cmd, n.ended = cmd, ended
	go func() {
		_ = cmd.Wait() // it is killed
		close(ended)
	}()
}

// kill is kill -9.
func (n *natsNode) kill() {
	_ = n.cmd.Process.Kill() // it may have ended
	<-n.ended
}

func (n *natsNode) pause()  { _ = n.cmd.Process.Signal(syscall.SIGSTOP) }
func (n *natsNode) resume() { _ = n.cmd.Process.Signal(syscall.SIGCONT) }

// restart kills a node, has something happen while it is away, and starts it
// again; it returns when the node has caught up with the others.
func (c *natsCluster) restart(i int, meanwhile func()) {
	c.t.Helper()
	c.nodes[i].kill()
	meanwhile()
	c.start(i)
	c.whole()
}

// await tries until try succeeds.
func (c *natsCluster) await(what string, try func(context.Context) error) {
	c.t.Helper()
	var err error
	for begin := time.Now(); time.Since(begin) < patience; time.Sleep(50 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(c.t.Context(), 2*time.Second)
		err = try(ctx)
		cancel()
		if err == nil {
			return
		}
	}
	c.t.Fatalf("waiting for %s: %v", what, err)
}

// streams are all streams of the cluster, buckets included, as their leaders
// know them.
func (c *natsCluster) streams(ctx context.Context) (all []*jetstream.StreamInfo, err error) {
	list := c.js.ListStreams(ctx)
	for info := range list.Info() {
		all = append(all, info)
	}
	return all, list.Err()
}

// whole waits until every stream has a leader and every replica is current.
func (c *natsCluster) whole() {
	c.t.Helper()
	c.await("current replicas of every stream", func(ctx context.Context) error {
		all, err := c.streams(ctx)
		if err != nil {
			return err
		}
		for _, s := range all {
			if s.Cluster == nil || s.Cluster.Leader == "" || len(s.Cluster.Replicas) != 2 {
				return fmt.Errorf("stream %s has no leader or lacks replicas", s.Config.Name)
			}
			for _, r := range s.Cluster.Replicas {
				if !r.Current || r.Offline {
					return fmt.Errorf("stream %s on %s is behind", s.Config.Name, r.Name)
				}
			}
		}
		return nil
	})
}

// leader is the node that leads a stream, or one of its consumers unless that
// is empty.
func (c *natsCluster) leader(stream, consumer string) (node int) {
	c.t.Helper()
	c.await("a leader of "+stream+" "+consumer, func(ctx context.Context) error {
		var leads *jetstream.ClusterInfo
		if consumer == "" {
			s, err := c.js.Stream(ctx, stream)
			if err != nil {
				return err
			}
			leads = s.CachedInfo().Cluster
		} else {
			k, err := c.js.Consumer(ctx, stream, consumer)
			if err != nil {
				return err
			}
			leads = k.CachedInfo().Cluster
		}
		if leads != nil {
			node = slices.IndexFunc(c.nodes, func(n *natsNode) bool { return n.name == leads.Leader })
		}
		if leads == nil || node < 0 {
			return errors.New("there is none")
		}
		return nil
	})
	return node
}

// stepDown makes the leader of a stream, or of one of its consumers, give way
// to another node. It tells whether that was done.
func (c *natsCluster) stepDown(stream, consumer string) bool {
	c.t.Helper()
	subject := "$JS.API.STREAM.LEADER.STEPDOWN." + stream
	if consumer != "" {
		subject = "$JS.API.CONSUMER.LEADER.STEPDOWN." + stream + "." + consumer
	}
	ctx, cancel := context.WithTimeout(c.t.Context(), 5*time.Second)
	defer cancel()
	m, err := c.js.Conn().RequestWithContext(ctx, subject, nil)
	if err != nil {
		return false
	}
	var answer struct{ Success bool }
	return json.Unmarshal(m.Data, &answer) == nil && answer.Success
}
