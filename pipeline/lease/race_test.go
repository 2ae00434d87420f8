package lease

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// quick is a clock that runs 50 times as fast as time does.
type quick struct{ began time.Time }

const speed = 50

func (q quick) Now() time.Time { return noon.Add(time.Since(q.began) * speed) }

func (q quick) Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d / speed)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Several processes with several callers each, all at once.
func TestManyCallers(t *testing.T) {
	var inFlight, calls atomic.Int64
	var all sync.WaitGroup
	name := t.Name() + time.Now().String()
	const processes, callers, each = 3, 4, 5
	for i := range processes {
		l, err := Open(t.Context(), shared, Options{Owner: string(rune('a' + i)), Clock: quick{time.Now()}, Log: quietLog})
		if err != nil {
			t.Fatal(err)
		}
		var mine sync.WaitGroup
		for k := range callers {
			mine.Go(func() {
				token := l.Token("https://example.com", name, Quota{})
				for made := 0; made < each; {
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(200))*time.Millisecond+time.Millisecond)
					call, err := token.Enter(ctx, Ask{Kind: Kind(k)})
					cancel()
					token.State()
					if err != nil {
						continue // gave up waiting
					}
					if call.MaySend() {
						if inFlight.Add(1) != 1 {
							t.Error("two calls are in flight")
						}
						made++
						calls.Add(1)
						inFlight.Add(-1)
					}
					call.Done(Outcome{Ended: true})
				}
			})
		}
		all.Go(func() {
			mine.Wait()
			if err := l.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if calls.Load() != processes*callers*each {
		t.Errorf("%d calls were made", calls.Load())
	}
}
