package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"wolkpipe/schemas"
)

// faults are what TestCluster does, and how often unless it has time.
var faults = []struct {
	name    string
	inflict func(c *crew, rng *rand.Rand, rounds int)
}{
	{"holder killed", (*crew).killHolder},
	{"holder stopped", (*crew).stopHolder},
	{"servers killed", (*crew).killServers},
	{"server stopped", (*crew).stopServer},
	{"leaders step down", (*crew).stepLeaders},
	{"network cut", (*crew).cutNetwork},
	{"disk full", (*crew).fillDisk},
	{"replicas replaced", (*crew).roll},
}

// TestCluster has three replicas with four operations on three tokens share a
// cluster of three NATS servers, breaks one part after another under load, and
// holds what is there in the end to the laws: every window observed once, the
// events' sums the lake and both the truth, never two calls on a token.
//
// WOLKPIPE_LONG=1 has a cluster of its own for each fault, and several rounds;
// WOLKPIPE_TEST_SEED is another one.
func TestCluster(t *testing.T) {
	endures(t)
	t.Parallel()
	seed := number(t, "WOLKPIPE_TEST_SEED", 1)
	if long() {
		for _, fault := range faults {
			t.Run(fault.name, func(t *testing.T) {
				c := newCrew(t, seed)
				if fault.name == "disk full" && c.cluster.small != nil {
					t.Skip(c.cluster.small)
				}
				c.beginAll()
				c.more(20)
				fault.inflict(c, rand.New(rand.NewPCG(seed, 9)), 5)
				c.finish()
			})
		}
		return
	}
	c, rng := newCrew(t, seed), rand.New(rand.NewPCG(seed, 9))
	c.beginAll()
	for i, fault := range faults {
		if i > 0 && (testing.Short() || raced()) {
			t.Log("little time: the first fault only")
			break
		}
		if i > 0 {
			c.fill()
		}
		c.more(10)
		begin := time.Now()
		fault.inflict(c, rng, 1)
		t.Logf("%s: %s", fault.name, time.Since(begin).Round(100*time.Millisecond))
	}
	begin := time.Now()
	c.finish()
	t.Logf("all done %s later", time.Since(begin).Round(100*time.Millisecond))
}

func long() bool { return os.Getenv("WOLKPIPE_LONG") == "1" }

// killHolder kills the holder of a token while the source works on its call.
func (c *crew) killHolder(_ *rand.Rand, rounds int) {
	const works = 1500 * time.Millisecond // less than a minute on the clock
	for range rounds + 1 {
		r := c.procs[0].waits(c.watch.stallNext(works))
		token := r.Header.Get("wolkvox-token")
		i := c.holder(token)
		killed := c.clock.Now()
		c.procs[i].kill()
		took := c.next(token, killed).Sub(killed)
		c.t.Logf("replica %d is killed with a call under way; another calls with its token %.1f s later on the clock, is holder: %d", i, took.Seconds(), c.holder(token))
		c.begin(i)
		c.more(10)
	}
}

// stopHolder stops the holder of a token for longer than its lease, and lets
// it go on.
func (c *crew) stopHolder(rng *rand.Rand, rounds int) {
	const stopped = 5 * time.Second // 150 s on the clock
	for range rounds + 1 {
		c.more(rng.Int64N(20))
		i := c.holder("sim-ventas")
		at := c.clock.Now()
		c.procs[i].signal(syscall.SIGSTOP)
		time.Sleep(stopped)
		c.t.Logf("replica %d stood still for %.0f s on the clock; others called with its token after %.1f s", i,
			c.clock.Now().Sub(at).Seconds(), c.next("sim-ventas", at.Add(time.Second)).Sub(at).Seconds())
		c.procs[i].signal(syscall.SIGCONT)
		c.more(10)
	}
}

// killServers kills each NATS server in turn, the one that leads the journal
// first.
func (c *crew) killServers(rng *rand.Rand, rounds int) {
	for range rounds {
		leader := c.cluster.leader(schemas.JournalStream, "")
		for n := range c.cluster.nodes {
			i := (leader + n) % len(c.cluster.nodes)
			c.more(rng.Int64N(6))
			begin := time.Now()
			c.cluster.restart(i, func() { c.more(8) })
			c.t.Logf("server %d was killed: calls went on, and it was whole again after %s", i, time.Since(begin).Round(100*time.Millisecond))
		}
	}
}

