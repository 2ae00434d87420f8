package sql_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "gocloud.dev/blob/s3blob"

	"wolkpipe/sinks/parquet"
	"wolkpipe/sinks/sinktest/servers"
)

// TestFilesSayWhetherTheyAreRun: each file tells at its top whether tests run
// it, truly, and tables name the place of the lake.
func TestFilesSayWhetherTheyAreRun(t *testing.T) {
	files, err := filepath.Glob("*/*.sql")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		head := strings.Join(strings.SplitN(string(data), "\n", 5)[:4], "\n")
		folder, name := filepath.Split(file)
		run := folder == "questions/" || (folder == "duckdb/" || folder == "clickhouse/") && name != "iceberg.sql"
		said := strings.Contains(head, "Run in the tests") || strings.Contains(head, "Runs in DuckDB and ClickHouse")
		notRun := strings.Contains(head, "Not run in the tests")
		if folder == "questions/" {
			said = strings.Contains(string(data), "-- Runs in DuckDB and ClickHouse over the views.")
		}
		if said != run || notRun == run {
			t.Errorf("%s: run %v, and says so %v, or that it is not %v", file, run, said, notRun)
		}
		if name == "tables.sql" && !strings.Contains(string(data), "LAKE") {
			t.Errorf("%s names no LAKE", file)
		}
	}
}

// TestPastedWhole: DuckDB takes the files as they are, comments and all.
func TestPastedWhole(t *testing.T) {
	l := buildSample(t)
	db := openDuckDB(t)
	for _, file := range []string{"duckdb/tables.sql", "duckdb/views.sql", "questions/10_day_totals.sql"} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(string(data), "LAKE/", strings.ReplaceAll(l.root, "'", "''")+"/")
		if _, err := db.ExecContext(t.Context(), text); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// TestWithoutCodes: a lake whose source has told no list of codes.
func TestWithoutCodes(t *testing.T) {
	l := openLake(t)
	full := buildSample(t)
	for _, d := range full.days {
		if d.Operation == "lord_howe" {
			l.tell(t, d)
		}
	}
	data, err := os.ReadFile("duckdb/tables.sql")
	if err != nil {
		t.Fatal(err)
	}
	_, instead, ok := strings.Cut(string(data), "--   CREATE OR REPLACE VIEW activity_codes ")
	if !ok {
		t.Fatal("duckdb/tables.sql does not say what to do")
	}
	instead, _, _ = strings.Cut(instead, "\n")
	each(t, func(t *testing.T, e engine) {
		run := definitions(t, e.name, l.root)
		if e.name == "duckdb" {
			run[2] = "CREATE OR REPLACE VIEW activity_codes " + instead
		}
		truths, all := l.truths(t, shipped), questions(t, e.name, shipped)
		for _, q := range all {
			run = append(run, q.text)
		}
		for i, got := range e.runAll(t, len(all), run...) {
			if d := differ(truths[all[i].name], got); d != "" {
				t.Errorf("%s: %s", all[i].name, d)
			}
		}
	})
}

// TestClickHouseOnS3: the definitions as clickhouse/tables.sql says to change them
// for a bucket.
func TestClickHouseOnS3(t *testing.T) {
	server := servers.S3(t)
	server.Setenv(t)
	server.CreateBucket(t, "analysts")
	s, err := parquet.Open(t.Context(), parquet.Options{Bucket: server.URL("analysts"), Prefix: "lake/wolkpipe"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	l := &sampleLake{sink: s}
	for _, d := range buildSample(t).days {
		if (d.Operation == "soporte" || d.Operation == "lord_howe") && d.Key.Day != "2026-11-05" {
			l.tell(t, d)
		}
	}
	run := definitions(t, "clickhouse", "")
	for i := range run[:3] {
		place := "s3('" + server.Endpoint + "/analysts/lake/wolkpipe/"
		run[i] = strings.Replace(run[i], "file('/", place, 1)
		run[i] = strings.Replace(run[i], ".parquet', 'Parquet'", ".parquet', '"+server.AccessKey+"', '"+server.SecretKey+"', 'Parquet'", 1)
		if !strings.Contains(run[i], place) {
			t.Fatalf("no place of a bucket in\n%s", run[i])
		}
	}
	truths, all := l.truths(t, shipped), questions(t, "clickhouse", shipped)
	for _, q := range all {
		run = append(run, q.text)
	}
	for i, a := range runClickHouse(t, run...) {
		if a.err != nil { // not the statement: it has the secret
			t.Fatalf("statement %d: %v", i, strings.ReplaceAll(a.err.Error(), server.SecretKey, "…"))
		}
		if at := i - (len(run) - len(all)); at >= 0 {
			if d := differ(truths[all[at].name], a.rows); d != "" {
				t.Errorf("%s: %s", all[at].name, d)
			}
		}
	}
}
