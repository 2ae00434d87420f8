package main

import (
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

	"wolkpipe/pipeline"
)

// TestDiskFull has the file system of `data` fill up at the start, and in the
// middle of work: journal, events and lake alike have no room. A daemon that
// runs says so, and goes on by itself when there is room.
func TestDiskFull(t *testing.T) {
	endures(t)
	t.Parallel()
	a := adverseSite(t, "disk full", 11, "ventas", "soporte")
	data := a.path("data")
	mount(t, data, "32m")
	a.configure(adverseSince, adverseGrid.String())
	free := fillUp(t, data)
	a.times++
	a.refused("no space left on device", "make room on its disk")
	free()

	p := a.start()
	for range 2 {
		a.works(p, 5)
		free := fillUp(t, data)
		a.times++
		a.unready(p, "no space left on device: make room on its disk")
		a.tells(p, "no space left on device")
		a.memory(p)
		free()
	}
	a.converges(p, adverseSince, adverseGrid, time.Now())
}

// tells waits until `status`, for a person and as JSON, names a cause.
func (s *site) tells(p *process, cause string) {
	s.t.Helper()
	s.status(p, func(status pipeline.Status) bool { return strings.Contains(status.NATS, cause) })
	if _, stdout, stderr := s.run("status", "-c", "wolkpipe.yaml"); !strings.Contains(stdout, cause) {
		s.t.Errorf("status does not tell %q: %s%s", cause, stdout, stderr)
	}
}

// failing is true of a status in which a sink fails for a cause.
func failing(sink, cause string) func(pipeline.Status) bool {
	return func(s pipeline.Status) bool {
		return slices.ContainsFunc(s.Sinks, func(k pipeline.SinkStatus) bool { return k.Name == sink && strings.Contains(k.Error, cause) })
	}
}

// TestLakeReadOnly has the lake's file system read-only at the start and in
// the middle of work, while the journal's is not: what is polled waits in the
// journal.
func TestLakeReadOnly(t *testing.T) {
	endures(t)
	t.Parallel()
	a := adverseSite(t, "lake read-only", 12, "ventas")
	lake := a.path("data", "lake")
	mount(t, lake, "32m")
	a.configure(adverseSince, adverseGrid.String())
	const cause = "read-only file system"
	remount(t, lake, "ro")
	a.times++
	p := a.start()
	a.status(p, failing("lake", cause))
	a.works(p, 2)
	remount(t, lake, "rw")
	a.status(p, complete)

	remount(t, lake, "ro")
	a.times++
	behind := a.status(p, func(s pipeline.Status) bool {
		return failing("lake", cause)(s) && operation(t, s, "ventas").Missing <= 2 && // polling does not suffer from it
			slices.ContainsFunc(s.Sinks, func(k pipeline.SinkStatus) bool { return k.Name == "lake" && k.Backlog >= 3 })
	})
	if behind.NATS != "connected" {
		t.Errorf("NATS suffers from the lake: %s", behind.NATS)
	}
	remount(t, lake, "rw")
	a.converges(p, adverseSince, adverseGrid, time.Now())
}

// TestDataImmutable forbids to write below `data`, by an attribute that binds
// root too, in the middle of work, and allows it again.
func TestDataImmutable(t *testing.T) {
	endures(t)
	t.Parallel()
	a := adverseSite(t, "data immutable", 13, "ventas")
	a.configure(adverseSince, adverseGrid.String())
	data := a.path("data")
	set := func(how string) error {
		text, err := exec.Command("chattr", "-R", how, data).CombinedOutput()
		if err != nil {
			return fmt.Errorf("chattr %s: %w: %s", how, err, text)
		}
		return nil
	}
	p := a.start()
	a.works(p, 5)
	t.Cleanup(func() { _ = set("-i") }) // or the folder cannot be removed
	if err := set("+i"); err != nil && !a.immutable() {
		t.Skip(err)
	}
	a.times++
	a.unready(p, "operation not permitted", "permission denied", "not writable", "JetStream")
	a.memory(p)
	if err := set("-i"); err != nil {
		t.Fatal(err)
	}
	a.converges(p, adverseSince, adverseGrid, time.Now())
}

