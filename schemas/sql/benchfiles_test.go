package sql_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	arrowparquet "github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"wolkpipe/pipeline/window"
	"wolkpipe/sinks/lake"
)

// writer is one way of writing a day's rows or coverage into a file.
type writer struct {
	bytes, rows int64
	took        time.Duration
}

func (w *writer) measure(b *testing.B, name string, rows int, write func(name string) error) {
	b.Helper()
	began := time.Now()
	err := write(name)
	w.took += time.Since(began)
	info, statErr := os.Stat(name)
	if err != nil || statErr != nil {
		b.Fatal(err, statErr)
	}
	w.bytes += info.Size()
	w.rows += int64(rows)
}

// BenchmarkFiles writes the days of the benchmark's lake, a file a day, as the
// sink encodes them, and the same rows by DuckDB's COPY and by arrow-go, all with
// zstd and without a flush to the disk. It reports bytes and rows a second of
// each, and how many times DuckDB's bytes ours are.
func BenchmarkFiles(b *testing.B) {
	b.Run("chat_7", func(b *testing.B) { benchFiles(b, "chat_7") })
	b.Run("chat_7_windows", func(b *testing.B) { benchFiles(b, "chat_7_windows") })
}

func benchFiles(b *testing.B, dataset string) {
	dir := b.TempDir()
	db := openDuckDB(b)
	properties := arrowparquet.NewWriterProperties(arrowparquet.WithCompression(compress.Codecs.Zstd))
	days := 14
	if testing.Short() {
		days = 2
	}
	var ours, duck, arrow writer
	for b.Loop() {
		for operation := range benchOperations {
			for d := range days {
				day := benchDay(b, operation, date(b, "2026-11-01")+window.Date(d))
				// DuckDB knows a file that it has read by name, size and time: each has its own name.
				file := filepath.Join(dir, fmt.Sprintf("ours-%d-%d-%d.parquet", b.N, operation, d))
				var count int
				ours.measure(b, file, 0, func(name string) (err error) {
					windows, err := lake.Project(day)
					if err != nil {
						return err
					}
					var data []byte
					if dataset == "chat_7" {
						var rows []lake.RowRecord
						for i := range windows {
							rows = append(rows, windows[i].Rows...)
						}
						count = len(rows)
						data, err = lake.Rows.Encode(rows)
					} else {
						var lines []lake.WindowRecord
						for i := range windows {
							lines = append(lines, windows[i].Line[0])
						}
						count = len(lines)
						data, err = lake.Windows.Encode(lines)
					}
					if err != nil {
						return err
					}
					return os.WriteFile(name, data, 0o644)
				})
				ours.rows += int64(count)
				if _, err := db.Exec("CREATE OR REPLACE TABLE day AS SELECT * FROM read_parquet('" + file + "', hive_partitioning = false)"); err != nil {
					b.Fatal(err)
				}
				duck.measure(b, filepath.Join(dir, "duck.parquet"), count, func(name string) error {
					_, err := db.Exec(fmt.Sprintf("COPY day TO '%s' (FORMAT parquet, COMPRESSION zstd)", strings.ReplaceAll(name, "'", "''")))
					return err
				})
				read := readArrow(b, file)
				arrow.measure(b, filepath.Join(dir, "arrow.parquet"), count, func(name string) error {
					out, err := os.Create(name)
					if err != nil {
						return err
					}
					return pqarrow.WriteTable(read, out, read.NumRows(), properties, pqarrow.DefaultWriterProps())
				})
				read.Release()
			}
		}
	}
	for name, w := range map[string]writer{"ours": ours, "duckdb": duck, "arrow": arrow} {
		b.ReportMetric(float64(w.bytes)/float64(w.rows), "B/row-"+name)
		b.ReportMetric(float64(w.rows)/w.took.Seconds(), "rows/s-"+name)
	}
	b.ReportMetric(float64(ours.bytes)/float64(duck.bytes), "bytes-of-duckdb's")
}
