package broker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// InUseError means that another process holds a data folder.
type InUseError struct {
	Dir     string
	PID     int       // 0 when the lock's text could not be read
	Started time.Time // when that process took the folder
}

func (e *InUseError) Error() string {
	who := "another process"
	if e.PID != 0 {
		who = fmt.Sprintf("process %d (started %s)", e.PID, e.Started.Format(time.RFC3339))
	}
	return fmt.Sprintf("data folder %s is in use by %s: stop it, or give this one another `data`", e.Dir, who)
}

// folderLock holds a data folder for this process. The kernel lets go of it
// when the process ends, however it ends.
type folderLock struct{ lock *flock.Flock }

func lockPath(dir string) string { return filepath.Join(dir, "lock") }

// lockPatience is how long a folder that is held is waited for. Commands that
// look at a folder without a daemon hold it for a moment; they must not keep a
// daemon from starting.
const lockPatience = 3 * time.Second

// takeLock takes the folder, or gives an [*InUseError].
func takeLock(ctx context.Context, dir string, now time.Time) (*folderLock, error) {
	path := lockPath(dir)
	lock := flock.New(path, flock.SetPermissions(0o600))
	patience, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	_, err := lock.TryLockContext(patience, 10*time.Millisecond)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return nil, fmt.Errorf("waiting for data folder %s: %w", dir, ctx.Err())
	case errors.Is(err, context.DeadlineExceeded):
		return nil, errors.Join(holder(dir), lock.Close())
	default:
		return nil, fmt.Errorf("locking data folder %s: %w%s", dir, err, storeHint(err))
	}
	// The file stays when the lock is released: were it removed, a third
	// process could lock a new file while a second holds the old one.
	text := fmt.Sprintf("%d %s\n", os.Getpid(), now.UTC().Format(time.RFC3339))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("writing the lock of data folder %s: %w%s", dir, err, storeHint(err)), lock.Close())
	}
	return &folderLock{lock}, nil
}

// holder tells who holds dir, as far as the lock's text says.
func holder(dir string) *InUseError {
	e := &InUseError{Dir: dir}
	text, err := os.ReadFile(lockPath(dir))
	if err != nil {
		return e
	}
	pid, started, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	n, err := strconv.Atoi(pid)
	at, timeErr := time.Parse(time.RFC3339, started)
	if err == nil && timeErr == nil {
		e.PID, e.Started = n, at
	}
	return e
}

// inUse reports whether some process holds dir.
func inUse(dir string) (bool, error) {
	if _, err := os.Stat(lockPath(dir)); errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	lock := flock.New(lockPath(dir), flock.SetFlag(os.O_RDONLY))
	free, err := lock.TryRLock()
	if err != nil {
		return false, fmt.Errorf("looking at the lock of data folder %s: %w", dir, err)
	}
	return !free, lock.Close()
}

func (l *folderLock) release() error { return l.lock.Close() }
