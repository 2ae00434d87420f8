package parquet

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"wolkpipe/sinks"
	"wolkpipe/sinks/lake"
	"wolkpipe/sinks/sinktest"
)

// spoiled is a lake, the journal it holds, and the means to damage it.
type spoiled struct {
	t      testing.TB
	sink   *Sink
	root   string
	source *sinktest.Source
}

// newSpoiled makes a lake of two versions of a day; first holds the files of
// the first.
func newSpoiled(t testing.TB) (s *spoiled, first map[string][]byte) {
	s = &spoiled{t: t, source: sinktest.NewSource()}
	s.sink, s.root = openDir(t)
	s.source.Observe(key, win(0, 10, row("Ana", "1", 1), row("Bea", "2", 5)), win(1, 10), win(2, 10, row("Ana", "1", 2)))
	s.converge()
	first = map[string][]byte{rowsObject: s.read(rowsObject), coverageObject: s.read(coverageObject)}
	s.source.Observe(key, win(0, 20, row("Ana", "1", 4)), win(3, 20, row("Eva", "9", 3)))
	s.converge()
	return s, first
}

func (s *spoiled) path(name string) string { return filepath.Join(s.root, filepath.FromSlash(name)) }

func (s *spoiled) read(name string) []byte {
	s.t.Helper()
	data, err := os.ReadFile(s.path(name))
	if err != nil {
		s.t.Fatal(err)
	}
	return data
}

func (s *spoiled) remove(name string) {
	s.t.Helper()
	if err := os.Remove(s.path(name)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *spoiled) converge() sinks.Change {
	s.t.Helper()
	change, _, err := sinks.Converge(s.t.Context(), s.sink, s.source, key)
	if err != nil {
		s.t.Fatal(err)
	}
	return change
}

func (s *spoiled) day() *sinks.Day {
	s.t.Helper()
	day, _, err := s.source.Day(s.t.Context(), key)
	if err != nil {
		s.t.Fatal(err)
	}
	return day
}

// differences audits, and gives what was found.
func (s *spoiled) differences() ([]sinks.Difference, *sinks.Audited) {
	s.t.Helper()
	found, err := s.sink.Audit(s.t.Context(), key.Operation, []string{key.Day})
	if err != nil {
		s.t.Fatal(err)
	}
	return sinks.Differences(s.day(), found[key.Day]), found[key.Day]
}

// mended mends, and fails unless the lake then holds the journal and no more.
func (s *spoiled) mended() sinks.Change {
	s.t.Helper()
	changes, err := sinks.Mend(s.t.Context(), s.sink, s.source, key.Operation, []string{key.Day})
	if err != nil {
		s.t.Fatal(err)
	}
	if left, _ := s.differences(); len(left) > 0 {
		s.t.Errorf("after mending there differ %q", left)
	}
	wantState(s.t, s.sink, s.day())
	if d := sinktest.Diff(s.day().Windows, duckContents(s.t, s.root, key)); d != "" {
		s.t.Errorf("DuckDB finds (wanted -, held +):\n%s", d)
	}
	if again, err := sinks.Mend(s.t.Context(), s.sink, s.source, key.Operation, []string{key.Day}); err != nil || len(again) > 0 {
		s.t.Errorf("mending again gives %+v, %v", again, err)
	}
	if change := s.converge(); change != (sinks.Change{}) {
		s.t.Errorf("then it writes %+v", change)
	}
	return changes[key.Day]
}

// rows replaces the rows object by what edit makes of its records.
func (s *spoiled) rows(edit func([]lake.RowRecord) []lake.RowRecord) {
	rewrite(s, lake.Rows, rowsObject, edit)
}

func (s *spoiled) lines(edit func([]lake.WindowRecord) []lake.WindowRecord) {
	rewrite(s, lake.Windows, coverageObject, edit)
}

func rewrite[R lake.Record[R]](s *spoiled, c *lake.Codec[R], name string, edit func([]R) []R) {
	s.t.Helper()
	records, _, err := c.Decode(s.read(name))
	if err != nil {
		s.t.Fatal(err)
	}
	records = edit(records)
	slices.SortStableFunc(records, R.Compare)
	data, err := c.Encode(records)
	if err != nil {
		s.t.Fatal(err)
	}
	writeFile(s.t, s.path(name), data)
}

var future = lake.InstantOf(time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC))
