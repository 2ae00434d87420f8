package ndjson

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"wolkpipe/sinks"
	"wolkpipe/sinks/lake"
)

// Sink is a folder. It implements [sinks.Sink].
type Sink struct{ folder string }

// Open makes the folder. Its error is a [sinks.Error].
func Open(folder string) (*Sink, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, &sinks.Error{Op: "opening the folder", Err: err, Hint: "let the user that runs wolkpipe write there, or name another"}
	}
	return &Sink{folder}, nil
}

// Close implements [sinks.Sink]: nothing stays open between two calls.
func (s *Sink) Close() error { return nil }

// Load implements [sinks.Sink].
func (s *Sink) Load(ctx context.Context, key sinks.Key) (sinks.Held, error) { return s.load(ctx, key) }

// held is a day as it was loaded.
type held struct {
	sink   *Sink
	key    sinks.Key
	names  [2]string // of the files: rows, windows
	data   [2][]byte // what was in them: the guard
	rows   []lake.RowRecord
	lines  []lake.WindowRecord
	damage error // why the files could not be read; both then have no records
}

func (s *Sink) load(ctx context.Context, key sinks.Key) (*held, error) {
	h := &held{sink: s, key: key}
	err := errors.Join(ctx.Err(), lake.CheckKey(key))
	for i, name := range []string{"chat_7", "chat_7_windows"} {
		h.names[i] = filepath.Join(s.folder, name, "operation="+key.Operation, "day="+key.Day, name+".ndjson")
		if err != nil {
			return h, err
		}
		if h.data[i], err = os.ReadFile(h.names[i]); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	var bad [2]error
	h.rows, bad[0] = lake.DecodeLines[lake.RowRecord](h.data[0])
	h.lines, bad[1] = lake.DecodeLines[lake.WindowRecord](h.data[1])
	if h.damage = errors.Join(bad[:]...); h.damage != nil {
		h.rows, h.lines = nil, nil
	}
	return h, err
}

// Commit implements [sinks.Held].
func (h *held) Commit(ctx context.Context, day *sinks.Day) (sinks.Change, error) {
	want, err := lake.Project(day)
	if err != nil {
		return sinks.Change{}, fmt.Errorf("the day %s cannot be kept: %w", day.Key, err)
	}
	verdicts := lake.Judge(h.rows, h.lines, false, want)
	return h.replace(ctx, lake.MergeRows(h.rows, want, verdicts), lake.MergeLines(h.lines, want, verdicts))
}

// replace makes the files hold these records, if they are still what was loaded.
func (h *held) replace(ctx context.Context, rows []lake.RowRecord, lines []lake.WindowRecord) (sinks.Change, error) {
	change := lake.Change(h.rows, rows, h.lines, lines)
	if change.Windows == 0 {
		return change, nil
	}
	lock := flock.New(filepath.Join(h.sink.folder, ".wolkpipe.lock"))
	if _, err := lock.TryLockContext(ctx, 2*time.Millisecond); err != nil {
		return sinks.Change{}, fmt.Errorf("locking %s: %w", lock.Path(), err)
	}
	defer func() { _ = lock.Close() }()
	now, err := h.sink.load(ctx, h.key)
	if err == nil && !(bytes.Equal(now.data[0], h.data[0]) && bytes.Equal(now.data[1], h.data[1])) {
		err = sinks.ErrConflict
	}
	for i, data := range [][]byte{lake.EncodeLines(rows), lake.EncodeLines(lines)} {
		if err == nil && !bytes.Equal(data, h.data[i]) {
			err = h.sink.put(h.names[i], data)
			change.Writes++
		}
	}
	if err != nil {
		return sinks.Change{}, err
	}
	return change, nil
}

// put replaces a file. The caller holds the lock: a temporary file that a
// killed writer left is written over.
func (s *Sink) put(name string, data []byte) error {
	temp := filepath.Join(s.folder, ".wolkpipe.tmp")
	f, err := os.Create(temp)
	if err == nil {
		_, err = f.Write(data)
		err = errors.Join(err, f.Sync(), f.Close(), os.MkdirAll(filepath.Dir(name), 0o755))
	}
	if err == nil {
		err = os.Rename(temp, name)
	}
	return err
}
