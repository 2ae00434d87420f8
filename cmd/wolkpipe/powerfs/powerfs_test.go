package powerfs_test

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	_ "modernc.org/sqlite" // as Iceberg's catalog uses it

	"wolkpipe/cmd/wolkpipe/powerfs"
)

// mounted is a disk on a folder of the test's; without the right to mount the
// test is skipped.
func mounted(t *testing.T, seed uint64) (d *powerfs.Disk, dir string) {
	t.Helper()
	d, dir = powerfs.New(seed), t.TempDir()
	if err := d.Mount(dir); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() {
		if err := d.Unmount(); err != nil {
			t.Error(err)
		}
	})
	return d, dir
}

func cut(t *testing.T, d *powerfs.Disk, dir string) (loss powerfs.Loss) {
	t.Helper()
	if err := d.Unmount(); err != nil {
		t.Fatal(err)
	}
	loss = d.Cut()
	if err := d.Mount(dir); err != nil {
		t.Fatal(err)
	}
	return loss
}

// put writes a file, in two writes, and flushes what it is told to.
func put(t *testing.T, path, text string, flush bool) {
	t.Helper()
	f, err := os.Create(path)
	for _, part := range []string{text[:len(text)/2], text[len(text)/2:]} {
		if err == nil {
			_, err = f.WriteString(part)
		}
	}
	if err == nil && flush {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

func flushFolder(t *testing.T, dir string) {
	t.Helper()
	f, err := os.Open(dir)
	if err == nil {
		err = errors.Join(f.Sync(), f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

const text = "what was written to a file"

// TestFlushedStays: content after fsync and O_SYNC, names before any flush.
func TestFlushedStays(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		d, dir := mounted(t, seed)
		sub := filepath.Join(dir, "folder", "below")
		if err := os.MkdirAll(sub, 0o750); err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(sub, "before"), text, true)
		if err := os.Rename(filepath.Join(sub, "before"), filepath.Join(sub, "a")); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(filepath.Join(sub, "b"), os.O_CREATE|os.O_WRONLY|os.O_SYNC, 0o600)
		if err == nil {
			_, err = f.WriteString(text) // which makes the renaming sure
		}
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(sub, "c"), text, true)
		if err := os.Remove(filepath.Join(sub, "c")); err != nil {
			t.Fatal(err)
		}
		flushFolder(t, dir)
		cut(t, d, dir)
		if found, _ := filepath.Glob(filepath.Join(sub, "*")); len(found) != 2 {
			t.Errorf("seed %d: %q are there, want a and b", seed, found)
		}
		for _, name := range []string{"a", "b"} {
			if have, err := os.ReadFile(filepath.Join(sub, name)); string(have) != text {
				t.Errorf("seed %d: %s has %q, %v", seed, name, have, err)
			}
		}
		if info, err := os.Stat(sub); err != nil || info.Mode().Perm() != 0o750 {
			t.Errorf("%v, %v", info, err)
		}
	}
}

// TestUnflushedGoes: over the seeds, everything that can become of writes that
// were not flushed becomes of them, and nothing else.
func TestUnflushedGoes(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	for seed := range uint64(400) {
		d, dir := mounted(t, seed)
		path := filepath.Join(dir, "file")
		put(t, path, text, false)
		loss := cut(t, d, dir)
		have, err := os.ReadFile(path)
		half := len(text) / 2
		switch {
		case os.IsNotExist(err):
			seen["no name"]++
		case err != nil:
			t.Fatal(err)
		case len(have) == 0:
			seen["no content"]++
		case string(have) == text:
			seen["whole"]++
		case strings.HasPrefix(text, string(have)):
			seen["a beginning"]++
		case len(bytes.Trim(have, "\x00")) == 0:
			seen["zeros"]++
		case len(bytes.Trim(have[:half], "\x00")) == 0 && strings.HasPrefix(text[half:], string(bytes.TrimRight(have[half:], "\x00"))):
			seen["a hole"]++
		case strings.HasPrefix(text, string(bytes.TrimRight(have, "\x00"))):
			seen["a beginning and zeros"]++
		default:
			t.Fatalf("seed %d: %q, %v", seed, have, loss)
		}
	}
	t.Log(seen)
	for _, what := range []string{"no name", "no content", "whole", "a beginning", "zeros", "a hole", "a beginning and zeros"} {
		if seen[what] == 0 {
			t.Errorf("never seen: %s", what)
		}
	}
}

// TestNamesInOrder: what survives of names is a first part of what was done.
func TestNamesInOrder(t *testing.T) {
	t.Parallel()
	seen := map[int]bool{}
	for seed := range uint64(200) {
		d, dir := mounted(t, seed)
		for i := range 5 {
			put(t, filepath.Join(dir, fmt.Sprint(i)), "", false)
		}
		cut(t, d, dir)
		found, _ := filepath.Glob(filepath.Join(dir, "*"))
		for i, path := range found {
			if filepath.Base(path) != fmt.Sprint(i) {
				t.Fatalf("seed %d: %q", seed, found)
			}
		}
		seen[len(found)] = true
	}
	if len(seen) != 6 {
		t.Errorf("never all: %v", seen)
	}
}

// TestReplaced: a file that is replaced without a flush can be lost, with one
// it is the old or the new; one rewritten in place can be empty or mixed.
func TestReplaced(t *testing.T) {
	t.Parallel()
	next := strings.ToUpper(text)
	for _, flush := range []bool{false, true} {
		seen := map[string]int{}
		for seed := range uint64(200) {
			d, dir := mounted(t, seed)
			path := filepath.Join(dir, "file")
			put(t, path, text, true)
			put(t, path+".new", next, flush)
			if err := os.Rename(path+".new", path); err != nil {
				t.Fatal(err)
			}
			cut(t, d, dir)
			have, err := os.ReadFile(path)
			switch {
			case err != nil:
				t.Fatal(err)
			case string(have) == text:
				seen["old"]++
			case string(have) == next:
				seen["new"]++
			default:
				seen["spoilt"]++
			}
		}
		if seen["old"] == 0 || seen["new"] == 0 || (seen["spoilt"] == 0) != flush {
			t.Errorf("flushed: %v: %v", flush, seen)
		}
	}
}

// TestFreeze: what is done before the instant is there, what comes after it
// waits, and fails when its time has come.
func TestFreeze(t *testing.T) {
	t.Parallel()
	d, dir := mounted(t, 1)
	came, thaw := d.Freeze(2)
	failed := make(chan error)
	go func() {
		f, err := os.Create(filepath.Join(dir, "file"))
		if err == nil {
			defer f.Close()
			_, err = f.WriteString(text)
		}
		if err == nil {
			err = f.Sync()
		}
		failed <- err
	}()
	<-came
	if have, err := os.ReadFile(filepath.Join(dir, "file")); string(have) != text {
		t.Errorf("before the flush there is %q, %v", have, err)
	}
	select {
	case err := <-failed:
		t.Errorf("the flush went on: %v", err)
	default:
	}
	thaw()
	if err := <-failed; !errors.Is(err, syscall.EIO) {
		t.Errorf("the flush: %v", err)
	}
	put(t, filepath.Join(dir, "other"), text, true)
}

// TestPrograms does what the servers and databases do that are to live on it.
func TestPrograms(t *testing.T) {
	t.Parallel()
	d, dir := mounted(t, 1)
	path := filepath.Join(dir, "lock")
	put(t, path, "x", false)
	var held [2]*os.File
	for i := range held {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		held[i] = f
	}
	if err := syscall.Flock(int(held[0].Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(held[1].Fd()), syscall.LOCK_EX|syscall.LOCK_NB); !errors.Is(err, syscall.EWOULDBLOCK) {
		t.Errorf("a second lock: %v", err)
	}
	for _, f := range held {
		f.Close()
	}
	if err := os.Truncate(path, 5); err != nil {
		t.Fatal(err)
	}
	if have, _ := os.ReadFile(path); string(have) != "x\x00\x00\x00\x00" {
		t.Errorf("lengthened: %q", have)
	}
	if err := os.Link(path, path); !errors.Is(err, os.ErrExist) {
		t.Errorf("a link in place of a file: %v", err)
	}
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "full"), 0o755), os.Link(path, filepath.Join(dir, "full", "file"))); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "full")); !errors.Is(err, syscall.ENOTEMPTY) {
		t.Errorf("removing a folder that is not empty: %v", err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "full")); err != nil {
		t.Error(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "db"))
	if err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"DELETE", "WAL"} {
		for _, line := range []string{"PRAGMA journal_mode = " + mode, "CREATE TABLE t" + mode + " (n INTEGER)", "INSERT INTO t" + mode + " VALUES (7)"} {
			if _, err := db.Exec(line); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	cut(t, d, dir)
	if db, err = sql.Open("sqlite", filepath.Join(dir, "db")); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var n int
	if err := db.QueryRow("SELECT tDELETE.n + tWAL.n FROM tDELETE, tWAL").Scan(&n); err != nil || n != 14 {
		t.Errorf("%d, %v", n, err)
	}
	if d.Flushes() == 0 {
		t.Error("nobody flushed")
	}
}
