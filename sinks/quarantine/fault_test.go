package quarantine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go/jetstream"
	"pgregory.net/rapid"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/pubsub"
	"wolkpipe/sinks/sinktest"
)

// flaky publishes as it is told to: each call takes the next of its faults.
type flaky struct {
	Publisher
	mu     sync.Mutex
	faults []fault
}

type fault int

const (
	fine   fault = iota
	before       // nothing is published, and an error says so
	after        // it is published, and its answer is lost
)

func newFlaky(js jetstream.JetStream, faults ...fault) *flaky {
	return &flaky{Publisher: pubsub.NewPublisher(js, pubsub.PublisherOptions{NoMessageID: true}), faults: faults}
}

func (f *flaky) PublishBatch(ctx context.Context, topic string, messages ...*message.Message) (uint64, error) {
	f.mu.Lock()
	now := fine
	if len(f.faults) > 0 {
		now, f.faults = f.faults[0], f.faults[1:]
	}
	f.mu.Unlock()
	switch now {
	case before:
		return 0, fmt.Errorf("%w: injected", pubsub.ErrTransient)
	case after:
		if _, err := f.Publisher.PublishBatch(ctx, topic, messages...); err != nil {
			return 0, err
		}
		return 0, fmt.Errorf("%w: injected", pubsub.ErrUnknown)
	}
	return f.Publisher.PublishBatch(ctx, topic, messages...)
}

