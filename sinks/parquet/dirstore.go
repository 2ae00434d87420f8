package parquet

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"wolkpipe/sinks"
)

const (
	lockName = ".wolkpipe.lock" // in the root, beside the dataset folders
	tempName = ".wolkpipe.tmp"  // beside the object that is being written
	lockPoll = 2 * time.Millisecond
)

// dirStore keeps objects as files below a folder.
//
// Writers take turns by a lock on one file for the whole folder, held for two
// or three flushes to the disk. The lock file's content is the folder in which
// the last writer put its temporary file, so that the next one can remove it
// if that writer was killed.
//
// The guard is a hash of the content: what was compared is what is replaced.
// Inode, time and size would be cheaper, but an inode is reused at once after
// a rename and clocks are coarse, so two contents can share all three.
type dirStore struct {
	root string
	turn chan struct{} // one writer in this process: a second flock on the same handle is granted
	lock *flock.Flock
}

// newDirStore makes the folder if it is not there and flushes its way from
// the file system's root, so that a power cut cannot take the folder itself.
func newDirStore(root string) (*dirStore, error) {
	if err := os.MkdirAll(root, 0o755); err != nil {
		return nil, err
	}
	for dir := root; ; dir = filepath.Dir(dir) {
		// Folders that were there before need not be ours to open.
		if err := syncDir(dir); err != nil && (dir == root || !errors.Is(err, fs.ErrPermission)) {
			return nil, err
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	return &dirStore{
		root: root,
		turn: make(chan struct{}, 1),
		lock: flock.New(filepath.Join(root, lockName), flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o644)),
	}, nil
}

func (s *dirStore) close() error { return s.lock.Close() }

func (s *dirStore) get(ctx context.Context, name string) ([]byte, string, error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	data, err := os.ReadFile(filepath.Join(s.root, filepath.FromSlash(name)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	return data, contentGuard(data), nil
}

func contentGuard(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func (s *dirStore) put(ctx context.Context, name string, data []byte, guard string) error {
	unlock, err := s.acquire(ctx)
	if err != nil {
		return fmt.Errorf("locking %s: %w", s.lock.Path(), err)
	}
	defer unlock()
	_, now, err := s.get(ctx, name)
	if err != nil {
		return err
	}
	if now != guard {
		return sinks.ErrConflict
	}
	folder := filepath.Dir(filepath.FromSlash(name))
	if guard == "" {
		// Before the object is there, so that no object ever stands in a
		// folder that is not yet durable, whoever made it.
		if err := s.makeFolder(folder); err != nil {
			return err
		}
	}
	if err := s.noteTemp(folder); err != nil {
		return fmt.Errorf("noting the temporary file in %s: %w", s.lock.Path(), err)
	}
	temp := filepath.Join(s.root, folder, tempName)
	if err := writeSynced(temp, data); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	if err := os.Rename(temp, filepath.Join(s.root, filepath.FromSlash(name))); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return syncDir(filepath.Join(s.root, folder))
}

// acquire takes the turn in this process, then the lock among processes.
func (s *dirStore) acquire(ctx context.Context) (unlock func(), err error) {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if _, err := s.lock.TryLockContext(ctx, lockPoll); err != nil {
		<-s.turn
		return nil, err
	}
	return func() {
		_ = s.lock.Unlock() // closing the handle cannot leave it locked
		<-s.turn
	}, nil
}

// makeFolder makes folder below the root and flushes every folder on the way,
// those too that were there: whoever made them may have been killed before
// it flushed them.
func (s *dirStore) makeFolder(folder string) error {
	if err := os.MkdirAll(filepath.Join(s.root, folder), 0o755); err != nil {
		return err
	}
	for folder != "." {
		folder = filepath.Dir(folder)
		if err := syncDir(filepath.Join(s.root, folder)); err != nil {
			return err
		}
	}
	return nil
}

// noteTemp removes what a killed writer left, and notes where this one is
// about to put its temporary file.
func (s *dirStore) noteTemp(folder string) error {
	last, err := os.ReadFile(s.lock.Path())
	if err != nil {
		return err
	}
	// After a power cut the note may be cut short or hold zeros: it is never
	// flushed. Then nobody knows of the temporary file until its folder is next written to.
	if left := string(last); filepath.IsLocal(left) && !strings.ContainsRune(left, 0) {
		// Whatever the note names, and whoever may remove it: it is no reason
		// to write nothing any more.
		_ = os.Remove(filepath.Join(s.root, left, tempName))
	}
	// In place: a rename would leave the lock on a file that nobody sees. A
	// note cut short by a kill is of a temporary file that is not there yet.
	return os.WriteFile(s.lock.Path(), []byte(folder), 0o644)
}

func writeSynced(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// syncDir flushes a folder's entries.
func syncDir(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	err = f.Sync()
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}
