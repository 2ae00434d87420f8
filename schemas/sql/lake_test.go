package sql_test

import (
	"cmp"
	"context"
	"net/url"
	"path/filepath"
	"slices"
	"testing"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/parquet"
)

// sampleLake is a lake in a folder, and the truth: what was put into it.
type sampleLake struct {
	root  string
	sink  *parquet.Sink
	days  []*sinks.Day // as they were last told, by operation and day
	codes map[string][]schemas.ActivityCode
}

// openLake opens an empty lake in a new folder, below a prefix as users have.
func openLake(t testing.TB) *sampleLake {
	t.Helper()
	folder, prefix := t.TempDir(), "lake of José's"
	s, err := parquet.Open(t.Context(), parquet.Options{Bucket: (&url.URL{Scheme: "file", Path: folder}).String(), Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return &sampleLake{root: filepath.Join(folder, prefix), sink: s, codes: make(map[string][]schemas.ActivityCode)}
}

// told is a journal that knows one day.
type told struct{ day *sinks.Day }

func (j told) Day(context.Context, sinks.Key) (*sinks.Day, uint64, error) { return j.day, 1, nil }

// tell brings the lake to hold a day; the last thing told of it is the truth.
func (l *sampleLake) tell(t testing.TB, day *sinks.Day) {
	t.Helper()
	if _, _, err := sinks.Converge(t.Context(), l.sink, told{day}, day.Key); err != nil {
		t.Fatal(err)
	}
	at, known := slices.BinarySearchFunc(l.days, day.Key, func(d *sinks.Day, k sinks.Key) int {
		return cmp.Or(cmp.Compare(d.Operation, k.Operation), cmp.Compare(d.Key.Day, k.Day))
	})
	if known {
		l.days[at] = day
	} else {
		l.days = slices.Insert(l.days, at, day)
	}
}

// tellCodes puts an operation's codes into the lake.
func (l *sampleLake) tellCodes(t testing.TB, operation string, codes ...schemas.ActivityCode) {
	t.Helper()
	if _, err := l.sink.PutCodes(t.Context(), operation, codes); err != nil {
		t.Fatal(err)
	}
	l.codes[operation] = codes
}
