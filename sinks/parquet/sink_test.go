package parquet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"testing"
	"time"

	_ "gocloud.dev/blob/memblob"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/lake"
)

var (
	key   = sinks.Key{Operation: "ventas", Day: "2026-11-01"}
	epoch = time.Date(2026, 11, 1, 5, 0, 0, 0, time.UTC) // midnight in Bogota
)

// win is the n-th 5-minute window of the day, observed at minute at of it.
func win(n, at int, rows ...schemas.Row) schemas.Window {
	start := epoch.Add(time.Duration(n) * 5 * time.Minute)
	method := schemas.Direct
	if len(rows) == 0 {
		method = schemas.Empty
	}
	return schemas.Window{
		Local: start.Add(-5 * time.Hour).Format(lake.WallLayout), Start: start, End: start.Add(5 * time.Minute),
		Revision: 1, Method: method, ObservedAt: epoch.Add(time.Duration(at) * time.Minute), Rows: rows,
	}
}

func row(agent, code string, n int64) schemas.Row {
	return schemas.Row{Agent: agent, Code: code, Interactions: n}
}

func described(r schemas.Row, text string) schemas.Row {
	r.Description = &text
	return r
}

func day(windows ...schemas.Window) *sinks.Day {
	return &sinks.Day{Key: key, Timezone: "America/Bogota", State: schemas.Provisional, Expected: 288, Windows: windows}
}

