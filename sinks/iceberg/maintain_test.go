package iceberg

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/iceberg-go/table"

	"wolkpipe/sinks/sinktest"
)

// local is the path of a file URL.
func local(path string) string { return strings.TrimPrefix(path, "file://") }

// TestMaintenance: what is expired goes with its files, what is kept stays
// readable as it was, and files that nobody refers to go by their age alone.
func TestMaintenance(t *testing.T) {
	for name, make := range map[string]func(testing.TB) lakeAt{
		"sqlite": sqliteLake, "hadoop": hadoopLake, "rest": func(t testing.TB) lakeAt { return newRESTCatalog(t).lake() },
	} {
		t.Run(name, func(t *testing.T) {
			at := make(t)
			at.options.KeepSnapshots, at.options.KeepLast = time.Nanosecond, 3
			s := at.open(t)
			mustCommit(t, s, dayOf(1, 2, 1))
			const versions = 8
			for v := int64(1); v <= versions; v++ {
				mustCommit(t, s, dayOf(0, 2, v))
			}
			tbl := at.table(t, "chat_7")
			folder := filepath.Dir(filepath.Dir(filepath.Dir(local(dataFiles(t, tbl)[0]))))
			inFlight, orphan := filepath.Join(folder, "operation=ventas", "inflight.parquet"), filepath.Join(folder, "operation=ventas", "orphan.parquet")
			for _, path := range []string{inFlight, orphan} {
				if err := os.WriteFile(path, []byte("x"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			old := time.Now().Add(-4 * 24 * time.Hour)
			for _, path := range append(filesOf(t, folder, "chat_7"), orphan) {
				if path != inFlight {
					if err := os.Chtimes(path, old, old); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := s.Maintain(t.Context()); err != nil {
				t.Fatal(err)
			}
			tbl = at.table(t, "chat_7")
			kept := tbl.Metadata().Snapshots()
			if len(kept) != 3 {
				t.Fatalf("%d snapshots are left, want 3", len(kept))
			}
			want := []string{inFlight}
			for i, snapshot := range kept {
				files := dataFiles(t, tbl, table.WithSnapshotID(snapshot.SnapshotID))
				for _, f := range files {
					if !slices.Contains(want, local(f)) {
						want = append(want, local(f))
					}
				}
				day := dayOf(0, 2, versions-2+int64(i))
				for n := range day.Windows {
					day.Windows[n].Start, day.Windows[n].End, day.Windows[n].Method, day.Windows[n].ObservedAt = time.Time{}, time.Time{}, "", time.Time{}
				}
				if d := sinktest.Diff(day.Windows, duckContents(t, files, nil, day.Key)); d != "" {
					t.Errorf("snapshot %d is not what was committed then:\n%s", i, d)
				}
			}
			slices.Sort(want)
			got := filesOf(t, folder, "chat_7")
			if slices.Sort(got); !slices.Equal(got, want) {
				t.Errorf("the data files are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			checkDay(t, at, dayOf(0, 2, versions))
			checkDay(t, at, dayOf(1, 2, 1))
			mustCommit(t, s, dayOf(0, 2, versions+1))
			checkDay(t, at, dayOf(0, 2, versions+1))
		})
	}
}

// TestManifestsStayFew: a commit reads them all.
func TestManifestsStayFew(t *testing.T) {
	at := sqliteLake(t)
	s := at.open(t)
	for n := range 80 {
		mustCommit(t, s, dayOf(n, 1, 1))
	}
	mustCommit(t, s, dayOf(80, 1, 1)) // it begins when merging has ended
	v, err := s.rows.load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := len(v.manifests); n > manyManifests+2 {
		t.Errorf("%d manifests after 80 days", n)
	}
	for _, n := range []int{0, 40, 79} {
		checkDay(t, at, dayOf(n, 1, 1))
	}
}
