package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"wolkpipe/pipeline/backfill"
	"wolkpipe/sinks/sinktest/servers"
)

// loneNATS is a server of NATS in a process of its own.
type loneNATS struct {
	*natsNode
	t       *testing.T
	program string
	config  string // file
}

// newNATS makes a server, not started, at an address that stays its own; more
// is added to its configuration.
func newNATS(t *testing.T, more string) *loneNATS {
	t.Helper()
	dir := t.TempDir()
	n := &loneNATS{
		t: t, natsNode: &natsNode{name: "lone", address: fixedPort(t), store: filepath.Join(dir, "store")},
		program: servers.Tool(t, "github.com/nats-io/nats-server/v2", "v"+server.VERSION), config: filepath.Join(dir, "nats.conf"),
	}
	n.log.grown = make(chan struct{})
	n.configure(more)
	t.Cleanup(func() {
		n.kill()
		if t.Failed() {
			t.Logf("the NATS server wrote:\n%s", lastOf(n.log.String(), 3000))
		}
	})
	return n
}

func (n *loneNATS) configure(more string) {
	n.t.Helper()
	text := fmt.Sprintf("server_name: lone\nlisten: %q\njetstream: {store_dir: %q, sync_interval: always}\n%s\n", n.address, n.store, more)
	if err := os.WriteFile(n.config, []byte(text), 0o600); err != nil {
		n.t.Fatal(err)
	}
}

// start starts it, and waits until it listens.
func (n *loneNATS) start() {
	n.t.Helper()
	cmd, ended := exec.Command(n.program, "-c", n.config), make(chan struct{})
	cmd.Stdout, cmd.Stderr = &n.log, &n.log
	if err := cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	n.cmd, n.ended = cmd, ended
	go func() {
		_ = cmd.Wait() // it is killed
		close(ended)
	}()
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		conn, err := (&net.Dialer{}).DialContext(n.t.Context(), "tcp", n.address)
		if err == nil {
			_ = conn.Close()
			return
		}
		if time.Since(begin) > patience {
			n.t.Fatalf("the NATS server does not listen: %v: %s", err, n.log.String())
		}
	}
}

// kill is kill -9.
func (n *loneNATS) kill() {
	if n.cmd != nil {
		n.natsNode.kill()
	}
}

// TestNATSKilledAgainAndAgain kills an external server of NATS every few
// seconds, and starts it on the same store, through a whole backfill beside
// live polling.
func TestNATSKilledAgainAndAgain(t *testing.T) {
	endures(t)
	t.Parallel()
	a := adverseSite(t, "NATS killed", 16, "ventas")
	kills, seed := number(t, "WOLKPIPE_TEST_KILLS", 5), number(t, "WOLKPIPE_TEST_SEED", 1)
	if testing.Short() {
		kills = 2
	}
	rng := rand.New(rand.NewPCG(seed, 3))
	nats := newNATS(t, "")
	nats.start()
	a.nats = "nats://" + nats.address
	a.configure(adverseSince, adverseGrid.String(), fmt.Sprintf("nats: {url: %q}", a.nats), "status: {listen: \"127.0.0.1:0\"}")
	p := a.start()
	a.works(p, 3)
	const day = "2026-11-24"
	code, stdout, stderr := a.run(backfillArgs("ventas", day, day, "--window", filledGrid.String(), "--detach")...)
	if code != 0 {
		t.Fatalf("--detach exits %d: %s%s", code, stdout, stderr)
	}
	for range kills {
		time.Sleep(time.Duration(300+rng.Int64N(2000)) * time.Millisecond) // in the middle of whatever it is
		p.alive()
		nats.kill()
		a.times++
		time.Sleep(time.Duration(rng.Int64N(500)) * time.Millisecond)
		nats.start()
	}
	healed := time.Now()
	a.grids = map[string]time.Duration{day: filledGrid}
	a.converges(p, day, adverseGrid, healed, reached(backfill.Done, "ventas-20261124-20261124-1800s"))
}
