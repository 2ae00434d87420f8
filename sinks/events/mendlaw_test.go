package events

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/pubsub"
	"wolkpipe/sinks/sinktest"
)

// TestMendLaw: a stream loses any of its messages and gets others that are
// nobody's. Two processes that mend it, with one that converges as always,
// each with publications that are lost or whose answers are, on a journal
// that moves meanwhile, leave it right by every reading; and so it stays.
func TestMendLaw(t *testing.T) {
	url, js := newStream(t)
	one, two, three := openSink(t, url), openSink(t, url), openSink(t, url)
	for _, s := range []*Sink{one, two, three} {
		s.now, s.limits.messages = now, 7
	}
	var run atomic.Int64
	lost, forged := 0, 0
	fuzzed(t, func(history []step, seeds [2]uint64) error {
		r := &rig{t: t, url: url, js: js, source: sinktest.NewSource()}
		r.key = sinks.Key{Operation: fmt.Sprint("run", run.Add(1)), Day: testKey.Day}
		random := rand.New(rand.NewPCG(seeds[0], seeds[1]))
		observe := func(st step) {
			r.source.SetState(r.key, st.state)
			r.source.Observe(r.key, st.windows...)
		}
		half := (len(history) + 1) / 2
		for _, st := range history[:half] {
			observe(st)
			r.converge(three)
		}
		for _, seq := range r.ofType(".>") {
			if random.IntN(3) == 0 {
				r.remove(seq)
				lost++
			}
		}
		for i := range random.IntN(4) {
			at := window(0).ObservedAt
			if random.IntN(2) == 0 {
				at = year2099
			}
			r.forgeRow(window(random.IntN(8)), fmt.Sprint("Agente 0000", i), int64(random.IntN(7)-3), int64(random.IntN(90)), at)
			forged++
		}
		var all sync.WaitGroup
		errs := make(chan error, 3)
		for i, s := range []*Sink{one, two, three} {
			tamper(s, newLuck(seeds[i%2]+uint64(i)).publish)
			all.Go(func() {
				for {
					var err error
					if s == three {
						_, _, err = sinks.Converge(t.Context(), s, r.source, r.key)
					} else {
						_, err = sinks.Mend(t.Context(), s, r.source, r.key.Operation, []string{r.key.Day})
					}
					if !errors.Is(err, errInjected) {
						errs <- err
						return
					}
				}
			})
		}
		for _, st := range history[half:] {
			observe(st)
		}
		all.Wait()
		for range 3 {
			if err := <-errs; err != nil {
				return err
			}
		}
		for _, s := range []*Sink{one, two, three} {
			s.publisher = pubsub.NewPublisher(s.js, pubsub.PublisherOptions{})
		}
		check := func(when string) error {
			a := consume(t, js, r.key.Operation, 1<<62)
			a.holds(t, r.key.Operation, r.source.Windows(r.key))
			if left, _ := r.audit(one); len(left) > 0 || t.Failed() {
				return fmt.Errorf("%s there differ %q", when, left)
			}
			return nil
		}
		if err := check("mended"); err != nil {
			return err
		}
		r.converge(three)
		observe(step{schemas.Provisional, []schemas.Window{{Local: window(0).Local, Start: window(0).Start, End: window(0).End, Method: schemas.Empty}}})
		r.converge(three)
		return check("later")
	})
	t.Logf("%d messages were lost, %d made up", lost, forged)
}
