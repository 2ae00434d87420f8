package sql_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2"

	"wolkpipe/pipeline/window"
	"wolkpipe/sinks/sinktest/servers"
)

// table is an answer. Its values are string, int64, float64 or nil; a day is
// 2006-01-02, a moment 2006-01-02T15:04:05.999999, an instant in UTC.
type table [][]any

const momentLayout = window.Layout + ".999999"

// answered is what a statement gave.
type answered struct {
	rows table
	err  error
}

// engine runs statements in a database that is new, one after the other.
type engine struct {
	name string
	run  func(t testing.TB, statements ...string) []answered
}

var engines = []engine{{"duckdb", runDuckDB}, {"clickhouse", runClickHouse}}

// each runs a test on every engine.
func each(t *testing.T, f func(t *testing.T, e engine)) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) { f(t, e) })
	}
}

// runAll is run, of statements that all work; it gives the tables of the last n.
func (e engine) runAll(t testing.TB, n int, statements ...string) []table {
	t.Helper()
	var tables []table
	for i, a := range e.run(t, statements...) {
		if a.err != nil {
			t.Fatalf("%s: %v in\n%s", e.name, a.err, statements[i])
		}
		tables = append(tables, a.rows)
	}
	return tables[len(tables)-n:]
}

func runDuckDB(t testing.TB, statements ...string) (all []answered) {
	t.Helper()
	db := openDuckDB(t)
	for _, s := range statements {
		rows, err := duckRows(db, s)
		all = append(all, answered{rows, err})
	}
	return all
}

func openDuckDB(t testing.TB) *sql.DB {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(1) // settings are a connection's
	return db
}

func duckRows(db *sql.DB, statement string) (table, error) {
	rows, err := db.Query(statement)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	var all table
	for rows.Next() {
		row, to := make([]any, len(types)), make([]any, len(types))
		for i := range row {
			to[i] = &row[i]
		}
		if err := rows.Scan(to...); err != nil {
			return nil, err
		}
		for i, v := range row {
			switch v := v.(type) {
			case time.Time:
				row[i] = v.UTC().Format(layoutOf(types[i].DatabaseTypeName() == "DATE"))
			case *big.Int:
				row[i] = v.Int64()
			case int32:
				row[i] = int64(v)
			case nil, string, int64, float64:
			default:
				return nil, fmt.Errorf("a %T in the column %s", v, types[i].Name())
			}
		}
		all = append(all, row)
	}
	return all, rows.Err()
}

func layoutOf(day bool) string {
	if day {
		return time.DateOnly
	}
	return momentLayout
}

// chdb is the folder with ClickHouse's library for Node.
var chdb struct {
	sync.Mutex
	folder string
}

func runClickHouse(t testing.TB, statements ...string) (all []answered) {
	t.Helper()
	if platform := runtime.GOOS + "/" + runtime.GOARCH; platform != "linux/amd64" {
		t.Skipf("ClickHouse's library is pinned for linux/amd64, and this is %s", platform)
	}
	node, err := exec.LookPath("node")
	switch {
	case err != nil && os.Getenv("CI") != "":
		t.Fatalf("ClickHouse runs in Node: %v", err)
	case err != nil:
		t.Skipf("ClickHouse runs in Node: %v", err)
	}
	chdb.Lock()
	defer chdb.Unlock()
	if chdb.folder == "" {
		chdb.folder = servers.NPM(t, "testdata/clickhouse")
	}
	input, err := json.Marshal(statements)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node, "testdata/clickhouse/run.mjs", chdb.folder)
	cmd.Stdin = bytes.NewReader(input)
	cmd.Env = append(os.Environ(), "TZ=Asia/Kathmandu") // a time zone that would show where it should not
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("ClickHouse: %v\n%s", err, complaint.String())
	}
	var answers []struct{ Text, Error string }
	if err := json.Unmarshal(out, &answers); err != nil || len(answers) != len(statements) {
		t.Fatalf("ClickHouse gave %d answers to %d statements, %v", len(answers), len(statements), err)
	}
	for _, a := range answers {
		if a.Error != "" {
			all = append(all, answered{err: errors.New(a.Error)})
			continue
		}
		rows, err := clickRows(a.Text)
		all = append(all, answered{rows, err})
	}
	return all
}

// clickRows reads lines of JSON: the columns' names, their types, the rows.
func clickRows(text string) (all table, err error) {
	lines := json.NewDecoder(strings.NewReader(text))
	lines.UseNumber()
	var names, types []string
	if !lines.More() {
		return nil, nil
	}
	if err := errors.Join(lines.Decode(&names), lines.Decode(&types)); err != nil {
		return nil, err
	}
	for lines.More() {
		var row []any
		if err := lines.Decode(&row); err != nil {
			return nil, err
		}
		for i, v := range row {
			if row[i], err = clickValue(v, types[i]); err != nil {
				return nil, fmt.Errorf("in the column %s: %w", names[i], err)
			}
		}
		all = append(all, row)
	}
	return all, nil
}

func clickValue(v any, kind string) (any, error) {
	switch v := v.(type) {
	case json.Number:
		if strings.Contains(kind, "Float") {
			return v.Float64()
		}
		return v.Int64()
	case string:
		if strings.Contains(kind, "DateTime") {
			at, err := time.Parse(time.DateTime, v)
			return at.Format(momentLayout), err
		}
		return v, nil
	case nil:
		return nil, nil
	}
	return nil, fmt.Errorf("a %T", v)
}
