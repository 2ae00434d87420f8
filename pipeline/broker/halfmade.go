package broker

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/nats-io/nats-server/v2/server"
)

// mendHalfMade removes the settings of streams and consumers that have no
// checksum: a process was killed, or lost its power, while it made them. The
// server passes over such a one at every start, and whoever then makes it again
// gets it, but not the checksum, so that it would be missing after each start
// anew, and a stream's consumers with it. Without settings it is made whole;
// messages that it may hold by then are kept.
func mendHalfMade(dir string, log *slog.Logger) error {
	root := filepath.Join(dir, server.JetStreamStoreDir)
	for _, pattern := range []string{"*/streams/*/", "*/streams/*/obs/*/"} {
		settings, err := fs.Glob(os.DirFS(root), pattern+server.JetStreamMetaFile)
		if err != nil {
			return fmt.Errorf("looking through the streams of data folder %s: %w", dir, err)
		}
		for _, name := range settings {
			path := filepath.Join(root, filepath.FromSlash(name))
			_, err := os.Stat(filepath.Join(filepath.Dir(path), server.JetStreamMetaFileSum))
			if !errors.Is(err, fs.ErrNotExist) {
				continue // what else may be wrong the server tells
			}
			if err := os.Remove(path); err != nil {
				return fmt.Errorf("removing settings that were half made: %w", err)
			}
			log.Warn("a stream or consumer was being made when a process ended; it is made anew", "settings", path)
		}
	}
	return nil
}
