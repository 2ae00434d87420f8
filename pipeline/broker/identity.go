package broker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Hold takes a data folder for a process that embeds no server: what one
// process at a time may do with the folder's identity is then this one's. It
// gives an [*InUseError] when another process goes on holding the folder.
func Hold(ctx context.Context, dir string) (release func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making data folder %s: %w", dir, err)
	}
	lock, err := takeLock(ctx, dir, time.Now())
	if err != nil {
		return nil, err
	}
	return func() { _ = lock.release() }, nil
}

// Identity is the name of a data folder among all that share one NATS. It is
// made when it is first asked for, by the process that holds the folder.
func Identity(dir string) (string, error) {
	path := filepath.Join(dir, "identity")
	text, err := os.ReadFile(path)
	if err == nil {
		if id := strings.TrimSpace(string(text)); id != "" {
			return id, nil
		}
		return "", fmt.Errorf("%s is empty: delete it, and a new identity is made", path)
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("reading the identity of data folder %s: %w", dir, err)
	}
	id := strings.ToLower(rand.Text())
	if err := writeFile(path, id+"\n"); err != nil {
		return "", fmt.Errorf("writing the identity of data folder %s: %w", dir, err)
	}
	return id, nil
}
