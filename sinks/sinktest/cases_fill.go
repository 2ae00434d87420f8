package sinktest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
)

// fillCases: a sink added to a journal that is months old fills itself.
var fillCases = []testCase{
	{"added months later, while the last days still move", fill},
}

// fill converges many days at once, as the pipeline does for a sink that
// gathers them, through two processes, while the newest days change.
func fill(t testing.TB, h Harness) {
	const days, workers, moving = 40, 8, 3
	source := NewSource()
	keys := make([]sinks.Key, days)
	first := time.Date(2026, 9, 23, 0, 0, 0, 0, time.UTC)
	for n := range days {
		key := sinks.Key{Operation: testKey.Operation, Day: first.AddDate(0, 0, n).Format(time.DateOnly)}
		keys[n] = key
		source.Observe(key, of(key, unseen(win(0, row("Ana", "1", int64(n+1)), row("Luis", "2", 1)))), of(key, unseen(win(1))))
		if n%3 == 0 { // corrected since: the sink never hears of what was before
			source.Observe(key, of(key, unseen(win(0, row("Ana", "1", int64(n+2))))))
		}
	}
	handles := []sinks.Sink{open(t, h), open(t, h)}
	ctx := patient(t)
	hints := make(chan sinks.Key, days+workers*moving)
	for _, key := range keys {
		hints <- key
	}
	live := keys[days-moving:]
	errs := make(chan error, workers)
	var working sync.WaitGroup
	for i := range workers {
		working.Go(func() {
			for n, key := range live { // what is polled meanwhile
				source.Observe(key, of(key, unseen(win(2+i, row(fmt.Sprint("agent ", i), "3", int64(n+1))))))
				hints <- key
			}
			for {
				select {
				case key := <-hints:
					if _, _, err := sinks.Converge(ctx, handles[i%2], source, key); err != nil {
						errs <- fmt.Errorf("%s: %w", key, err)
						return
					}
				default:
					return
				}
			}
		})
	}
	working.Wait()
	select {
	case err := <-errs:
		t.Fatalf("Converge: %v", err)
	default:
	}
	for _, key := range keys {
		check(t, h, key, source.Windows(key))
	}
}

// of is w, a window of testKey's day, at the same time of key's.
func of(key sinks.Key, w schemas.Window) schemas.Window {
	from, _ := time.Parse(time.DateOnly, testKey.Day)
	to, _ := time.Parse(time.DateOnly, key.Day)
	w.Start, w.End = w.Start.Add(to.Sub(from)), w.End.Add(to.Sub(from))
	w.Local = w.Start.Format("2006-01-02T15:04:05")
	return w
}