// stopServer stops the server that leads the leases until another one does,
// and lets it go on: for a moment it still takes itself for the leader.
func (c *crew) stopServer(_ *rand.Rand, rounds int) {
	const bucket = "KV_CHAT7_LEASES"
	for range rounds {
		old := c.cluster.leader(bucket, "")
		begin := time.Now()
		c.cluster.nodes[old].pause()
		c.cluster.await("another leader of the leases", func(ctx context.Context) error {
			s, err := c.cluster.js.Stream(ctx, bucket)
			if err != nil {
				return err
			}
			if leads := s.CachedInfo().Cluster; leads == nil || leads.Leader == "" || leads.Leader == c.cluster.nodes[old].name {
				return errors.New("there is none")
			}
			return nil
		})
		c.cluster.nodes[old].resume()
		c.t.Logf("server %d, which led the leases, stood still for %s", old, time.Since(begin).Round(100*time.Millisecond))
		c.more(10)
	}
}

// stepLeaders moves the leaders of streams and of the sinks' consumers.
func (c *crew) stepLeaders(rng *rand.Rand, rounds int) {
	moved := map[string]int{}
	for range 8 * rounds {
		c.more(rng.Int64N(4))
		for _, of := range [][2]string{
			{schemas.JournalStream, ""}, {schemas.EventsStream, ""}, {"KV_CHAT7_LEASES", ""}, {"KV_CHAT7_STATE", ""},
			{schemas.JournalStream, "sink_events"}, {schemas.JournalStream, "sink_lake"},
		} {
			if c.cluster.stepDown(of[0], of[1]) {
				moved[fmt.Sprint(of)]++
			}
		}
	}
	c.t.Logf("leaders stepped down: %v", moved)
	if len(moved) < 6 {
		c.t.Errorf("leaders that never stepped down: %v", moved)
	}
}

// wire puts cables between the first replica and the servers.
func (c *crew) wire() {
	c.cables, c.urls[0] = nil, ""
	for i, n := range c.cluster.nodes {
		cable := newCable(c.t, n.address)
		c.cables = append(c.cables, cable)
		if i > 0 {
			c.urls[0] += ","
		}
		c.urls[0] += "nats://" + cable.address
	}
}

// cutNetwork cuts the first replica off from all servers for longer than its
// leases, and then from the one server that it is connected to.
func (c *crew) cutNetwork(_ *rand.Rand, rounds int) {
	for range rounds {
		for _, cable := range c.cables {
			cable.cut()
		}
		at := c.clock.Now()
		time.Sleep(6 * time.Second) // 180 s on the clock
		for _, token := range []string{"sim-ventas", "sim-soporte", "sim-cobros"} {
			c.next(token, at.Add(80*time.Second))
		}
		for _, cable := range c.cables {
			cable.heal()
		}
		c.t.Logf("cut off from all for %.0f s on the clock", c.clock.Now().Sub(at).Seconds())
		c.more(10)
		for _, cable := range c.cables {
			cable.breakAll()
		}
		c.more(10)
	}
}

// fillDisk leaves a server no room on its disk under load, then makes room and
// starts it again.
func (c *crew) fillDisk(_ *rand.Rand, rounds int) {
	if c.cluster.small != nil {
		c.t.Logf("no disk is filled: %v", c.cluster.small)
		return
	}
	const last = 2
	for range rounds {
		free := fillUp(c.t, c.cluster.nodes[last].store)
		c.more(20)
		begin := time.Now()
		free()
		c.cluster.restart(last, func() {})
		c.t.Logf("server %d had no room: calls went on, and it was whole again %s after it had; out of space: %v", last,
			time.Since(begin).Round(100*time.Millisecond), strings.Contains(c.cluster.nodes[last].log.String(), "no space left on device"))
	}
}

// roll replaces the replicas one by one, as a deployment does.
func (c *crew) roll(_ *rand.Rand, rounds int) {
	for range rounds {
		for i := range c.procs {
			begin := time.Now()
			c.procs[i].signal(syscall.SIGTERM)
			c.procs[i].exits(0)
			ended := time.Since(begin)
			c.begin(i)
			c.t.Logf("replica %d drained in %s, and ran again %s after", i, ended.Round(10*time.Millisecond), (time.Since(begin) - ended).Round(10*time.Millisecond))
			c.more(10)
		}
	}
}