func TestTwoHoldersTellARejectOnce(t *testing.T) {
	server, js := newStream(t)
	one, two := open(t, server, nil), open(t, server, nil)
	for revision := range int64(3) { // on a subject without messages, then with
		day := fold(win(0, revision+1, "a", "b"))
		first, err := one.Load(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		second, err := two.Load(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := first.Commit(t.Context(), day); err != nil {
			t.Fatal(err)
		}
		if _, err := second.Commit(t.Context(), day); !errors.Is(err, sinks.ErrConflict) {
			t.Errorf("revision %d: the second commit gave %v, want ErrConflict", revision+1, err)
		}
		if change := commit(t, two, day); change != (sinks.Change{}) {
			t.Errorf("revision %d: loaded again, Change = %+v, want zero", revision+1, change)
		}
	}
	if got := readAll(t, js, subject); len(got) != 6 {
		t.Errorf("%d messages, want 6", len(got))
	}
}

// A window whose rejects take several batches is completed after a failure
// between them, or after a batch whose answer was lost.
func TestInterrupted(t *testing.T) {
	for name, faults := range map[string][]fault{
		"before the first batch":  {before},
		"between two batches":     {fine, before},
		"the first answer lost":   {after},
		"the last answer lost":    {fine, fine, after},
		"lost, and again nothing": {after, before, after},
		"between rows alike":      {fine, fine, fine, fine, before},
	} {
		t.Run(name, func(t *testing.T) {
			server, js := newStream(t)
			sink := open(t, server, newFlaky(js, faults...))
			source := sinktest.NewSource()
			source.Observe(key, win(0, 1, raws(2300)...), win(1, 1, "a"), win(2, 1, slices.Repeat([]string{"x"}, 1200)...))
			failures := 0
			for {
				_, _, err := sinks.Converge(t.Context(), sink, source, key)
				if err == nil {
					break
				}
				if failures++; !errors.Is(err, pubsub.ErrTransient) || failures > len(faults) {
					t.Fatal(err)
				}
			}
			if failures == 0 {
				t.Error("no fault was seen")
			}
			check(t, js, key, source)
			if got := len(readAll(t, js, subject)); got != 3501 {
				t.Errorf("%d messages, want 3501", got)
			}
		})
	}
}

func TestEndedContext(t *testing.T) {
	server, js := newStream(t)
	sink := open(t, server, nil)
	ctx, cancel := context.WithCancel(t.Context())
	held, err := sink.Load(ctx, key)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := held.Commit(ctx, fold(win(0, 1, "a"))); !errors.Is(err, context.Canceled) {
		t.Errorf("Commit gave %v, want context.Canceled", err)
	}
	if _, err := sink.Load(ctx, key); !errors.Is(err, context.Canceled) {
		t.Errorf("Load gave %v, want context.Canceled", err)
	}
	if got := readAll(t, js, subject); len(got) != 0 {
		t.Errorf("%d messages, want none", len(got))
	}
}

// check fails unless the stream tells, for each window with rejects, those of
// its current revision, each once, and of no revision anything twice.
func check(t testing.TB, js jetstream.JetStream, key sinks.Key, source *sinktest.Source) {
	t.Helper()
	type at struct {
		window   string
		revision int64
	}
	told := make(map[at][]string)

	for _, m := range readAll(t, js, schemas.QuarantineSubject(key.Operation, key.Day)) {
		told[at{m.WindowLocal, m.Revision}] = append(told[at{m.WindowLocal, m.Revision}], m.data)
	}
	for _, w := range source.Windows(key) {
		var want []string
		for _, r := range w.Rejects {
			data, err := encode(key.Operation, &w, r)
			if err != nil {
				t.Fatalf("%v", err)
			}
			want = append(want, string(data))
		}
		got := told[at{w.Local, w.Revision}]
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("window %s, revision %d: told %d rejects %.200q, want %d %.200q", w.Local, w.Revision, len(got), got, len(want), want)
		}
		for k := range maps.Keys(told) {
			if k.window == w.Local && k.revision > w.Revision {
				t.Fatalf("window %s: revision %d was told, the journal has %d", w.Local, k.revision, w.Revision)
			}
		}
	}
}

// Two processes whose publications fail in every way converge on a day that
// moves meanwhile: each reject of each current revision is told once.
func TestConverges(t *testing.T) {
	server, js := newStream(t)
	connections := []jetstream.JetStream{connect(t, server), connect(t, server)}
	run := 0
	rapid.Check(t, func(r *rapid.T) {
		run++
		key := sinks.Key{Operation: fmt.Sprintf("random%d", run), Day: key.Day}
		source := sinktest.NewSource()
		seed := rapid.Uint64().Draw(r, "seed of the faults")
		random := rand.New(rand.NewPCG(seed, 0))
		var workers []sinks.Sink
		for _, js := range connections {
			var faults []fault
			for range 8 {
				faults = append(faults, fault(random.IntN(3)))
			}
			s, err := Open(t.Context(), Options{JetStream: js, Publisher: newFlaky(js, faults...)})
			if err != nil {
				r.Fatal(err)
			}
			workers = append(workers, s)
		}
		for step := range rapid.IntRange(1, 4).Draw(r, "steps") {
			var observed []schemas.Window
			for _, i := range rapid.SliceOfNDistinct(rapid.IntRange(0, 3), 1, 4, rapid.ID).Draw(r, fmt.Sprint("windows of step ", step)) {
				rejected := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", `{"n":"-1"}`, "\xff"}), 0, 5).Draw(r, "rejects")
				observed = append(observed, win(i, 0, rejected...)) // the journal counts revisions
			}
			var all sync.WaitGroup
			errs := make([]error, len(workers))
			for i, s := range workers {
				all.Go(func() { errs[i] = converge(t.Context(), s, source, key) })
			}
			source.Observe(key, observed...)
			all.Wait()
			for i, s := range workers { // the day may have moved after they were done
				if err := errors.Join(errs[i], converge(t.Context(), s, source, key)); err != nil {
					r.Fatal(err)
				}
			}
			check(t, js, key, source)
		}
	})
}

// converge tries again until it has worked.
func converge(ctx context.Context, s sinks.Sink, source sinks.Source, key sinks.Key) error {
	for {
		_, _, err := sinks.Converge(ctx, s, source, key)
		if !errors.Is(err, pubsub.ErrTransient) {
			return err
		}
	}
}
