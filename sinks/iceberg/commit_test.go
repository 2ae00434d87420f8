package iceberg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/lake"
	"wolkpipe/sinks/sinktest"
)

var epoch = time.Date(2026, 11, 1, 5, 0, 0, 0, time.UTC)

func keyAt(n int) sinks.Key {
	return sinks.Key{Operation: "ventas", Day: time.Date(2026, 11, 1+n, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)}
}

// win is the i-th window of a day.
func win(key sinks.Key, i int, rows ...schemas.Row) schemas.Window {
	day, _ := time.Parse(time.DateOnly, key.Day)
	start := day.Add(5 * time.Hour).Add(time.Duration(i) * 5 * time.Minute)
	method := schemas.Direct
	if len(rows) == 0 {
		method = schemas.Empty
	}
	return schemas.Window{
		Local: start.Add(-5 * time.Hour).Format("2006-01-02T15:04:05"), Start: start, End: start.Add(5 * time.Minute), Method: method, Rows: rows,
	}
}

func row(agent string, n int64) schemas.Row {
	return schemas.Row{Agent: agent, Code: "1", Interactions: n}
}

// dayOf is the n-th day, all of whose windows have the version in their counts.
func dayOf(n, windows int, version int64) *sinks.Day {
	key := keyAt(n)
	day := &sinks.Day{Key: key, Timezone: "America/Bogota", State: schemas.Provisional, Expected: 288}
	for i := range windows {
		w := win(key, i, row("Ana", version), row("Luis", version))
		w.ObservedAt, w.Revision = epoch.Add(time.Duration(version)*time.Hour), version
		day.Windows = append(day.Windows, w)
	}
	return day
}

func mustLoad(t testing.TB, s *Sink, key sinks.Key) sinks.Held {
	t.Helper()
	held, err := s.Load(t.Context(), key)
	if err != nil {
		t.Fatalf("Load %s: %v", key, err)
	}
	return held
}

func mustCommit(t testing.TB, s *Sink, day *sinks.Day) sinks.Change {
	t.Helper()
	change, err := mustLoad(t, s, day.Key).Commit(t.Context(), day)
	if err != nil {
		t.Fatalf("Commit %s: %v", day.Key, err)
	}
	return change
}

func checkDay(t testing.TB, at lakeAt, day *sinks.Day) {
	t.Helper()
	if d := sinktest.Diff(day.Windows, at.Contents(t, day.Key)); d != "" {
		t.Fatalf("the lake does not hold %s:\n%s", day.Key, d)
	}
}

// filesOf are the data files in a table's folder, referred to or not.
func filesOf(t testing.TB, root, table string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, e os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".parquet") && strings.Contains(path, "/"+table+"/") {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func snapshots(t testing.TB, at lakeAt, table string) int {
	t.Helper()
	return len(at.table(t, table).Metadata().Snapshots())
}

func TestConformanceREST(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: the suite runs on two other catalogs")
	}
	sinktest.Run(t, func(t *testing.T) sinktest.Harness { return newRESTCatalog(t).lake() })
}

// TestFaultsOfTheCatalog: whatever becomes of a commit's answer, the commit is
// made once, and tells so.
func TestFaultsOfTheCatalog(t *testing.T) {
	for _, apply := range []bool{false, true} {
		for _, status := range []int{0, 409, 500, 502, 503, 504, 429} {
			for _, times := range []int{1, 2, -1} { // -1: once, and applied when the next one comes
				if times < 0 && (apply || status == 409) {
					continue
				}
				t.Run(fmt.Sprintf("%d applied %t times %d", status, apply, times), func(t *testing.T) {
					c := newRESTCatalog(t)
					at := c.lake()
					s := at.open(t)
					mustCommit(t, s, dayOf(0, 3, 1))
					failed := map[string]int{}
					c.mu.Lock()
					c.fault = func(table string, _ int) *restFault {
						if failed[table]++; failed[table] <= max(times, -times) {
							return &restFault{apply, status, times < 0}
						}
						return nil
					}
					c.mu.Unlock()
					change := mustCommit(t, s, dayOf(0, 3, 2))
					if want := (sinks.Change{Windows: 3, Rows: 6, Writes: 2}); change != want {
						t.Errorf("the change is %+v, want %+v", change, want)
					}
					for _, table := range []string{"chat_7", "chat_7_windows"} {
						if n := snapshots(t, at, table); n != 2 {
							t.Errorf("%s has %d snapshots, want 2: nothing is applied twice", table, n)
						}
						if n := len(filesOf(t, c.root, table)); n != 2 {
							t.Errorf("%s has %d data files, want 2", table, n)
						}
					}
					checkDay(t, at, dayOf(0, 3, 2))
				})
			}
		}
	}
}

// TestCatalogStaysAway: a commit that is not answered again and again is told
// as failed, not as done; its file stays, since it may still land.
func TestCatalogStaysAway(t *testing.T) {
	c := newRESTCatalog(t)
	at := c.lake()
	s := at.open(t)
	c.fault = func(string, int) *restFault { return &restFault{status: 503} }
	held := mustLoad(t, s, keyAt(0))
	if change, err := held.Commit(t.Context(), dayOf(0, 2, 1)); err == nil || errors.Is(err, sinks.ErrConflict) || change.Writes != 0 {
		t.Fatalf("Commit gives %+v, %v", change, err)
	}
	if n := len(filesOf(t, c.root, "chat_7")); n != 1 {
		t.Errorf("%d data files are left, want the one of a commit that may still land", n)
	}
	c.mu.Lock()
	c.fault = nil
	c.mu.Unlock()
	mustCommit(t, s, dayOf(0, 2, 1))
	checkDay(t, at, dayOf(0, 2, 1))
}

