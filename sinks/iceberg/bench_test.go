package iceberg

import (
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

// busyDay tells a day of 288 windows with about 200 interactions.
func busyDay(source *sinktest.Source, key sinks.Key) {
	var windows []schemas.Window
	for i := range 288 {
		var rows []schemas.Row
		if i >= 96 && i < 216 { // ten hours
			rows = append(rows, schemas.Row{Agent: agents[i%7], Code: codes[i%5], Interactions: 1})
			if i%3 > 0 {
				rows = append(rows, schemas.Row{Agent: agents[(i+3)%7], Code: codes[(i+1)%5], Interactions: 1})
			}
		}
		windows = append(windows, win(key, i, rows...))
	}
	source.Observe(key, windows...)
}

var (
	agents = []string{"Ana Pérez", "Luis Gómez", "Eva Ñandú", "Zoe Ruiz", "Iván Díaz", "Sol Mora", "Teo Vega"}
	codes  = []string{"0012", "0013", "VENTA", "TIMEOUTCHAT", "0099"}
)

// BenchmarkYear fills a year of one operation, 16 days at once.
func BenchmarkYear(b *testing.B) {
	flush = true
	defer func() { flush = false }()
	for b.Loop() {
		at := sqliteLake(b)
		s := at.Open(b).(*Sink)
		source := sinktest.NewSource()
		days := make(chan sinks.Key, 365)
		for n := range 365 {
			busyDay(source, keyAt(n-365))
			days <- keyAt(n - 365)
		}
		close(days)
		begin := time.Now()
		peak := converge(b, s, source, days, 16)
		b.ReportMetric(time.Since(begin).Seconds(), "s/year")
		b.ReportMetric(float64(peak)/(1<<20), "MB-heap")
		b.ReportMetric(float64(snapshots(b, at, "chat_7")), "snapshots")
		files, bytes := usage(b, at)
		b.ReportMetric(float64(files), "files")
		b.ReportMetric(float64(bytes)/(1<<20), "MB")
		if err := s.Maintain(b.Context()); err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// usage counts the files of a warehouse.
func usage(b testing.TB, at lakeAt) (files int, bytes int64) {
	root := strings.TrimPrefix(at.options.Warehouse, "file://")
	err := filepath.WalkDir(root, func(_ string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		var info fs.FileInfo
		if info, err = e.Info(); err == nil {
			files++
			bytes += info.Size()
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return files, bytes
}

// BenchmarkCommits measures how a commit slows down with the snapshots before it.
const limit = 1000

func BenchmarkCommits(b *testing.B) {
	at := sqliteLake(b)
	s := at.open(b)
	for n := range 40 {
		mustCommit(b, s, dayOf(n, 2, 1))
	}
	for b.Loop() {
		for n := int64(1); n <= limit; n++ {
			begin := time.Now()
			mustCommit(b, s, dayOf(int(n)%40, 2, n+1))
			if n == 10 || n == 100 || n == 200 || n == 300 || n == 500 || n == 1000 {
				b.Logf("commit %d: %v", n, time.Since(begin))
			}
		}
	}
}
