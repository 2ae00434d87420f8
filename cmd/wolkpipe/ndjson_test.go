package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"wolkpipe/pipeline/chat7/chat7sim"
)

// withFiles is the rest of a configuration with a lake and files of JSON lines.
var withFiles = []string{
	`nats: {listen: "127.0.0.1:0"}`, `status: {listen: "127.0.0.1:0"}`,
	"sinks:", "  - {name: events, kind: events}", "  - {name: lake, kind: parquet}", "  - {name: files, kind: ndjson, folder: out}",
}

// TestFilesEqualLake kills a daemon again and again, lets it finish, and reads
// what a second sink holds: events, lake and files are the same, row by row.
func TestFilesEqualLake(t *testing.T) {
	t.Parallel()
	operations := chat7sim.DefaultOperations()
	for i := range operations {
		operations[i].Weekends, operations[i].Licences = true, 50
	}
	s, _ := quickSite(t, time.Date(2026, 9, 7, 15, 0, 0, 0, time.UTC), 100, chat7sim.Options{Seed: 5, Scenario: chat7sim.Scenario{
		Operations: operations,
		Faults: chat7sim.Faults{
			Latency:  chat7sim.Latency{Base: 4 * time.Millisecond, Random: 8 * time.Millisecond},
			OddNames: 0.3, JunkRows: 0.02, DuplicateRows: 0.05, RepeatedKeys: 0.1,
		},
	}})
	const since = "2026-09-05" // the day before the clock change of America/Santiago
	s.configure(since, "15m", withFiles...)
	rng := rand.New(rand.NewPCG(5, 0))
	kills := 5
	if testing.Short() {
		kills = 1
	}
	for range kills {
		before := s.calls()
		p := s.start()
		s.progress(p, before+1+rng.Int64N(40))
		p.alive()
		p.kill()
	}
	p := s.start()
	last := s.status(p, complete)
	p.signal(syscall.SIGTERM)
	p.exits(0)
	s.check(since, 15*time.Minute, last) // events and lake

	rows, lines := readFiles(t, s.path("out", "chat_7")), readFiles(t, s.path("out", "chat_7_windows"))
	s.sameAsLake("chat_7", "agent_name, cod_act, description_cod_act, interactions", rows)
	s.sameAsLake("chat_7_windows", "state, row_count, interactions, rejected_rows, dropped_rows", lines)
}

// TestFilesVerified verifies, repairs and resyncs the files as any sink.
func TestFilesVerified(t *testing.T) {
	t.Parallel()
	s := newSite(t, chat7sim.Options{Seed: 9, Scenario: chat7sim.Scenario{
		Operations: []chat7sim.Operation{{Name: "ventas", Timezone: "America/Bogota", InteractionsPerDay: 200, Weekends: true, Licences: 5}},
	}})
	s.configure(yesterday(), "15m", withFiles...)
	day := time.Now().UTC().AddDate(0, 0, -5).Format(time.DateOnly)
	want := func(code int, says string, args ...string) {
		t.Helper()
		got, stdout, stderr := s.run(append(args, "-c", "wolkpipe.yaml", "--operation", "ventas", "--from", day, "--to", day)...)
		if got != code || !strings.Contains(stdout+stderr, says) {
			t.Errorf("%v exits %d, want %d with %q:\n%s%s", args, got, code, says, stdout, stderr)
		}
	}
	want(0, "Done: ", "backfill")
	want(0, "files       agrees with the journal", "verify")
	name := s.path("out", "chat_7", "operation=ventas", "day="+day, "chat_7.ndjson")
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	want(3, "files: ventas ", "verify")
	want(0, "1 batch or object written", "resync", "--sink", "files")
	want(0, "files       agrees with the journal", "verify")
	// A later observation than the journal's: no convergence takes it back.
	edited := bytes.Replace(whole, []byte(`"observed_at":"20`), []byte(`"observed_at":"21`), 1)
	if err := os.WriteFile(name, edited, 0o600); err != nil {
		t.Fatal(err)
	}
	want(0, "0 batches or objects written", "resync", "--sink", "files")
	want(0, "1 window mended", "verify", "--repair")
	if mended, err := os.ReadFile(name); err != nil || !bytes.Equal(mended, whole) {
		t.Errorf("%v: the file is not what it was", err)
	}
}

// readFiles reads all lines below a dataset's folder, with operation and day of
// their paths, knowing nothing of them.
func readFiles(t *testing.T, folder string) (all []map[string]any) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(folder, "operation=*", "day=*", filepath.Base(folder)+".ndjson"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d files below %s: %v", len(paths), folder, err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		place := strings.Split(filepath.ToSlash(path), "/")
		for line := range bytes.Lines(data) {
			decoder := json.NewDecoder(bytes.NewReader(line))
			decoder.UseNumber()
			row := map[string]any{}
			if err := decoder.Decode(&row); err != nil {
				t.Fatalf("%s: %v: %s", path, err, line)
			}
			row["operation"] = strings.TrimPrefix(place[len(place)-3], "operation=")
			row["day"] = strings.TrimPrefix(place[len(place)-2], "day=")
			all = append(all, row)
		}
	}
	return all
}

// sameAsLake holds lines to a dataset of the lake, which DuckDB writes as JSON
// with instants and clocks as the files have them.
func (s *site) sameAsLake(dataset, columns string, got []map[string]any) {
	s.t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	instant := func(column string) string {
		return "strftime(" + column + "::TIMESTAMPTZ AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%f') AS " + column
	}
	var want []string
	query(s.t, db, `SELECT to_json(r)::VARCHAR FROM (SELECT operation, day::VARCHAR AS day, `+instant("window_start")+`, `+instant("window_end")+`,
		strftime(window_local, '%Y-%m-%dT%H:%M:%S') AS window_local, timezone, `+columns+`, method, `+instant("observed_at")+` FROM `+s.dataset(dataset)+`) r`,
		func(scan func(...any)) {
			var text string
			scan(&text)
			row := map[string]any{}
			decoder := json.NewDecoder(strings.NewReader(text))
			decoder.UseNumber()
			if err := decoder.Decode(&row); err != nil {
				s.t.Fatal(err)
			}
			want = append(want, asText(s.t, row))
		})
	var have []string
	for _, row := range got {
		for _, column := range []string{"window_start", "window_end", "observed_at"} {
			at, err := time.Parse(time.RFC3339Nano, row[column].(string))
			if err != nil {
				s.t.Fatal(err)
			}
			row[column] = at.UTC().Format("2006-01-02T15:04:05.000000")
		}
		have = append(have, asText(s.t, row))
	}
	slices.Sort(want)
	slices.Sort(have)
	if len(want) == 0 || !slices.Equal(want, have) {
		i := 0
		for i < min(len(want), len(have)) && want[i] == have[i] {
			i++
		}
		s.t.Errorf("%s: the lake has %d, the files have %d; they differ from\n%s\n%s on", dataset, len(want), len(have), at(want, i), at(have, i))
	}
	s.t.Logf("%s: %d lines equal to the lake's", dataset, len(have))
}

func at(all []string, i int) string {
	if i < len(all) {
		return all[i]
	}
	return "nothing"
}

// asText is a row with its columns in the order of their names.
func asText(t *testing.T, row map[string]any) string {
	t.Helper()
	text, err := json.Marshal(row)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