// TestRowsComeFirst: while the rows cannot be committed, neither is the
// coverage that claims them.
func TestRowsComeFirst(t *testing.T) {
	c := newRESTCatalog(t)
	at := c.lake()
	s := at.open(t)
	c.fault = func(table string, _ int) *restFault {
		if table == "chat_7" {
			return &restFault{status: 400}
		}
		return nil
	}
	if _, err := mustLoad(t, s, keyAt(0)).Commit(t.Context(), dayOf(0, 2, 1)); err == nil {
		t.Error("Commit gives no error")
	}
	if n := snapshots(t, at, "chat_7_windows"); n != 0 {
		t.Errorf("the coverage has %d snapshots", n)
	}
}

// TestConflictIsOfTheDayAlone: of a group that another process was faster
// than, only the days that it touched are refused.
func TestConflictIsOfTheDayAlone(t *testing.T) {
	at := sqliteLake(t)
	one, two := at.open(t), at.open(t)
	mustCommit(t, one, dayOf(0, 2, 1))
	a, b := mustLoad(t, one, keyAt(0)), mustLoad(t, one, keyAt(1))
	mustCommit(t, two, dayOf(0, 2, 2))
	if _, err := a.Commit(t.Context(), dayOf(0, 2, 3)); !errors.Is(err, sinks.ErrConflict) {
		t.Errorf("the day that moved: %v, want ErrConflict", err)
	}
	if _, err := b.Commit(t.Context(), dayOf(1, 2, 3)); err != nil {
		t.Errorf("the other day: %v", err)
	}
	checkDay(t, at, dayOf(0, 2, 2))
	checkDay(t, at, dayOf(1, 2, 3))
}

// TestGroup: days that are committed at the same time are one snapshot; the
// first goes at once, the others wait for the interval; one that gives up does
// not hold the rest.
func TestGroup(t *testing.T) {
	at := sqliteLake(t)
	at.options.Interval = time.Hour
	// Files are encoded here: what compresses them is pooled, and made with
	// channels, which must not come from a bubble.
	requests := make([]*request, 10)
	for n := range requests {
		requests[n] = requestOf(t, dayOf(n, 1, 1))
	}
	synctest.Test(t, func(t *testing.T) {
		s := at.Open(t).(*Sink)
		submit := func(ctx context.Context, n int) error {
			requests[n].ctx = ctx
			_, err := s.submit(requests[n])
			return err
		}
		begin := time.Now()
		if err := submit(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took > 0 {
			t.Errorf("the first commit waited for %v", took)
		}
		ctx, cancel := context.WithCancel(t.Context())
		errs := make(chan error, 8)
		for n := 1; n <= 8; n++ {
			go func() { errs <- submit(t.Context(), n) }()
		}
		left := make(chan error)
		go func() { left <- submit(ctx, 9) }()
		synctest.Wait()
		s.queue.mu.Lock()
		waiting := len(s.queue.waiting)
		s.queue.mu.Unlock()
		if waiting != 9 {
			t.Errorf("%d of 9 days wait for the interval", waiting)
		}
		cancel()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("who gives up is told %v", err)
		}
		for range 8 {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(begin); took != at.options.Interval {
			t.Errorf("the second commit began after %v, want %v", took, at.options.Interval)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if n := snapshots(t, at, "chat_7"); n != 2 {
		t.Errorf("%d snapshots of 9 days, want 2", n)
	}
	for n := range 9 {
		checkDay(t, at, dayOf(n, 1, 1))
	}
	if got := at.Contents(t, keyAt(9)); got != nil {
		t.Errorf("the day that gave up is held: %v", got)
	}
}

// requestOf is what committing a day submits, which the tables do not have.
func requestOf(t *testing.T, day *sinks.Day) *request {
	t.Helper()
	want, err := lake.Project(day)
	if err != nil {
		t.Fatal(err)
	}
	all := make([]lake.Verdict, len(want))
	r := &request{key: day.Key}
	if r.rows, err = replace(&rowsTable, part[lake.RowRecord]{key: day.Key}, lake.MergeRows(nil, want, all)); err != nil {
		t.Fatal(err)
	}
	if r.lines, err = replace(&windowsTable, part[lake.WindowRecord]{key: day.Key}, lake.MergeLines(nil, want, all)); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestLoserLeavesNoFile: what was written for a day that another process was
// faster with goes at once.
func TestLoserLeavesNoFile(t *testing.T) {
	c := newRESTCatalog(t)
	at := c.lake()
	one, two := at.open(t), at.open(t)
	held := mustLoad(t, one, keyAt(0))
	c.mu.Lock()
	first := true
	c.fault = func(string, int) *restFault {
		if !first {
			return nil
		}
		first = false
		c.mu.Unlock() // the other one commits while this one is under way
		mustCommit(t, two, dayOf(0, 2, 1))
		c.mu.Lock()
		return nil
	}
	c.mu.Unlock()
	if _, err := held.Commit(t.Context(), dayOf(0, 2, 2)); !errors.Is(err, sinks.ErrConflict) {
		t.Errorf("Commit gives %v, want ErrConflict", err)
	}
	if n := len(filesOf(t, c.root, "chat_7")); n != 1 {
		t.Errorf("%d data files are left, want the winner's", n)
	}
	checkDay(t, at, dayOf(0, 2, 1))
}
