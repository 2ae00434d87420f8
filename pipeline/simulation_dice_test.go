package pipeline

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"time"
)

// simDice draws whatever a simulation leaves to chance. A draw depends on the
// seed, on what is drawn for, and on how often that was drawn for before: so
// goroutines that run side by side do not change each other's luck.
type simDice struct {
	seed uint64

	mu    sync.Mutex
	drawn map[string]int
}

func (d *simDice) of(what string) *rand.Rand {
	d.mu.Lock()
	n := d.drawn[what]
	d.drawn[what]++
	d.mu.Unlock()
	h := fnv.New64a()
	fmt.Fprintf(h, "%d/%s", n, what)
	return rand.New(rand.NewPCG(d.seed, h.Sum64()))
}

// takes draws how long something takes: about typical, now and then up to
// most. The odd nanoseconds keep apart what would happen at the same instant,
// so that time alone decides who overtakes whom, and never Go's scheduler.
func takes(r *rand.Rand, typical, most time.Duration) time.Duration {
	d := time.Duration(r.ExpFloat64() * float64(typical))
	if r.IntN(40) == 0 {
		d = time.Duration(r.Int64N(int64(most)))
	}
	return min(d, most) + time.Duration(1+r.IntN(1_000_003))
}

// simEvent is one thing that happened to what the processes share.
type simEvent struct {
	at   time.Duration // since the beginning
	what string
}

func (e simEvent) String() string { return fmt.Sprintf("%v %s", e.at, e.what) }

// simFate is what becomes of a request.
type simFate int

const (
	answered    simFate = iota
	failed              // it is told that the request failed, and it did
	swallowed           // it never arrives, and nobody tells
	takenFailed         // it is done, and told to have failed
	taken               // it is done, and nobody tells
)

// fate draws one; the bad ones share the rate.
func fate(r *rand.Rand, rate float64) simFate {
	if r.Float64() >= rate {
		return answered
	}
	return simFate(1 + r.IntN(4))
}
