package ndjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/sinktest"
)

func TestConformance(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sinktest.Harness { return harness{t.TempDir()} })
}

// harness reads the files as anybody would: line by line, with the names that
// schemas/README.md gives.
type harness struct{ folder string }

func (h harness) Open(t testing.TB) sinks.Sink {
	s, err := Open(h.folder)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (h harness) Contents(t testing.TB, key sinks.Key) (all []schemas.Window) {
	at := make(map[string]int)
	for _, l := range lines[windowLine](t, h.path("chat_7_windows", key)) {
		at[l.Local] = len(all)
		all = append(all, schemas.Window{Local: l.Local, Start: l.Start, End: l.End, Method: l.Method, ObservedAt: l.ObservedAt})
	}
	for _, r := range lines[rowLine](t, h.path("chat_7", key)) {
		i, known := at[r.Local]
		if !known {
			t.Fatalf("a row of window %s, which has no line", r.Local)
		}
		all[i].Rows = append(all[i].Rows, r.Row)
	}
	return all
}

// Watch needs the rows alone, which are one file.
func (h harness) Watch(t testing.TB, key sinks.Key) (all []schemas.Window) {
	for _, r := range lines[rowLine](t, h.path("chat_7", key)) {
		if n := len(all); n == 0 || all[n-1].Local != r.Local {
			all = append(all, schemas.Window{Local: r.Local})
		}
		w := &all[len(all)-1]
		w.Rows = append(w.Rows, r.Row)
	}
	return all
}

func (h harness) path(dataset string, key sinks.Key) string {
	return filepath.Join(h.folder, dataset, "operation="+key.Operation, "day="+key.Day, dataset+".ndjson")
}

type windowLine struct {
	Local      string         `json:"window_local"`
	Start      time.Time      `json:"window_start"`
	End        time.Time      `json:"window_end"`
	Method     schemas.Method `json:"method"`
	ObservedAt time.Time      `json:"observed_at"`
}

type rowLine struct {
	Local string `json:"window_local"`
	schemas.Row
}

func lines[L any](t testing.TB, path string) (all []L) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for text := range bytes.Lines(data) {
		var l L
		if err := json.Unmarshal(text, &l); err != nil || text[len(text)-1] != '\n' {
			t.Fatalf("%s: %v: %q", path, err, text)
		}
		all = append(all, l)
	}
	return all
}

var key = sinks.Key{Operation: "ventas", Day: "2026-11-01"}

// day is a day of one window with a row and one without.
func day(interactions int64) *sinks.Day {
	start, observed := time.Date(2026, 11, 1, 5, 0, 0, 0, time.UTC), time.Date(2026, 11, 2, 12, 0, 0, 1000, time.UTC)
	return &sinks.Day{Key: key, Timezone: "America/Bogota", State: schemas.Settled, Expected: 288, Windows: []schemas.Window{
		{
			Local: "2026-11-01T00:00:00", Start: start, End: start.Add(5 * time.Minute), Revision: 1, Method: schemas.Direct, ObservedAt: observed,
			Rows: []schemas.Row{{Agent: "José <Núñez>", Code: "0012", Interactions: interactions}}, Dropped: 1,
		},
		{Local: "2026-11-01T00:05:00", Start: start.Add(5 * time.Minute), End: start.Add(10 * time.Minute), Revision: 1, Method: schemas.Empty, ObservedAt: observed},
	}}
}

