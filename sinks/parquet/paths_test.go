package parquet

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wolkpipe/sinks"
)

// FuzzPaths: whatever operation, day and prefix are, a lake in a folder makes
// what its layout says there, or refuses; and nothing beside it.
func FuzzPaths(f *testing.F) {
	f.Add("ventas", "2026-11-01", "")
	f.Add("ventas", "2026-11-01", "wolkvox/lake/")
	for _, odd := range []string{"..", "../..", "/etc", ".", "a//b", "a/./b", "a/../..", "a\\..\\..", "a\x00", " ", "%2e%2e/", "a\n..", "operation=x/day=y"} {
		f.Add(odd, "2026-11-01", "")
		f.Add("ventas", odd, "")
		f.Add("ventas", "2026-11-01", odd)
	}
	f.Fuzz(func(t *testing.T, operation, day, prefix string) {
		prefix, err := cleanPrefix(prefix)
		if err != nil {
			return
		}
		rows, coverage, errDay := names(sinks.Key{Operation: operation, Day: day})
		codes, errCodes := codesName(operation)
		if errDay == nil && errCodes != nil {
			t.Fatalf("operation %q is taken with a day, and refused alone", operation)
		}
		if errCodes != nil {
			return
		}
		root := filepath.Join(t.TempDir(), "lake")
		want := map[string]bool{codes: true}
		if errDay == nil {
			want[rows], want[coverage] = true, true
		}
		store, err := newDirStore(root)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = store.close() }()
		for name := range want {
			if !fs.ValidPath(prefix+name) || !filepath.IsLocal(filepath.FromSlash(prefix+name)) {
				t.Fatalf("%q is no place below the lake", prefix+name)
			}
			if err := store.put(t.Context(), prefix+name, []byte(name), ""); err != nil {
				if errors.Is(err, fs.ErrInvalid) || strings.Contains(err.Error(), "too long") {
					continue // the file system refuses it
				}
				t.Fatal(err)
			}
			if data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(prefix), filepath.FromSlash(name))); err != nil || string(data) != name {
				t.Errorf("%q is not there: %v", prefix+name, err)
			}
		}
		if err := store.put(t.Context(), prefix+codes, nil, "old"); !errors.Is(err, sinks.ErrConflict) && !strings.Contains(err.Error(), "too long") {
			t.Errorf("%q is replaced by whoever saw something else there: %v", prefix+codes, err)
		}
		beside, err := os.ReadDir(filepath.Dir(root))
		if err != nil || len(beside) != 1 {
			t.Errorf("beside the lake are %v, %v", beside, err)
		}
	})
}

// FuzzNote: whatever stands in the lock file, which tells where a killed
// writer may have left its temporary file, nothing else is removed.
func FuzzNote(f *testing.F) {
	for _, note := range []string{"", "chat_7", ".", "..", "../beside", "/", "a\x00b", "chat_7/../../beside", "\xff", "chat_7\n", "file", strings.Repeat("a/", 3000)} {
		f.Add(note)
	}
	f.Fuzz(func(t *testing.T, note string) {
		above := t.TempDir()
		root := filepath.Join(above, "lake")
		store, err := newDirStore(root)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = store.close() }()
		kept := []string{filepath.Join(above, tempName), filepath.Join(above, "beside", tempName), filepath.Join(root, "file")}
		for _, name := range kept {
			if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, nil, 0o600)); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(store.lock.Path(), []byte(note), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := store.put(t.Context(), "chat_7/x.parquet", []byte("x"), ""); err != nil {
			t.Errorf("after the note %.200q: %.300v", note, err)
		}
		for _, name := range kept {
			if _, err := os.Stat(name); err != nil {
				t.Errorf("after the note %.200q: %v", note, err)
			}
		}
	})
}
