package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/pipeline/broker"
)

// witness remembers what consumers were told while daemons ran: what was told
// once may not be taken back.
type witness struct {
	site   *site
	mu     sync.Mutex
	events map[uint64]string   // ids by sequence
	chunks map[uint64][32]byte // hashes of the journal's messages by sequence
	told   int                 // how many in all
	stop   context.CancelFunc
	done   sync.WaitGroup
}

func newWitness(s *site) *witness {
	return &witness{site: s, events: map[uint64]string{}, chunks: map[uint64][32]byte{}, stop: func() {}}
}

// follow listens to a process, once it runs and until rest.
func (w *witness) follow(p *process) {
	w.rest()
	ctx, stop := context.WithCancel(w.site.t.Context())
	w.stop = stop
	w.done.Go(func() {
		defer stop()
		for !strings.Contains(p.stderr.String(), `"msg":"running"`) {
			_, grown := p.stderr.look()
			select {
			case <-grown:
			case <-p.ended:
				return
			case <-ctx.Done():
				return
			}
		}
		nc, err := broker.Attach(w.site.path("data"), broker.RemoteOptions{Name: "witness", Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			return // it was killed
		}
		defer nc.Close()
		js, err := jetstream.New(nc)
		if err != nil {
			return
		}
		for stream, see := range map[string]func(uint64, []byte){"CHAT7_EVENTS": w.event, "CHAT7_JOURNAL": w.chunk} {
			consumer, err := js.OrderedConsumer(ctx, stream, jetstream.OrderedConsumerConfig{OptStartSeq: w.next(stream), DeliverPolicy: jetstream.DeliverByStartSequencePolicy})
			if err != nil {
				return
			}
			consuming, err := consumer.Consume(func(msg jetstream.Msg) {
				if meta, err := msg.Metadata(); err == nil {
					see(meta.Sequence.Stream, msg.Data())
				}
			})
			if err != nil {
				return
			}
			defer consuming.Stop()
		}
		select {
		case <-p.ended:
		case <-ctx.Done():
		}
	})
}

// rest ends the listening.
func (w *witness) rest() {
	w.stop()
	w.done.Wait()
}

// next is the first sequence of a stream that was not seen.
func (w *witness) next(stream string) (after uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if stream == "CHAT7_EVENTS" {
		for n := range w.events {
			after = max(after, n)
		}
	} else {
		for n := range w.chunks {
			after = max(after, n)
		}
	}
	return after + 1
}

func (w *witness) event(sequence uint64, data []byte) {
	var e struct{ ID string }
	_ = json.Unmarshal(data, &e) // one without an id is told when the stream is read
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events[sequence] = e.ID
	w.told++
}

func (w *witness) chunk(sequence uint64, data []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told++
	w.chunks[sequence] = sha256.Sum256(data)
}

// judge looks for what was told and is not there any more. Days that have
// settled are rolled up: of the journal it is enough that nothing else stands
// in a message's place.
func (w *witness) judge(look *outside, v *judgement) {
	w.rest()
	w.mu.Lock()
	defer w.mu.Unlock()
	for n, id := range w.events {
		if look.ids[n] != id {
			v.flaw(&v.lost, "event %d was %s, and is %q", n, id, look.ids[n])
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	stream, err := look.js.Stream(ctx, "CHAT7_JOURNAL")
	if err != nil {
		v.flaw(&v.wrong, "the journal: %v", err)
		return
	}
	last := stream.CachedInfo().State.LastSeq
	for n := range w.chunks {
		if n > last {
			v.flaw(&v.lost, "chunk %d of the journal is gone: it ends at %d", n, last)
		}
	}
	sequenced(w.site.t, look.js, "CHAT7_JOURNAL", func(sequence uint64, data []byte) {
		if was, seen := w.chunks[sequence]; seen && was != sha256.Sum256(data) {
			v.flaw(&v.lost, "chunk %d of the journal is another than it was", sequence)
		}
	})
}
