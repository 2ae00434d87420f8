package parquet

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
)

// bigDay is a day of so many windows of so many rows.
func bigDay(windows, rows int) *sinks.Day {
	d := day()
	for n := range windows {
		w := win(n, 600, row("", "", 1))
		w.Rows = nil
		for i := range rows {
			r := described(row(fmt.Sprintf("COM-Agente Número %02d", (i*7+n)%40), fmt.Sprintf("%04d", i), int64(i%9+1)), fmt.Sprintf("Tipificación %d", i))
			w.Rows = append(w.Rows, r)
		}
		slices.SortFunc(w.Rows, schemas.Row.Compare)
		d.Windows = append(d.Windows, w)
	}
	return d
}

const benchWindows, benchRows = 288, 17 // 4,896 rows

func benchStores(b *testing.B, run func(b *testing.B, s *Sink)) {
	b.Run("file", func(b *testing.B) { s, _ := openDir(b); run(b, s) })
	b.Run("mem", func(b *testing.B) { run(b, openMem(b)) })
}

// BenchmarkFirst writes a whole day that the lake does not have.
func BenchmarkFirst(b *testing.B) {
	benchStores(b, func(b *testing.B, s *Sink) {
		d := bigDay(benchWindows, benchRows)
		b.ReportAllocs()
		at, rows := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), 0
		for b.Loop() {
			d.Day = at.Format(time.DateOnly)
			for i := range d.Windows {
				d.Windows[i].Local = d.Day + d.Windows[i].Local[len(d.Day):]
			}
			at = at.AddDate(0, 0, 1)
			change, err := offer(b.Context(), s, d)
			if err != nil {
				b.Fatal(err)
			}
			rows += change.Rows
		}
		b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
	})
}

// BenchmarkOneWindow changes one window of a day that the lake has.
func BenchmarkOneWindow(b *testing.B) {
	benchStores(b, func(b *testing.B, s *Sink) {
		d := bigDay(benchWindows, benchRows)
		b.ReportAllocs()
		for b.Loop() {
			w := &d.Windows[100]
			w.ObservedAt = w.ObservedAt.Add(time.Second)
			w.Rows[0].Interactions++
			if _, err := offer(b.Context(), s, d); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkNothing offers a day that the lake holds already.
func BenchmarkNothing(b *testing.B) {
	benchStores(b, func(b *testing.B, s *Sink) {
		d := bigDay(benchWindows, benchRows)
		mustOffer(b, s, d, sinks.Change{Windows: benchWindows, Rows: benchWindows * benchRows, Writes: 2})
		b.ReportAllocs()
		for b.Loop() {
			mustOffer(b, s, d, sinks.Change{})
		}
	})
}
