package parquet

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/sinktest"
)

// largeDay is one whose rows object has several MB: names that do not repeat.
func largeDay(windows int, version int64) []schemas.Window {
	random := rand.New(rand.NewPCG(1, 2))
	var all []schemas.Window
	for i := range windows {
		var rows []schemas.Row
		for r := range 250 {
			rows = append(rows, row(fmt.Sprintf("%016x%016x", random.Uint64(), random.Uint64()), fmt.Sprint(r), version))
		}
		w := win(i, 0, rows...)
		w.Revision = 0
		w.ObservedAt = w.ObservedAt.AddDate(0, 0, int(version))
		all = append(all, w)
	}
	return all
}

const (
	mostKept = 32 << 20  // more on the heap after the failures than before
	mostPeak = 768 << 20 // on the heap at any request
)

// TestRealMemory: a large day that fails to be written again and again leaves
// nothing behind in memory. Each try ends while its driver would try again.
func TestRealMemory(t *testing.T) {
	windows, rounds := 288, 10
	if testing.Short() {
		windows, rounds = 48, 4
	}
	for _, kind := range realStores {
		t.Run(kind.name, func(t *testing.T) {
			r := kind.start(t)
			m := newMiddleman(t, r.addr)
			s := r.at(strings.TrimPrefix(m.URL, "http://")).open(t, "memory")
			source := sinktest.NewSource()
			source.Observe(key, largeDay(windows, 1)...)
			if _, _, err := sinks.Converge(t.Context(), s, source, key); err != nil {
				t.Fatal(err)
			}
			source.Observe(key, largeDay(windows, 2)...)
			before := heap()
			var peak, size uint64
			var mu sync.Mutex
			for range rounds {
				ctx, cancel := context.WithCancel(t.Context())
				m.set(func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
					if !isWrite(r) {
						return false
					}
					n, _ := io.Copy(io.Discard, r.Body)
					var now runtime.MemStats
					runtime.ReadMemStats(&now)
					mu.Lock()
					peak, size = max(peak, now.HeapAlloc), max(size, uint64(n))
					mu.Unlock()
					answer(w, http.StatusInternalServerError)
					cancel()
					return true
				})
				_, _, err := sinks.Converge(ctx, s, source, key)
				cancel()
				if err == nil {
					t.Fatal("a write that failed is told to have worked")
				}
			}
			after := heap()
			t.Logf("a request of %d KB; heap %d KB before, %d after %d failures, %d at most", size>>10, before>>10, after>>10, rounds, peak>>10)
			if after > before+mostKept || peak > mostPeak {
				t.Errorf("the heap grew from %d to %d bytes, %d at most", before, after, peak)
			}
			m.set(nil)
			if _, _, err := sinks.Converge(t.Context(), s, source, key); err != nil {
				t.Fatal(err)
			}
			if rows, err := s.Rows(t.Context(), key); err != nil || len(rows) != windows*250 || rows[0].Interactions != 2 {
				t.Fatalf("%d rows are held, %v", len(rows), err)
			}
		})
	}
}

// heap is what is alive.
func heap() uint64 {
	runtime.GC()
	runtime.GC() // what the first one finalised
	var now runtime.MemStats
	runtime.ReadMemStats(&now)
	return now.HeapAlloc
}
