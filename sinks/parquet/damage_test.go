package parquet

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"wolkpipe/sinks"
	"wolkpipe/sinks/lake"
)

// damaged are objects that are no rows object of ours.
func damaged(t testing.TB, good []byte) map[string][]byte {
	t.Helper()
	type stranger struct {
		Name string `parquet:"name"`
	}
	type retyped struct {
		WindowStart string `parquet:"window_start"`
	}
	encode := func(write func(*bytes.Buffer) error) []byte {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	flipped := bytes.Clone(good)
	for i := 10; i < len(flipped)/2; i++ {
		flipped[i] ^= 0x55
	}
	return map[string][]byte{
		"empty":     {},
		"text":      []byte("not Parquet at all, but longer than a footer is"),
		"truncated": good[:len(good)/2],
		"no footer": append(bytes.Clone(good[:len(good)-8]), 0xff, 0xff, 0xff, 0x7f, 'P', 'A', 'R', '1'),
		"flipped":   flipped,
		"stranger":  encode(func(b *bytes.Buffer) error { return parquet.Write(b, []stranger{{"x"}}) }),
		"retyped":   encode(func(b *bytes.Buffer) error { return parquet.Write(b, []retyped{{"x"}}) }),
	}
}

func TestDamage(t *testing.T) {
	s, root := openDir(t)
	full := day(win(0, 10, row("Ana", "1", 1)), win(1, 10), win(2, 10, row("Ana", "1", 2)), win(3, 10))
	if _, err := offer(t.Context(), s, full); err != nil {
		t.Fatal(err)
	}
	rows, coverage := filepath.Join(root, filepath.FromSlash(rowsObject)), filepath.Join(root, filepath.FromSlash(coverageObject))
	goodRows, err := os.ReadFile(rows)
	if err != nil {
		t.Fatal(err)
	}
	goodLines, err := os.ReadFile(coverage)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	s.log = slog.New(slog.NewTextHandler(&log, nil))
	for name, data := range damaged(t, goodRows) {
		t.Run("rows "+name, func(t *testing.T) {
			log.Reset()
			writeFile(t, rows, data)
			writeFile(t, coverage, goodLines)
			if _, err := s.Rows(t.Context(), key); !errors.Is(err, lake.ErrUnreadable) {
				t.Fatalf("a reader got %v", err)
			}
			// A journal that knows nothing of the day replaces nothing.
			mustOffer(t, s, day(), sinks.Change{})
			// Older than the coverage, but the rows that it told of are gone. Of
			// the windows that the journal lacks, the one that had rows is
			// unknown now; the empty one is still known.
			part := day(win(0, 9, row("Ana", "1", 7)), win(1, 10))
			mustOffer(t, s, part, sinks.Change{Windows: 1, Rows: 1, Writes: 2})
			wantState(t, s, day(part.Windows[0], part.Windows[1], win(3, 10)))
			if text := log.String(); strings.Count(text, "level=WARN") != 1 || !strings.Contains(text, "windows_lost=1") || !strings.Contains(text, rowsObject) {
				t.Errorf("the log says %q", text)
			}
			mustOffer(t, s, full, sinks.Change{Windows: 2, Rows: 2, Writes: 2})
			wantState(t, s, full)
		})
	}
	for name, data := range damaged(t, goodLines) {
		t.Run("coverage "+name, func(t *testing.T) {
			log.Reset()
			writeFile(t, rows, goodRows)
			writeFile(t, coverage, data)
			mustOffer(t, s, full, sinks.Change{Windows: 4, Writes: 1})
			wantState(t, s, full)
			if text := log.String(); strings.Count(text, "level=WARN") != 1 || !strings.Contains(text, coverageObject) {
				t.Errorf("the log says %q", text)
			}
		})
	}
}

// TestNewerColumns: an object that a newer version wrote is refused by the
// sink, for it would lose a column, and read by readers.
func TestNewerColumns(t *testing.T) {
	type newerRow struct {
		lake.RowRecord
		Channel *string `parquet:"channel,optional"`
	}
	s, root := openDir(t)
	want, err := lake.Project(day(win(0, 10, row("Ana", "1", 1))))
	if err != nil {
		t.Fatal(err)
	}
	var data bytes.Buffer
	if err := parquet.Write(&data, []newerRow{{RowRecord: want[0].Rows[0]}}); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(root, filepath.FromSlash(rowsObject)), data.Bytes())
	_, err = s.Load(t.Context(), key)
	var refused *sinks.Error
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "unknown columns channel: upgrade wolkpipe") {
		t.Fatalf("Load gave %v", err)
	}
	rows, err := s.Rows(t.Context(), key)
	if err != nil || len(rows) != 1 || !rows[0].Same(want[0].Rows[0]) {
		t.Fatalf("a reader got %+v, %v", rows, err)
	}
}

// TestRewrittenByAnother: tools that rewrite a file make its columns optional;
// its content is still ours.
func TestRewrittenByAnother(t *testing.T) {
	s, root := openDir(t)
	d := day(win(0, 10, described(row("Ana", "1", 1), "Venta"), row("Bea", "", 2)), win(1, 10))
	if _, err := offer(t.Context(), s, d); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{rowsObject, coverageObject} {
		file := filepath.Join(root, filepath.FromSlash(name))
		copied := filepath.Join(t.TempDir(), "copy.parquet")
		db, err := duckDB()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.ExecContext(t.Context(), "COPY (SELECT * FROM read_parquet('"+file+"', hive_partitioning = false) ORDER BY ALL DESC) TO '"+copied+"' (FORMAT parquet)"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(copied, file); err != nil {
			t.Fatal(err)
		}
	}
	mustOffer(t, s, d, sinks.Change{})
	wantState(t, s, d)
}

// TestLostCoverage: what the journal tells of a day is what its coverage says,
// but the rows of other windows are lost, so their lines go too.
func TestLostCoverage(t *testing.T) {
	s, root := openDir(t)
	if _, err := offer(t.Context(), s, day(win(0, 10, row("Ana", "1", 1)), win(1, 10), win(2, 10))); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(root, filepath.FromSlash(rowsObject)), nil)
	mustOffer(t, s, day(win(1, 10)), sinks.Change{Writes: 2})
	wantState(t, s, day(win(1, 10), win(2, 10)))
}
