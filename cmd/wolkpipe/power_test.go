package main

import (
	"os"
	"testing"
	"time"

	"wolkpipe/cmd/wolkpipe/powerfs"
)

// TestPowerLoss is [TestKilledDaemonConverges] with power cuts: with each kill
// goes what the daemon had not flushed of its folder, which holds journal,
// events, identity, buckets and both kinds of lake. What had been told to a
// consumer, or appended to the journal, must be there afterwards, without a
// repair; all else comes to be as after any kill.
func TestPowerLoss(t *testing.T) {
	endures(t)
	t.Parallel()
	s := newStorm(t, 8)
	s.more = withTables
	c := newCuts(s)
	c.insert(powerfs.New(s.seed))
	s.began, s.judged, s.kill = c.witness.follow, c.witness.judge, c.cut
	s.weather([]*fault{{name: "power cut"}})
	s.checkTables(s.since())
	c.proof(s.kills)
}

// TestPowerLossAtFirst cuts the power while the first start makes folders,
// streams and buckets, and while the second one does. What the third finds must
// be no worse than nothing.
func TestPowerLossAtFirst(t *testing.T) {
	endures(t)
	t.Parallel()
	s := newStorm(t, 8)
	c := newCuts(s)
	s.more = withTables
	for round := range max(s.kills/4, 1) {
		c.insert(powerfs.New(s.seed<<32 + uint64(round)))
		c.witness = newWitness(s.site)
		s.began, s.judged = c.witness.follow, c.witness.judge
		for range 2 {
			p := s.launch()
			c.frozen(p, 400)
			c.cut(p)
			s.checkLakeFiles()
			s.record("power cut").times++
		}
		s.converge([]string{"power cut"})
		if t.Failed() {
			break
		}
	}
	c.proof(2 * max(s.kills/4, 1))
	s.t.Log("\n" + s.table())
}

// cuts are the power cuts of a site's data folder.
type cuts struct {
	*storm
	witness *witness
	disk    *powerfs.Disk
	mounted bool
	froze   int // of the cuts: those between two operations
	lost    powerfs.Loss
	flushes int64 // of disks that were taken out
}

// newCuts skips the test where nothing can be mounted.
func newCuts(s *storm) *cuts {
	s.t.Helper()
	c := &cuts{storm: s, witness: newWitness(s.site)}
	if err := os.Mkdir(s.path("data"), 0o700); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if s.t.Failed() {
			s.preserve()
		}
		if c.mounted {
			c.unmount()
		}
	})
	return c
}

// insert makes another disk the data folder.
func (c *cuts) insert(disk *powerfs.Disk) {
	c.t.Helper()
	if c.mounted {
		c.witness.rest()
		c.unmount()
		c.flushes += c.disk.Flushes()
	}
	c.disk = disk
	c.mount()
}

func (c *cuts) mount() {
	c.t.Helper()
	if err := c.disk.Mount(c.path("data")); err != nil {
		c.t.Skipf("power cuts need a file system that can forget: %v", err)
	}
	c.mounted = true
}

// unmount waits for the kernel to be through with a process that was killed.
func (c *cuts) unmount() {
	c.t.Helper()
	var err error
	for begin := time.Now(); time.Since(begin) < patience; time.Sleep(10 * time.Millisecond) {
		if err = c.disk.Unmount(); err == nil {
			c.mounted = false
			return
		}
	}
	c.t.Fatal(err)
}

// frozen stops the disk between two operations out of so many, and kills the
// process then.
func (c *cuts) frozen(p *process, of int) {
	came, thaw := c.disk.Freeze(c.rng.IntN(of))
	select {
	case <-came:
		c.froze++
	case <-p.ended:
	case <-time.After(2 * time.Second):
	}
	_ = p.cmd.Process.Kill() // before what waits may go on
	thaw()
}

// cut is a power cut: most come between any two things that are done to the disk.
func (c *cuts) cut(p *process) {
	c.t.Helper()
	if c.rng.IntN(4) > 0 {
		c.frozen(p, 300)
	}
	p.kill()
	c.witness.rest()
	c.unmount()
	c.lost.Add(c.disk.Cut())
	c.mount()
}

// proof tells what so many cuts took, and fails where that is nothing.
func (c *cuts) proof(cuts int) {
	c.t.Helper()
	c.t.Logf("%d cuts were between two operations; they took %s of what %d flushes had not made sure; consumers had been told of %d events and chunks of the journal",
		c.froze, c.lost, c.flushes+c.disk.Flushes(), c.witness.told)
	if c.froze == 0 || c.lost.Names == 0 || c.lost.Writes == 0 {
		if cuts < 8 { // a slow machine may have been cut off before it wrote anything
			c.t.Log("so few cuts prove little")
			return
		}
		c.t.Error("that tests nothing")
	}
}