func commit(t *testing.T, s *Sink, d *sinks.Day) sinks.Change {
	t.Helper()
	held, err := s.Load(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	change, err := held.Commit(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return change
}

// TestFiles holds the lines to the byte: programs of users read them.
func TestFiles(t *testing.T) {
	h := harness{t.TempDir()}
	s := h.Open(t).(*Sink)
	if c := commit(t, s, day(3)); c != (sinks.Change{Windows: 2, Rows: 1, Writes: 2}) {
		t.Errorf("%+v", c)
	}
	for dataset, want := range map[string]string{
		"chat_7": `{"window_start":"2026-11-01T05:00:00Z","window_end":"2026-11-01T05:05:00Z","window_local":"2026-11-01T00:00:00","timezone":"America/Bogota","agent_name":"José <Núñez>","cod_act":"0012","description_cod_act":null,"interactions":3,"method":"direct","observed_at":"2026-11-02T12:00:00.000001Z"}` + "\n",
		"chat_7_windows": `{"window_start":"2026-11-01T05:00:00Z","window_end":"2026-11-01T05:05:00Z","window_local":"2026-11-01T00:00:00","timezone":"America/Bogota","observed_at":"2026-11-02T12:00:00.000001Z","method":"direct","state":"settled","row_count":1,"interactions":3,"rejected_rows":0,"dropped_rows":1}` + "\n" +
			`{"window_start":"2026-11-01T05:05:00Z","window_end":"2026-11-01T05:10:00Z","window_local":"2026-11-01T00:05:00","timezone":"America/Bogota","observed_at":"2026-11-02T12:00:00.000001Z","method":"empty","state":"settled","row_count":0,"interactions":0,"rejected_rows":0,"dropped_rows":0}` + "\n",
	} {
		got, err := os.ReadFile(h.path(dataset, key))
		if err != nil || string(got) != want {
			t.Errorf("%s: %v\n%swant\n%s", dataset, err, got, want)
		}
	}
	var names []string
	err := filepath.WalkDir(h.folder, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			names = append(names, e.Name())
		}
		return err
	})
	if err != nil || strings.Join(names, " ") != ".wolkpipe.lock chat_7.ndjson chat_7_windows.ndjson" {
		t.Errorf("%v: the folder has %q", err, names)
	}
	if _, err := s.Load(t.Context(), sinks.Key{Operation: "../ventas", Day: key.Day}); err == nil {
		t.Error("an operation's name leads out of the folder")
	}
}

// TestDamage: what was cut short, spoiled, edited or removed is found, and
// replaced by the next commit or by mending.
func TestDamage(t *testing.T) {
	for name, spoil := range map[string]func(path string, data []byte) error{
		"cut":     func(path string, data []byte) error { return os.WriteFile(path, data[:len(data)-20], 0o600) },
		"spoiled": func(path string, data []byte) error { return os.WriteFile(path, append(data, "<html>\n"...), 0o600) },
		"edited": func(path string, data []byte) error {
			return os.WriteFile(path, bytes.ReplaceAll(data, []byte(`"interactions":3`), []byte(`"interactions":4`)), 0o600)
		},
		"twice":   func(path string, data []byte) error { return os.WriteFile(path, append(data, data...), 0o600) },
		"removed": func(path string, _ []byte) error { return os.Remove(path) },
	} {
		for _, dataset := range []string{"chat_7", "chat_7_windows"} {
			t.Run(name+"/"+dataset, func(t *testing.T) {
				for _, mend := range []bool{false, true} {
					h := harness{t.TempDir()}
					s := h.Open(t).(*Sink)
					commit(t, s, day(3))
					want := h.Contents(t, key)
					data, err := os.ReadFile(h.path(dataset, key))
					if err != nil {
						t.Fatal(err)
					}
					if err := spoil(h.path(dataset, key), data); err != nil {
						t.Fatal(err)
					}
					found := audit(t, s)
					if len(sinks.Differences(day(3), found)) == 0 {
						t.Error("the audit finds nothing")
					}
					if mend {
						if _, err := found.Mend(t.Context(), day(3)); err != nil {
							t.Fatal(err)
						}
					} else {
						commit(t, s, day(3))
					}
					if d := sinktest.Diff(want, h.Contents(t, key)); d != "" {
						t.Errorf("mended %v: %s", mend, d)
					}
					if d := sinks.Differences(day(3), audit(t, s)); len(d) > 0 {
						t.Errorf("mended %v: the audit finds %v", mend, d)
					}
				}
			})
		}
	}
}

// TestDamageLeavesNoClaim: where the rows of a window that the journal lacks are
// lost, its line goes too.
func TestDamageLeavesNoClaim(t *testing.T) {
	h := harness{t.TempDir()}
	s := h.Open(t).(*Sink)
	commit(t, s, day(3))
	if err := os.WriteFile(h.path("chat_7", key), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	later := day(3)
	later.Windows = later.Windows[1:]
	commit(t, s, later)
	if d := sinktest.Diff(later.Windows, h.Contents(t, key)); d != "" {
		t.Error(d)
	}
}

func audit(t *testing.T, s *Sink) *sinks.Audited {
	t.Helper()
	all, err := s.Audit(t.Context(), key.Operation, []string{key.Day})
	if err != nil {
		t.Fatal(err)
	}
	return all[key.Day]
}

// TestOpen: a folder that cannot be is told with the mend.
func TestOpen(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var lasting *sinks.Error
	if _, err := Open(filepath.Join(file, "out")); !errors.As(err, &lasting) || lasting.Hint == "" {
		t.Errorf("%v", err)
	}
}
