package sql_test

import (
	"database/sql"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wolkpipe/pipeline/window"
	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/lake"
	"wolkpipe/sinks/parquet"
)

const (
	benchOperations = 10
	benchAgents     = 30
	benchCodes      = 15
)

// benchDay is a day of an operation of the benchmark: 288 windows, and 200 to
// 1000 interactions between 7:00 and 21:00.
func benchDay(b *testing.B, operation int, d window.Date) *sinks.Day {
	b.Helper()
	zone, err := window.LoadZone("America/Bogota")
	if err != nil {
		b.Fatal(err)
	}
	random := rand.New(rand.NewPCG(uint64(operation), uint64(d)))
	all := zone.Windows(d, window.Grid(5*time.Minute))
	day := &sinks.Day{Key: sinks.Key{Operation: fmt.Sprintf("operation%02d", operation), Day: d.String()}, Timezone: "America/Bogota",
		State: schemas.Settled, Expected: len(all)}
	for _, w := range all {
		day.Windows = append(day.Windows, schemas.Window{Local: w.From.String(), Start: w.Start.UTC(), End: w.End.UTC(), Method: schemas.Empty, Revision: 1,
			ObservedAt: w.End.UTC().Add(time.Minute + time.Duration(random.IntN(30_000_000))*time.Microsecond)})
	}
	for range 200 + random.IntN(801) {
		w := &day.Windows[7*12+random.IntN(14*12)]
		code := random.IntN(benchCodes)
		r := schemas.Row{Agent: fmt.Sprintf("COM-Agente Número %02d", random.IntN(benchAgents)), Code: fmt.Sprintf("%04d", code), Interactions: 1}
		if code == 0 {
			r.Code = "TIMEOUTCHAT"
		}
		r.Description = text("Tipificación " + r.Code)
		at, found := slices.BinarySearchFunc(w.Rows, r, schemas.Row.Compare)
		if !found {
			w.Method, w.Rows = schemas.Direct, slices.Insert(w.Rows, at, r)
			continue
		}
		w.Rows[at].Interactions++
	}
	return day
}

// benchLake is one file a day, by the sink; none of it is kept in memory.
func benchLake(b *testing.B, root string, first, last window.Date) (rows int64) {
	b.Helper()
	s, err := parquet.Open(b.Context(), parquet.Options{Bucket: (&url.URL{Scheme: "file", Path: root}).String()})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	for operation := range benchOperations {
		for d := first; d <= last; d++ {
			day := benchDay(b, operation, d)
			change, _, err := sinks.Converge(b.Context(), s, told{day}, day.Key)
			if err != nil {
				b.Fatal(err)
			}
			rows += int64(change.Rows)
		}
		if _, err := s.PutCodes(b.Context(), fmt.Sprintf("operation%02d", operation), []schemas.ActivityCode{{Code: "0001", Description: text("Venta")}}); err != nil {
			b.Fatal(err)
		}
	}
	return rows
}

// benchWindows are the same days as a writer keeps them that writes what each
// window gave: a file of coverage for each, and one of rows where it has any.
func benchWindows(b *testing.B, root string, first, last window.Date) {
	b.Helper()
	for operation := range benchOperations {
		for d := first; d <= last; d++ {
			day := benchDay(b, operation, d)
			windows, err := lake.Project(day)
			if err != nil {
				b.Fatal(err)
			}
			place := filepath.Join("operation="+day.Operation, "day="+day.Key.Day)
			for i := range windows {
				w := &windows[i]
				name := strings.ReplaceAll(day.Windows[i].Local, ":", "") + ".parquet"
				if len(w.Rows) > 0 {
					data, err := lake.Rows.Encode(w.Rows)
					writeBench(b, filepath.Join(root, "chat_7", place, name), data, err)
				}
				data, err := lake.Windows.Encode(w.Line[:])
				writeBench(b, filepath.Join(root, "chat_7_windows", place, name), data, err)
			}
		}
	}
}

func writeBench(b *testing.B, name string, data []byte, err error) {
	b.Helper()
	if err == nil {
		err = os.MkdirAll(filepath.Dir(name), 0o755)
	}
	if err == nil {
		err = os.WriteFile(name, data, 0o644)
	}
	if err != nil {
		b.Fatal(err)
	}
}

// benchDuckDB has the views over a lake; the windows' writer gets its pattern,
// and the codes of the lake.
func benchDuckDB(b *testing.B, root, codes string) *sql.DB {
	b.Helper()
	db := openDuckDB(b)
	for _, s := range definitions(b, "duckdb", root) {
		if codes != "" {
			s = strings.ReplaceAll(s, "/chat_7.parquet'", "/*.parquet'")
			s = strings.ReplaceAll(s, "/chat_7_windows.parquet'", "/*.parquet'")
			s = strings.ReplaceAll(s, root+"/activity_codes", codes+"/activity_codes")
		}
		if _, err := db.ExecContext(b.Context(), s); err != nil {
			b.Fatal(err)
		}
	}
	return db
}

