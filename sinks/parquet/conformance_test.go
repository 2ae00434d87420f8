package parquet

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/sinktest"
)

func TestConformance(t *testing.T) {
	t.Run("file", func(t *testing.T) {
		sinktest.Run(t, func(t *testing.T) sinktest.Harness { return dirHarness{t.TempDir()} })
	})
	t.Run("mem", func(t *testing.T) {
		sinktest.Run(t, func(t *testing.T) sinktest.Harness {
			h := &memHarness{bucket: memblob.OpenBucket(nil)}
			h.store = &bucketStore{bucket: h.bucket, prefix: "a/b/"}
			t.Cleanup(func() { _ = h.store.close() })
			return h
		})
	})
}

// dirHarness is a lake in a folder, which DuckDB reads in place.
type dirHarness struct{ root string }

func (h dirHarness) Open(t testing.TB) sinks.Sink {
	s, err := Open(t.Context(), Options{Bucket: "file://" + filepath.ToSlash(h.root)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (h dirHarness) Contents(t testing.TB, key sinks.Key) []schemas.Window {
	return duckContents(t, h.root, key)
}

// Watch reads a copy, made through one handle: DuckDB opens a file twice in a
// query, and between the two it may be replaced.
func (h dirHarness) Watch(t testing.TB, key sinks.Key) []schemas.Window {
	rows, _, err := names(key)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(h.root, filepath.FromSlash(rows)))
	if err != nil {
		return nil // not there
	}
	root := t.TempDir()
	writeFile(t, filepath.Join(root, filepath.FromSlash(rows)), data)
	return duckContents(t, root, key)
}

// memHarness is a lake in memory: its handles share the bucket, which is all
// that there is of it. DuckDB reads a copy.
type memHarness struct {
	bucket *blob.Bucket
	store  store
}

// lent is a store that somebody else closes.
type lent struct{ store }

func (lent) close() error { return nil }

func (h *memHarness) Open(testing.TB) sinks.Sink { return newSink(lent{h.store}, nil) }

func (h *memHarness) Contents(t testing.TB, key sinks.Key) []schemas.Window {
	root := t.TempDir()
	rows, coverage, err := names(key)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{rows, coverage} {
		r, err := h.bucket.NewReader(t.Context(), "a/b/"+name, nil)
		if err != nil {
			continue // not there
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Close()
		writeFile(t, filepath.Join(root, filepath.FromSlash(name)), data)
	}
	return duckContents(t, root, key)
}

func writeFile(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}