// openDir opens a lake in a fresh folder.
func openDir(t testing.TB) (*Sink, string) {
	root := filepath.Join(t.TempDir(), "lake")
	s, err := Open(t.Context(), Options{Bucket: "file://" + filepath.ToSlash(root)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, root
}

func openMem(t testing.TB) *Sink {
	s, err := Open(t.Context(), Options{Bucket: "mem://", Prefix: "a/b"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// offer loads and commits once.
func offer(ctx context.Context, s *Sink, d *sinks.Day) (sinks.Change, error) {
	h, err := s.Load(ctx, d.Key)
	if err != nil {
		return sinks.Change{}, err
	}
	return h.Commit(ctx, d)
}

func mustOffer(t testing.TB, s *Sink, d *sinks.Day, want sinks.Change) {
	t.Helper()
	got, err := offer(t.Context(), s, d)
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Fatalf("the commit changed %+v, want %+v", got, want)
	}
}

// state is what a lake holds of a day, in a form that can be compared.
func state(t testing.TB, s *Sink, key sinks.Key) (rows, lines []string) {
	t.Helper()
	rr, err := s.Rows(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	ww, err := s.Coverage(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return asText(rr, ww)
}

func asText(rr []lake.RowRecord, ww []lake.WindowRecord) (rows, lines []string) {
	for _, r := range rr {
		text := "-"
		if r.Description != nil {
			text = *r.Description
		}
		rows = append(rows, fmt.Sprintf("%s..%s %s %s %q %q %q %d %s %s", r.WindowStart, r.WindowEnd, r.WindowLocal, r.Timezone, r.Agent, r.Code, text, r.Interactions, r.Method, r.ObservedAt))
	}
	for _, w := range ww {
		lines = append(lines, fmt.Sprintf("%+v", w))
	}
	return rows, lines
}

// wantState checks that a lake holds exactly the windows of d.
func wantState(t testing.TB, s *Sink, d *sinks.Day) {
	t.Helper()
	want, err := lake.Project(d)
	if err != nil {
		t.Fatal(err)
	}
	var rr []lake.RowRecord
	var ww []lake.WindowRecord
	for _, w := range want {
		rr, ww = append(rr, w.Rows...), append(ww, w.Line[0])
	}
	wantRows, wantLines := asText(rr, ww)
	rows, lines := state(t, s, d.Key)
	if !slices.Equal(rows, wantRows) {
		t.Fatalf("rows:\n%q\nwant\n%q", rows, wantRows)
	}
	if !slices.Equal(lines, wantLines) {
		t.Fatalf("coverage:\n%q\nwant\n%q", lines, wantLines)
	}
}

// files are the files of a folder, by slash-separated name, sorted.
func files(t testing.TB, root string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			name, _ := filepath.Rel(root, path)
			names = append(names, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

const (
	rowsObject     = "chat_7/operation=ventas/day=2026-11-01/chat_7.parquet"
	coverageObject = "chat_7_windows/operation=ventas/day=2026-11-01/chat_7_windows.parquet"
)

func TestCommit(t *testing.T) {
	for name, open := range map[string]func(testing.TB) *Sink{
		"file": func(t testing.TB) *Sink { s, _ := openDir(t); return s },
		"mem":  openMem,
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			one := day(win(0, 10, row("Ana", "0012", 3), described(row("Ana", "12", 1), "Venta")), win(1, 10), win(3, 20, row("Íñigo", "", 7)))
			mustOffer(t, s, one, sinks.Change{Windows: 3, Rows: 3, Writes: 2})
			wantState(t, s, one)
			mustOffer(t, s, one, sinks.Change{})

			// A window that the day does not tell stays.
			mustOffer(t, s, day(win(2, 30, row("Bea", "x", 2))), sinks.Change{Windows: 1, Rows: 1, Writes: 2})
			two := day(one.Windows[0], one.Windows[1], win(2, 30, row("Bea", "x", 2)), one.Windows[2])
			wantState(t, s, two)

			// An older observation changes nothing, an equally old one repairs.
			mustOffer(t, s, day(win(2, 29, row("Bea", "x", 1))), sinks.Change{})
			wantState(t, s, two)
			two.Windows[2] = win(2, 30, row("Bea", "x", 4))
			mustOffer(t, s, two, sinks.Change{Windows: 1, Rows: 1, Writes: 2})
			wantState(t, s, two)

			// A state is told in the coverage alone.
			two.State = schemas.Settled
			mustOffer(t, s, two, sinks.Change{Windows: 4, Writes: 1})
			wantState(t, s, two)

			// So is what was rejected.
			two.Windows[1].Rejects = []schemas.Reject{{Reason: "no count"}}
			two.Windows[1].Dropped = 2
			mustOffer(t, s, two, sinks.Change{Windows: 1, Writes: 1})
			wantState(t, s, two)

			// Rows that vanish leave an object without rows.
			none := day(win(0, 40), win(1, 40), win(2, 40), win(3, 40))
			mustOffer(t, s, none, sinks.Change{Windows: 4, Writes: 2})
			wantState(t, s, none)
			if data, guard, err := s.store.get(t.Context(), rowsObject); err != nil || guard == "" || len(data) == 0 {
				t.Fatalf("the rows object of a day whose rows vanished: %d bytes, %v", len(data), err)
			}
		})
	}
}

func TestDescriptions(t *testing.T) {
	s := openMem(t)
	mustOffer(t, s, day(win(0, 10, described(row("Ana", "1", 3), "old")), win(1, 10, described(row("Ana", "1", 1), "old"))),
		sinks.Change{Windows: 2, Rows: 2, Writes: 2})
	d := day(win(0, 10, described(row("Ana", "1", 3), "new")), win(1, 10, row("Ana", "1", 1)))
	mustOffer(t, s, d, sinks.Change{})
	d.Windows[1] = win(1, 20, row("Ana", "1", 2))
	mustOffer(t, s, d, sinks.Change{Windows: 1, Rows: 1, Writes: 2})
	wantState(t, s, d)
}

func TestLayout(t *testing.T) {
	s, root := openDir(t)
	mustOffer(t, s, day(), sinks.Change{})
	base := []string{probeName, lockName}
	if got := files(t, root); !slices.Equal(got, base) {
		t.Fatalf("an unknown day left %q", got)
	}
	mustOffer(t, s, day(win(0, 10)), sinks.Change{Windows: 1, Writes: 1})
	if got := files(t, root); !slices.Equal(got, append(base, coverageObject)) {
		t.Fatalf("a day without rows left %q", got)
	}
	mustOffer(t, s, day(win(0, 11, row("Ana", "1", 1))), sinks.Change{Windows: 1, Rows: 1, Writes: 2})
	mustOffer(t, s, day(win(0, 12)), sinks.Change{Windows: 1, Writes: 2})
	if got := files(t, root); !slices.Equal(got, append(base, rowsObject, coverageObject)) {
		t.Fatalf("a day whose rows vanished left %q", got)
	}
}

func TestConflict(t *testing.T) {
	for name, open := range map[string]func(testing.TB) *Sink{
		"file": func(t testing.TB) *Sink { s, _ := openDir(t); return s },
		"mem":  openMem,
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			for i, d := range []*sinks.Day{day(win(0, 10, row("Ana", "1", 1))), day(win(0, 20, row("Ana", "1", 2)))} {
				late, err := s.Load(t.Context(), key)
				if err != nil {
					t.Fatal(err)
				}
				mustOffer(t, s, d, sinks.Change{Windows: 1, Rows: 1, Writes: 2})
				change, err := late.Commit(t.Context(), day(win(0, 15+i*10, row("Ana", "1", 9))))
				if !errors.Is(err, sinks.ErrConflict) || change != (sinks.Change{}) {
					t.Fatalf("a commit on a state that moved: %+v, %v", change, err)
				}
				wantState(t, s, d)
			}
		})
	}
}

// TestRepairsCoverage is a crash between the two objects.
func TestRepairsCoverage(t *testing.T) {
	s, _ := openDir(t)
	one := day(win(0, 10, row("Ana", "1", 1)), win(1, 10, row("Ana", "1", 1)))
	mustOffer(t, s, one, sinks.Change{Windows: 2, Rows: 2, Writes: 2})
	two := day(win(0, 20, row("Ana", "1", 2)), win(1, 20))
	crash := &faulty{store: s.store, fail: func(name string) fault {
		if name == coverageObject {
			return before
		}
		return none
	}}
	change, err := offer(t.Context(), newSink(crash, nil), two)
	if !errors.Is(err, errInjected) || change != (sinks.Change{Windows: 2, Rows: 1, Writes: 1}) {
		t.Fatalf("%+v, %v", change, err)
	}
	// What the coverage lags behind is not taken back.
	stale := day(win(0, 15, row("Ana", "1", 9)))
	mustOffer(t, s, stale, sinks.Change{})
	before, _, _ := s.store.get(t.Context(), rowsObject)
	mustOffer(t, s, two, sinks.Change{Windows: 2, Writes: 1})
	after, _, _ := s.store.get(t.Context(), rowsObject)
	if !slices.Equal(before, after) {
		t.Fatal("the rows were rewritten")
	}
	wantState(t, s, two)
}

func TestBadDays(t *testing.T) {
	s := openMem(t)
	bad := map[string]*sinks.Day{
		`"" is not a window of that day`:                               day(schemas.Window{}),
		`"2026-11-02T00:00:00" is not a window of that day`:            day(win(288, 1)),
		`window 2026-11-01T00:00:00 is told after 2026-11-01T00:05:00`: day(win(1, 1), win(0, 1)),
		`window 2026-11-01T00:00:00 is told after 2026-11-01T00:00:00`: day(win(0, 1), win(0, 1)),
		`window 2026-11-01T00:00:00: row ("A", "1") stands twice`:      day(win(0, 1, row("A", "1", 1), row("B", "1", 2), row("A", "1", 2))),
		`window 2026-11-01T00:00:00: row ("A\xff", "1") is not UTF-8`:  day(win(0, 1, row("A\xff", "1", 1))),
	}
	for want, d := range bad {
		_, err := offer(t.Context(), s, d)
		if want = "the day ventas 2026-11-01 cannot be kept: " + want; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	h, err := s.Load(t.Context(), sinks.Key{Operation: "ventas", Day: "2026-11-02"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Commit(t.Context(), day(win(0, 1))); err == nil {
		t.Error("a day was committed on another's state")
	}
}

func TestKeysStayInTheirFolder(t *testing.T) {
	s, _ := openDir(t)
	for _, k := range []sinks.Key{
		{Operation: "", Day: key.Day}, {Operation: "..", Day: key.Day}, {Operation: "a/b", Day: key.Day}, {Operation: "Ventas", Day: key.Day},
		{Operation: "a\n", Day: key.Day}, {Operation: "ventas", Day: ""}, {Operation: "ventas", Day: "../../x"}, {Operation: "ventas", Day: "2026-02-30"},
		{Operation: "ventas", Day: "2026-11-1"}, {Operation: "ventas", Day: "2026-11-01/.."},
	} {
		if _, err := s.Load(t.Context(), k); err == nil {
			t.Errorf("Load takes %q", k)
		}
		if _, err := s.Rows(t.Context(), k); err == nil {
			t.Errorf("Rows takes %q", k)
		}
		if _, err := s.Coverage(t.Context(), k); err == nil {
			t.Errorf("Coverage takes %q", k)
		}
	}
}