// ask asks the ten questions and gives their answers, and the time it took.
func ask(b *testing.B, db *sql.DB, a asked) (answers []table, took time.Duration) {
	b.Helper()
	began := time.Now()
	for _, q := range questions(b, "duckdb", a) {
		rows, err := duckRows(db, q.text)
		if err != nil {
			b.Fatalf("%s: %v", q.name, err)
		}
		answers = append(answers, rows)
	}
	return answers, time.Since(began)
}

func timed(b *testing.B, db *sql.DB, statement string) time.Duration {
	b.Helper()
	began := time.Now()
	if rows, err := duckRows(db, statement); err != nil || len(rows) != 1 || rows[0][0] == nil {
		b.Fatalf("%s: %v, %v", statement, rows, err)
	}
	return time.Since(began)
}

func countFiles(b *testing.B, root string) (n, size int64) {
	b.Helper()
	err := filepath.WalkDir(root, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(d.Name()) != ".parquet" {
			return err
		}
		info, err := d.Info()
		n++
		size += info.Size()
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return n, size
}

// BenchmarkQuestions asks the ten questions of ten operations. "year" is the lake
// alone: one file a day. "week" asks the same rows twice, as the lake has them and
// as one file a window, and reports how many times as long the latter takes: a year
// of the latter would be more than a million files.
func BenchmarkQuestions(b *testing.B) {
	b.Run("year", func(b *testing.B) {
		root := b.TempDir()
		first, last := date(b, "2026-01-01"), date(b, "2026-12-31")
		if testing.Short() {
			first = last - 30
		}
		rows := benchLake(b, root, first, last)
		files, _ := countFiles(b, root)
		db := benchDuckDB(b, root, "")
		// A day out of the year, with union_by_name, which reads all footers, and without.
		one := "SELECT sum(c.interactions) FROM chat_7 AS c WHERE c.operation = 'operation03' AND c.day = DATE '" + last.String() + "'"
		byFirst := strings.Replace(one, "chat_7", "("+strings.Replace(strings.SplitN(definitions(b, "duckdb", root)[0], " AS\n", 2)[1], "union_by_name = true,", "", 1)+")", 1)
		b.ResetTimer()
		var took, day, dayByFirst time.Duration
		for b.Loop() {
			_, all := ask(b, db, asked{first.String(), last.String(), "2026-11-02", "TIMEOUTCHAT"})
			took, day, dayByFirst = took+all, day+timed(b, db, one), dayByFirst+timed(b, db, byFirst)
		}
		b.ReportMetric(took.Seconds()/float64(b.N), "s/ten")
		b.ReportMetric(day.Seconds()*1000/float64(b.N), "ms/day")
		b.ReportMetric(dayByFirst.Seconds()*1000/float64(b.N), "ms/day-by-first-file")
		b.ReportMetric(float64(rows), "rows")
		b.ReportMetric(float64(files), "files")
	})
	b.Run("week", func(b *testing.B) {
		days, windows := b.TempDir(), b.TempDir()
		first, last := date(b, "2026-11-23"), date(b, "2026-11-29")
		if testing.Short() {
			first = last
		}
		rows := benchLake(b, days, first, last)
		benchWindows(b, windows, first, last)
		ours, _ := countFiles(b, days)
		theirs, _ := countFiles(b, windows)
		daily, small := benchDuckDB(b, days, ""), benchDuckDB(b, windows, days)
		a := asked{first.String(), last.String(), "2026-11-23", "TIMEOUTCHAT"}
		b.ResetTimer()
		var fast, slow time.Duration
		for b.Loop() {
			want, one := ask(b, daily, a)
			got, other := ask(b, small, a)
			for i := range want {
				if d := differ(want[i], got[i]); d != "" {
					b.Fatalf("question %d has two answers: %s", i+1, d)
				}
			}
			fast, slow = fast+one, slow+other
		}
		b.ReportMetric(fast.Seconds()/float64(b.N), "s/ten")
		b.ReportMetric(slow.Seconds()/float64(b.N), "s/ten-by-window")
		b.ReportMetric(slow.Seconds()/fast.Seconds(), "times")
		b.ReportMetric(float64(rows), "rows")
		b.ReportMetric(float64(ours), "files")
		b.ReportMetric(float64(theirs), "files-by-window")
	})
}
