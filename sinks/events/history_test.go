package events

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"pgregory.net/rapid"

	"wolkpipe/schemas"
)

// step is one append to the journal of a day.
type step struct {
	state   schemas.State
	windows []schemas.Window
}

// fuzzed runs f over random histories of a day and seeds of two workers.
func fuzzed(t *testing.T, f func(history []step, seeds [2]uint64) error) {
	states := rapid.SampledFrom([]schemas.State{schemas.Provisional, schemas.Provisional, schemas.Settled})
	content := rapid.Custom(func(r *rapid.T) schemas.Window {
		i := rapid.IntRange(0, 5).Draw(r, "window")
		w := window(i, rapid.SliceOfN(rapid.Int64Range(1, 3), 0, 14).Draw(r, "counts")...)
		w.ObservedAt, w.Revision = time.Time{}, 0 // the source's own
		missing := rapid.IntRange(0, 3).Draw(r, "missing")
		w.Rows = slices.DeleteFunc(w.Rows, func(row schemas.Row) bool { return row.Code == strconv.Itoa(missing) })
		w.Dropped = rapid.Int64Range(0, 1).Draw(r, "dropped")
		return w
	})
	appended := rapid.Custom(func(r *rapid.T) step {
		return step{states.Draw(r, "state"), rapid.SliceOfNDistinct(content, 0, 4, func(w schemas.Window) string { return w.Local }).Draw(r, "windows")}
	})
	rapid.Check(t, func(r *rapid.T) {
		history := rapid.SliceOfN(appended, 1, 8).Draw(r, "history")
		// There is a day once a window was observed.
		history[0].windows = []schemas.Window{window(0, 1)}
		if err := f(history, [2]uint64{rapid.Uint64().Draw(r, "one"), rapid.Uint64().Draw(r, "two")}); err != nil {
			r.Fatal(err)
		}
	})
}

// luck decides which publications fail, and how. It runs out.
type luck struct {
	mu   sync.Mutex
	rand *rand.Rand
	left int
}

func newLuck(seed uint64) *luck { return &luck{rand: rand.New(rand.NewPCG(seed, 0)), left: 20} }

func (l *luck) publish(publish func() (uint64, error), _ []*message.Message) (uint64, error) {
	l.mu.Lock()
	fate := 10
	if l.left > 0 {
		l.left--
		fate = l.rand.IntN(10)
	}
	l.mu.Unlock()
	switch {
	case fate < 2: // never arrives
		return 0, errInjected
	case fate < 4: // the answer is lost
		if _, err := publish(); err != nil {
			return 0, err
		}
		return 0, errInjected
	}
	return publish()
}
