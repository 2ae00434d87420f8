package parquet

import (
	"database/sql"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/lake"
)

// duckDB is the reader that shares no code with the sink. Its cache of file
// blocks is off: it knows a file by size and time, and the tests replace files
// several times within a tick of the file system's clock.
var duckDB = sync.OnceValues(func() (*sql.DB, error) { return sql.Open("duckdb", "?enable_external_file_cache=false") })

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

// table is the SQL of a dataset below root, with operation and day as text;
// ok is false where it has no object, which DuckDB calls an error.
func table(t testing.TB, root, dataset string) (text string, ok bool) {
	t.Helper()
	pattern := filepath.Join(root, dataset, "*", "*", "*.parquet")
	found, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return "read_parquet('" + strings.ReplaceAll(pattern, "'", "''") +
		"', hive_partitioning = true, hive_types = {'operation': VARCHAR, 'day': VARCHAR})", len(found) > 0
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

// duckContents reads the windows of a day as a user of the lake does. A row
// without a line of coverage gives a window without facts.
func duckContents(t testing.TB, root string, key sinks.Key) []schemas.Window {
	t.Helper()
	var windows []schemas.Window
	if from, ok := table(t, root, "chat_7_windows"); ok {
		var local time.Time
		var w schemas.Window
		each(t, query(t, "SELECT window_local, window_start, window_end, method, observed_at FROM "+from+
			" WHERE operation = ? AND day = ?", key.Operation, key.Day), func() {
			w.Local = local.Format(lake.WallLayout)
			windows = append(windows, w)
		}, &local, &w.Start, &w.End, &w.Method, &w.ObservedAt)
	}
	if from, ok := table(t, root, "chat_7"); ok {
		for _, w := range duckRows(t, query(t, "SELECT window_local, agent_name, cod_act, description_cod_act, interactions FROM "+from+
			" WHERE operation = ? AND day = ? ORDER BY ALL", key.Operation, key.Day)) {
			i := slices.IndexFunc(windows, func(o schemas.Window) bool { return o.Local == w.Local })
			if i < 0 {
				i = len(windows)
				windows = append(windows, w)
			}
			windows[i].Rows = w.Rows
		}
	}
	return windows
}

// duckRows gathers rows, in the order of their windows, into windows.
func duckRows(t testing.TB, rows *sql.Rows) []schemas.Window {
	t.Helper()
	var windows []schemas.Window
	var local time.Time
	var r schemas.Row
	each(t, rows, func() {
		name := local.Format(lake.WallLayout)
		if n := len(windows); n == 0 || windows[n-1].Local != name {
			windows = append(windows, schemas.Window{Local: name})
		}
		w := &windows[len(windows)-1]
		w.Rows = append(w.Rows, r)
		r = schemas.Row{}
	}, &local, &r.Agent, &r.Code, &r.Description, &r.Interactions)
	return windows
}

func describe(t testing.TB, root, dataset string) []string {
	t.Helper()
	from, _ := table(t, root, dataset)
	rows := query(t, "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM "+from+")")
	var columns []string
	for rows.Next() {
		var name, kind string
		if err := rows.Scan(&name, &kind); err != nil {
			t.Fatal(err)
		}
		columns = append(columns, name+" "+kind)
	}
	return columns
}

func TestDuckDBColumns(t *testing.T) {
	s, root := openDir(t)
	mustOffer(t, s, day(win(0, 10, row("Ana", "0012", 3))), sinks.Change{Windows: 1, Rows: 1, Writes: 2})
	rows := []string{
		"window_start TIMESTAMP WITH TIME ZONE", "window_end TIMESTAMP WITH TIME ZONE", "window_local TIMESTAMP", "timezone VARCHAR",
		"agent_name VARCHAR", "cod_act VARCHAR", "description_cod_act VARCHAR", "interactions BIGINT", "method VARCHAR",
		"observed_at TIMESTAMP WITH TIME ZONE", "day VARCHAR", "operation VARCHAR",
	}
	if got := describe(t, root, "chat_7"); !slices.Equal(got, rows) {
		t.Errorf("chat_7 is\n%q, want\n%q", got, rows)
	}
	lines := []string{
		"window_start TIMESTAMP WITH TIME ZONE", "window_end TIMESTAMP WITH TIME ZONE", "window_local TIMESTAMP", "timezone VARCHAR",
		"observed_at TIMESTAMP WITH TIME ZONE", "method VARCHAR", "state VARCHAR", "row_count BIGINT", "interactions BIGINT",
		"rejected_rows BIGINT", "dropped_rows BIGINT", "day VARCHAR", "operation VARCHAR",
	}
	if got := describe(t, root, "chat_7_windows"); !slices.Equal(got, lines) {
		t.Errorf("chat_7_windows is\n%q, want\n%q", got, lines)
	}
}

// TestDuckDBFile checks what the footer says, by another reader than ours.
func TestDuckDBFile(t *testing.T) {
	s, root := openDir(t)
	if _, err := offer(t.Context(), s, bigDay(288, 60)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(root, filepath.FromSlash(rowsObject))
	var groups, rows, columns int64
	var codecs, encodings string
	r := query(t, "SELECT count(DISTINCT row_group_id), max(row_group_num_rows), count(DISTINCT path_in_schema), string_agg(DISTINCT compression) FROM parquet_metadata(?)", file)
	r.Next()
	if err := r.Scan(&groups, &rows, &columns, &codecs); err != nil {
		t.Fatal(err)
	}
	if groups != 1 || rows != 288*60 || columns != 10 || codecs != "ZSTD" {
		t.Errorf("%d row groups of %d rows, %d columns, codecs %s %s", groups, rows, columns, codecs, encodings)
	}
	r = query(t, `SELECT name, repetition_type, logical_type FROM parquet_schema(?) WHERE type IS NOT NULL AND name IN ('window_start', 'window_local', 'agent_name', 'description_cod_act', 'interactions')`, file)
	var got []string
	for r.Next() {
		var name, repetition string
		var logical sql.NullString
		if err := r.Scan(&name, &repetition, &logical); err != nil {
			t.Fatal(err)
		}
		got = append(got, name+" "+repetition+" "+logical.String)
	}
	for i, part := range []string{"window_start REQUIRED TimestampType(isAdjustedToUTC=1", "window_local REQUIRED TimestampType(isAdjustedToUTC=0",
		"agent_name REQUIRED StringType", "description_cod_act OPTIONAL StringType", "interactions REQUIRED"} {
		if i >= len(got) || !strings.HasPrefix(got[i], part) {
			t.Errorf("column %d of the schema is not %s: %q", i, part, got)
		}
	}
	var unsorted int64
	r = query(t, "SELECT count(*) FROM (SELECT (window_local, agent_name, cod_act) AS key, lag((window_local, agent_name, cod_act)) OVER () AS before FROM read_parquet(?)) WHERE key <= before", file)
	r.Next()
	if err := r.Scan(&unsorted); err != nil || unsorted != 0 {
		t.Errorf("%d rows out of order, %v", unsorted, err)
	}
}

// TestDuckDBQuery is the query of a user, over days and operations, with a day
// that has no rows any more.
func TestDuckDBQuery(t *testing.T) {
	s, root := openDir(t)
	for _, k := range []sinks.Key{key, {Operation: "soporte", Day: key.Day}} {
		d := day(win(0, 10, described(row("Íñigo Núñez", "0012", 3), "Acuerdo de pago"), row("Íñigo Núñez", "12", 1)), win(1, 10))
		d.Key = k
		if _, err := offer(t.Context(), s, d); err != nil {
			t.Fatal(err)
		}
	}
	for at := range 2 {
		w := win(288, at+1, row("Ana", "1", 5))
		if at == 1 {
			w = win(288, at+1)
		}
		d := day(w)
		d.Key.Day = "2026-11-02"
		if _, err := offer(t.Context(), s, d); err != nil {
			t.Fatal(err)
		}
	}
	from, _ := table(t, root, "chat_7")
	r := query(t, `SELECT operation, day, strftime(window_local, '%H:%M'), strftime(window_start AT TIME ZONE 'UTC', '%H:%M'), agent_name, cod_act, coalesce(description_cod_act, '-'), interactions FROM `+from+" ORDER BY ALL")
	var got []string
	for r.Next() {
		var f [8]string
		if err := r.Scan(&f[0], &f[1], &f[2], &f[3], &f[4], &f[5], &f[6], &f[7]); err != nil {
			t.Fatal(err)
		}
		got = append(got, strings.Join(f[:], "|"))
	}
	want := []string{
		"soporte|2026-11-01|00:00|05:00|Íñigo Núñez|0012|Acuerdo de pago|3", "soporte|2026-11-01|00:00|05:00|Íñigo Núñez|12|-|1",
		"ventas|2026-11-01|00:00|05:00|Íñigo Núñez|0012|Acuerdo de pago|3", "ventas|2026-11-01|00:00|05:00|Íñigo Núñez|12|-|1",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q, want\n%q", got, want)
	}
}
