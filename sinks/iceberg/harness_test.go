package iceberg

import (
	"database/sql"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
	_ "github.com/duckdb/duckdb-go/v2"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/lake"
	"wolkpipe/sinks/sinktest"
)

// lakeAt is where a lake of a test is.
type lakeAt struct{ options Options }

// sqliteLake is a lake of files with a catalog in a file.
func sqliteLake(t testing.TB) lakeAt {
	root := t.TempDir()
	return lakeAt{Options{
		Catalog:   "sqlite://" + filepath.ToSlash(filepath.Join(root, "catalog.db")),
		Warehouse: "file://" + filepath.ToSlash(filepath.Join(root, "warehouse")), MaintainEvery: -1,
	}}
}

// hadoopLake is a lake of files without a catalog.
func hadoopLake(t testing.TB) lakeAt {
	return lakeAt{Options{Catalog: "file://" + filepath.ToSlash(filepath.Join(t.TempDir(), "warehouse")), MaintainEvery: -1}}
}

// open opens a sink, which the test's end closes.
func (l lakeAt) open(t testing.TB) *Sink {
	t.Helper()
	s := l.Open(t).(*Sink)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing the sink: %v", err)
		}
	})
	return s
}

// Open implements [sinktest.Harness].
func (l lakeAt) Open(t testing.TB) sinks.Sink {
	t.Helper()
	s, err := Open(t.Context(), l.options)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// table loads a table as a reader does that shares nothing with the sink.
func (l lakeAt) table(t testing.TB, name string) *table.Table {
	t.Helper()
	o := l.options
	o.setDefaults()
	st, err := openCatalog(t.Context(), &o)
	if err != nil {
		t.Fatal(err)
	}
	tbl, err := st.LoadTable(t.Context(), append(strings.Split(o.Namespace, "."), name))
	if err != nil {
		t.Fatal(err)
	}
	if err := st.close(); err != nil {
		t.Fatal(err)
	}
	return tbl
}

// dataFiles are the files that Iceberg's scan would read of a snapshot.
func dataFiles(t testing.TB, tbl *table.Table, options ...table.ScanOption) []string {
	t.Helper()
	tasks, err := tbl.Scan(options...).PlanFiles(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, task := range tasks {
		if len(task.DeleteFiles) > 0 {
			t.Errorf("%s has deletes", task.File.FilePath())
		}
		paths = append(paths, task.File.FilePath())
	}
	slices.Sort(paths)
	return paths
}

// Contents implements [sinktest.Harness].
func (l lakeAt) Contents(t testing.TB, key sinks.Key) []schemas.Window {
	t.Helper()
	windows := dataFiles(t, l.table(t, "chat_7_windows"), ofDay(key))
	return duckContents(t, dataFiles(t, l.table(t, "chat_7"), ofDay(key)), windows, key)
}

// Watch implements [sinktest.Watcher]: a snapshot stays as it is while it is
// read.
func (l lakeAt) Watch(t testing.TB, key sinks.Key) []schemas.Window {
	return duckContents(t, dataFiles(t, l.table(t, "chat_7"), ofDay(key)), nil, key)
}

// ofDay is how a reader asks for one day.
func ofDay(key sinks.Key) table.ScanOption {
	return table.WithRowFilter(iceberg.NewAnd(
		iceberg.EqualTo(iceberg.Reference("operation"), key.Operation), iceberg.EqualTo(iceberg.Reference("day"), key.Day)))
}

var _ sinktest.Watcher = lakeAt{}

// duckDB is the reader that shares no code with the sink nor with iceberg-go,
// once it is told which files a snapshot has.
var duckDB = sync.OnceValues(func() (*sql.DB, error) { return sql.Open("duckdb", "") })

func query(t testing.TB, text string, args ...any) *sql.Rows {
	t.Helper()
	db, err := duckDB()
	if err != nil {
		t.Fatal(err)
	}
	rows, err := db.QueryContext(t.Context(), text, args...)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	t.Cleanup(func() { _ = rows.Close() })
	return rows
}

// each runs f on every row of a query, scanned into to.
func each(t testing.TB, rows *sql.Rows, f func(), to ...any) {
	t.Helper()
	for rows.Next() {
		if err := rows.Scan(to...); err != nil {
			t.Fatal(err)
		}
		f()
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

// parquetFiles is the SQL of those files, which are at least one.
func parquetFiles(paths []string) string {
	quoted := make([]string, len(paths))
	for i, p := range paths {
		quoted[i] = "'" + strings.ReplaceAll(strings.TrimPrefix(p, "file://"), "'", "''") + "'"
	}
	return "read_parquet([" + strings.Join(quoted, ", ") + "], hive_partitioning = false)"
}

// duckContents reads the windows of a day from a snapshot's files. A row without
// a line of coverage gives a window without facts.
func duckContents(t testing.TB, rows, lines []string, key sinks.Key) []schemas.Window {
	t.Helper()
	var windows []schemas.Window
	var local time.Time
	if len(lines) > 0 {
		var w schemas.Window
		each(t, query(t, "SELECT window_local, window_start, window_end, method, observed_at FROM "+parquetFiles(lines)+
			" WHERE operation = ? AND day = ?::DATE", key.Operation, key.Day), func() {
			w.Local = local.Format(lake.WallLayout)
			windows = append(windows, w)
		}, &local, &w.Start, &w.End, &w.Method, &w.ObservedAt)
	}
	if len(rows) == 0 {
		return windows
	}
	var r schemas.Row
	each(t, query(t, "SELECT window_local, agent_name, cod_act, description_cod_act, interactions FROM "+parquetFiles(rows)+
		" WHERE operation = ? AND day = ?::DATE ORDER BY ALL", key.Operation, key.Day), func() {
		name := local.Format(lake.WallLayout)
		i := slices.IndexFunc(windows, func(o schemas.Window) bool { return o.Local == name })
		if i < 0 {
			i = len(windows)
			windows = append(windows, schemas.Window{Local: name})
		}
		windows[i].Rows = append(windows[i].Rows, r)
		r = schemas.Row{}
	}, &local, &r.Agent, &r.Code, &r.Description, &r.Interactions)
	return windows
}
