package sql_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"wolkpipe/pipeline/window"
)

// arrowTotals reads all files of a dataset with a reader that shares no code with
// any other here: how many rows, and the sums of columns.
func arrowTotals(t testing.TB, root, dataset string, sums ...string) []any {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, dataset, "*", "*", "*.parquet"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files of %s, %v", len(files), dataset, err)
	}
	totals := make([]int64, 1+len(sums))
	for _, name := range files {
		read := readArrow(t, name)
		totals[0] += read.NumRows()
		for i, column := range sums {
			for _, chunk := range read.Column(read.Schema().FieldIndices(column)[0]).Data().Chunks() {
				for _, v := range chunk.(*array.Int64).Int64Values() {
					totals[1+i] += v
				}
			}
		}
		read.Release()
	}
	var row []any
	for _, n := range totals {
		row = append(row, n)
	}
	return row
}

func readArrow(t testing.TB, name string) arrow.Table {
	t.Helper()
	opened, err := file.OpenParquetFile(name, false, file.WithReadProps(parquet.NewReaderProperties(memory.DefaultAllocator)))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	defer opened.Close()
	reader, err := pqarrow.NewFileReader(opened, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	read, err := reader.ReadTable(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return read
}

// TestCounts: three readers count what the lake was told.
func TestCounts(t *testing.T) {
	l := buildSample(t)
	var rows, closed, windows, rejected, dropped, codes int64
	for _, d := range l.days {
		for _, w := range d.Windows {
			windows, rows, closed = windows+1, rows+int64(len(w.Rows)), closed+w.Interactions()
			rejected, dropped = rejected+int64(len(w.Rejects)), dropped+w.Dropped
		}
	}
	for _, list := range l.codes {
		codes += int64(len(list))
	}
	if rows < 5000 || rejected == 0 || dropped == 0 {
		t.Fatalf("%d rows, %d rejected and %d dropped prove little", rows, rejected, dropped)
	}
	wantRows, wantWindows := []any{rows, closed}, []any{windows, rows, closed, rejected, dropped}
	t.Run("arrow", func(t *testing.T) {
		if d := differ(table{wantRows}, table{arrowTotals(t, l.root, "chat_7", "interactions")}); d != "" {
			t.Error(d)
		}
		if d := differ(table{wantWindows}, table{arrowTotals(t, l.root, "chat_7_windows", "row_count", "interactions", "rejected_rows", "dropped_rows")}); d != "" {
			t.Error(d)
		}
	})
	asked := []string{
		"SELECT count(*), sum(r.interactions) FROM chat_7 AS r",
		"SELECT count(*), sum(w.row_count), sum(w.interactions), sum(w.rejected_rows), sum(w.dropped_rows) FROM chat_7_windows AS w",
		"SELECT count(*) FROM activity_codes",
		"SELECT count(*), sum(i.interactions) FROM interactions AS i",
		"SELECT count(*), sum(w.row_count), sum(w.interactions), sum(w.rejected_rows), sum(w.dropped_rows) FROM windows AS w",
		"SELECT sum(d.windows), sum(d.row_count), sum(d.interactions), sum(d.rejected_rows), sum(d.dropped_rows) FROM days AS d",
	}
	want := [][]any{wantRows, wantWindows, {codes}, wantRows, wantWindows, wantWindows}
	each(t, func(t *testing.T, e engine) {
		for i, got := range e.runAll(t, len(asked), append(definitions(t, e.name, l.root), asked...)...) {
			if d := differ(table{want[i]}, got); d != "" {
				t.Errorf("%s: %s", asked[i], d)
			}
		}
	})
}

// TestViews: the views of rows and windows hold, row by row, what was told.
func TestViews(t *testing.T) {
	l := buildSample(t)
	var rows, windows, days table
	for _, d := range l.days {
		var late, rejected, dropped, empty, count, closed int64
		for _, w := range d.Windows {
			at, err := window.ParseLocal(w.Local)
			if err != nil {
				t.Fatal(err)
			}
			hour := int64(at-at.Date().Start()) / 3600
			weekday := int64((at.Date()+3)%7) + 1 // 1970-01-01 was a Thursday
			var total int64
			for _, r := range w.Rows {
				var described any
				if text := l.description(d.Operation, r); text != nil {
					described = *text
				}
				total += r.Interactions
				rows = append(rows, []any{d.Operation, d.Key.Day, w.Local, hour, weekday, r.Agent, r.Code, described, r.Interactions,
					utc(w.Start), utc(w.End), d.Timezone, string(w.Method), utc(w.ObservedAt)})
			}
			if total == 0 {
				empty++
			}
			after := int64(w.ObservedAt.Sub(w.End) / time.Second)
			windows = append(windows, []any{d.Operation, d.Key.Day, w.Local, hour, weekday, int64(len(w.Rows)), total, int64(len(w.Rejects)), w.Dropped,
				string(w.Method), string(d.State), utc(w.Start), utc(w.End), d.Timezone, utc(w.ObservedAt), int64(w.End.Sub(w.Start) / time.Second), after})
			count, closed = count+int64(len(w.Rows)), closed+total
		}
		late, rejected, dropped = stateOf(d)
		n := len(d.Windows)
		days = append(days, []any{d.Operation, d.Key.Day, d.Timezone, string(d.State), int64(n), empty, d.Windows[0].Local, d.Windows[n-1].Local,
			count, closed, rejected, dropped, late})
	}
	asked := []string{
		"SELECT operation, day, window_local, hour, weekday, agent_name, cod_act, description, interactions, window_start, window_end, timezone, method, observed_at FROM interactions ORDER BY operation, window_local, agent_name, cod_act",
		"SELECT operation, day, window_local, hour, weekday, row_count, interactions, rejected_rows, dropped_rows, method, state, window_start, window_end, timezone, observed_at, seconds, observed_after FROM windows ORDER BY operation, window_local",
		"SELECT operation, day, timezone, state, windows, empty_windows, first_window, last_window, row_count, interactions, rejected_rows, dropped_rows, late_windows FROM days ORDER BY operation, day",
	}
	each(t, func(t *testing.T, e engine) {
		run := definitions(t, e.name, l.root)
		if e.name == "duckdb" {
			run = append([]string{"SET TimeZone = 'Asia/Kathmandu'"}, run...) // an analyst's own must not matter
		}
		got := e.runAll(t, len(asked), append(run, asked...)...)
		for i, want := range []table{rows, windows, days} {
			if d := differ(want, got[i]); d != "" {
				t.Errorf("%s:\n%s", asked[i], d)
			}
		}
	})
}

func utc(t time.Time) string { return t.UTC().Format(momentLayout) }
