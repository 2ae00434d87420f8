package iceberg

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/apache/iceberg-go/table"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/sinktest"
)

// TestTwoWritersAndReaders: two processes fill days that move, while the
// catalog fails in every way it can. Every snapshot that a reader meets has each
// window whole, at every time; in the end the lake holds the journal, each
// process having lost nothing of the other's; and each snapshot is still what
// it was when it was met.
func TestTwoWritersAndReaders(t *testing.T) {
	c := newRESTCatalog(t)
	at := c.lake()
	writers := []*Sink{at.open(t), at.open(t)}
	random := rand.New(rand.NewPCG(1, 2))
	c.fault = func(string, int) *restFault { // under the catalog's lock
		if random.IntN(3) > 0 {
			return nil
		}
		f := &restFault{apply: random.IntN(2) == 0, status: []int{0, 0, 409, 500, 503, 504}[random.IntN(6)]}
		f.later = f.status != 409 && random.IntN(3) == 0
		return f
	}
	const days, windows, rounds = 4, 3, 5
	source := sinktest.NewSource()
	var running sync.WaitGroup
	var left atomic.Int64
	for i, s := range writers {
		left.Add(1)
		running.Go(func() {
			defer left.Add(-1)
			for round := range rounds {
				var all sync.WaitGroup
				for n := range days {
					key := keyAt(n)
					w := (round + i) % windows
					var rows []schemas.Row
					for r := range 1 + (round*2+i)%3 { // each row of a window has the number of rows
						rows = append(rows, row(fmt.Sprint("agent ", r), int64(1+(round*2+i)%3)))
					}
					source.Observe(key, win(key, w, rows...))
					all.Go(func() {
						for { // an answer that stays away for long is an error, and the caller's to retry
							if _, _, err := sinks.Converge(t.Context(), s, source, key); err == nil || t.Context().Err() != nil {
								return
							}
						}
					})
				}
				all.Wait()
			}
		})
	}
	met := map[int64][]int64{} // the counts of each snapshot that was met
	for left.Load() > 0 {
		tbl := at.table(t, "chat_7")
		if s := tbl.CurrentSnapshot(); s != nil && met[s.SnapshotID] == nil {
			met[s.SnapshotID] = whole(t, tbl, s.SnapshotID, days)
		}
	}
	running.Wait()
	for n := range days {
		if d := sinktest.Diff(source.Windows(keyAt(n)), at.Contents(t, keyAt(n))); d != "" {
			t.Errorf("%s:\n%s", keyAt(n), d)
		}
	}
	tbl := at.table(t, "chat_7")
	for id, want := range met {
		if got := whole(t, tbl, id, days); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("snapshot %d was %v, is %v", id, want, got)
		}
	}
	seen := map[string]int{}
	for _, s := range tbl.Metadata().Snapshots() {
		seen[s.Summary.Properties[summaryCommit]]++
	}
	for id, n := range seen {
		if n > 1 && id != "" {
			t.Errorf("commit %q was applied %d times", id, n)
		}
	}
	if len(met) < 3 {
		t.Errorf("readers met %d snapshots", len(met))
	}
	t.Logf("%d commits sent, %d applied, %d snapshots met", c.sent, c.commits, len(met))
}

// whole checks that each window of a snapshot has as many rows as each of its
// rows says, and gives the counts.
func whole(t *testing.T, tbl *table.Table, snapshot int64, days int) []int64 {
	t.Helper()
	files := dataFiles(t, tbl, table.WithSnapshotID(snapshot))
	counts := []int64{}
	for n := range days {
		for _, w := range duckContents(t, files, nil, keyAt(n)) {
			for _, r := range w.Rows {
				if int(r.Interactions) != len(w.Rows) {
					t.Fatalf("snapshot %d has window %s as %+v", snapshot, w.Local, w.Rows)
				}
			}
			counts = append(counts, int64(len(w.Rows)))
		}
	}
	return counts
}
