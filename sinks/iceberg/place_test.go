package iceberg

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wolkpipe/sinks"
)

// TestAnothersPlace: two catalogs on one warehouse would take each other's
// files for orphans. Metadata without commits, left by a kill, is in nobody's way.
func TestAnothersPlace(t *testing.T) {
	at := sqliteLake(t)
	other := at.options
	other.Catalog = strings.TrimSuffix(other.Catalog, "catalog.db") + "other.db"
	if s, err := Open(t.Context(), at.options); err != nil {
		t.Fatal(err)
	} else if err := s.Close(); err != nil { // no commits yet
		t.Fatal(err)
	}
	s, err := Open(t.Context(), other)
	if err != nil {
		t.Fatalf("what a kill left: %v", err)
	}
	mustCommit(t, s, dayOf(0, 1, 1))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	other.Catalog = strings.TrimSuffix(other.Catalog, "other.db") + "third.db"
	_, err = Open(t.Context(), other)
	var refused *sinks.Error
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "another catalog has a table at "+at.options.Warehouse+"/wolkpipe/chat_7") {
		t.Errorf("a third catalog on the same warehouse: %v", err)
	}
}

// TestLostMetadata: a manifest that is gone is told as what it is, with the mend.
func TestLostMetadata(t *testing.T) {
	at := sqliteLake(t)
	s := at.open(t)
	mustCommit(t, s, dayOf(0, 1, 1))
	again := at.open(t) // one that has read no manifest
	err := filepath.WalkDir(strings.TrimPrefix(at.options.Warehouse, "file://"), func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".avro") && !strings.HasPrefix(filepath.Base(path), "snap-") {
			err = os.Remove(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = again.Load(t.Context(), keyAt(0))
	var lost *sinks.Error
	if !errors.As(err, &lost) || !strings.Contains(lost.Hint, "made anew and filled from the journal") {
		t.Errorf("a table without its manifest: %v", err)
	}
}

// TestWorthMerging: what merging would not make fewer is left alone, or every
// commit of many operations would rewrite all.
func TestWorthMerging(t *testing.T) {
	manifests := func(operations, each int) (all []*manifest) {
		for n := range operations * each {
			key := sinks.Key{Operation: fmt.Sprint("op", n%operations), Day: fmt.Sprintf("2026-11-%02d", 1+n/operations)}
			all = append(all, &manifest{files: map[sinks.Key][]file{key: {{path: fmt.Sprint(n)}}}})
		}
		return all
	}
	for _, c := range []struct {
		operations, each int
		want             bool
	}{{1, manyManifests, false}, {1, manyManifests + 2, true}, {200, 1, false}, {200, 2, true}} {
		if got := worthMerging(manifests(c.operations, c.each)); got != c.want {
			t.Errorf("%d operations with %d small manifests each: %t", c.operations, c.each, got)
		}
	}
}