// immutable finds out whether the data folder is: files that vanish meanwhile
// make chattr fail.
func (s *site) immutable() bool {
	probe := s.path("data", "jetstream", "probe")
	err := os.WriteFile(probe, nil, 0o600)
	_ = os.Remove(probe)
	return err != nil
}

// TestDataReadOnly has `data` on a file system that is read-only at the start,
// and that the kernel makes read-only in the middle of work as it does after an
// error of the disk. That lasts until it is mounted anew, which no process that
// has files open there outlives: it must say what is wrong, and end when told to.
func TestDataReadOnly(t *testing.T) {
	endures(t)
	t.Parallel()
	if testing.Short() {
		t.Skip("TestDataImmutable is the short one")
	}
	a := adverseSite(t, "data read-only", 14, "ventas")
	a.configure(adverseSince, adverseGrid.String())
	disk := newDisk(t, a.path("data"))
	disk.mount()
	remount(t, disk.dir, "ro")
	a.times++
	a.refused("read-only file system", "mount its disk writable")
	remount(t, disk.dir, "rw")

	p := a.start()
	a.works(p, 5)
	disk.fail()
	a.times++
	a.unready(p, "read-only file system: mount its disk writable")
	a.tells(p, "read-only file system")
	a.memory(p)
	for range 2 { // one waits for what cannot be recorded, as long as a drain may take
		p.signal(syscall.SIGTERM)
		p.says("a second signal ends at once")
	}
	p.exits(130)
	disk.mend()
	healed := time.Now()
	a.converges(a.start(), adverseSince, adverseGrid, healed)
}

// disk is a file system in a file.
type disk struct {
	t          *testing.T
	image, dir string
}

// ownMounts keeps tests apart of which one unmounts a disk that the processes of
// the other, having mounts of their own, would go on holding.
var ownMounts sync.Mutex

func newDisk(t *testing.T, dir string) *disk {
	t.Helper()
	ownMounts.Lock()
	t.Cleanup(ownMounts.Unlock)
	d := &disk{t, filepath.Join(t.TempDir(), "image"), dir}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(d.image, 64<<20); err != nil {
		t.Fatal(err)
	}
	// Without a journal of its own: what was synced is in its place.
	if text, err := exec.Command("mkfs.ext4", "-q", "-O", "^has_journal", d.image).CombinedOutput(); err != nil {
		t.Skipf("a file system cannot be made: %v: %s", err, text)
	}
	return d
}

func (d *disk) mount() {
	d.t.Helper()
	if text, err := exec.Command("mount", "-o", "loop,errors=remount-ro", d.image, d.dir).CombinedOutput(); err != nil {
		d.t.Skipf("a file system cannot be mounted: %v: %s", err, text)
	}
	d.t.Cleanup(func() { _ = exec.Command("umount", d.dir).Run() }) // it may be unmounted
}

// fail is an error that the file system found in itself.
func (d *disk) fail() {
	d.t.Helper()
	device, err := exec.Command("findmnt", "-no", "SOURCE", d.dir).Output()
	if err != nil {
		d.t.Fatal(err)
	}
	trigger := filepath.Join("/sys/fs/ext4", filepath.Base(strings.TrimSpace(string(device))), "trigger_fs_error")
	if err := os.WriteFile(trigger, []byte("1"), 0o200); err != nil {
		d.t.Skipf("the file system cannot be made to fail: %v", err)
	}
}

// mend does what an operator does then.
func (d *disk) mend() {
	d.t.Helper()
	if text, err := exec.Command("umount", d.dir).CombinedOutput(); err != nil {
		d.t.Fatalf("unmounting: %v: %s", err, text)
	}
	text, err := exec.Command("e2fsck", "-fy", d.image).CombinedOutput()
	if code := (*exec.ExitError)(nil); err != nil && !(errors.As(err, &code) && code.ExitCode() == 1) { // 1: errors were corrected
		d.t.Fatalf("checking the file system: %v: %s", err, text)
	}
	d.mount()
}
