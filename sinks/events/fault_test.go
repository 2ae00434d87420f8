package events

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/pubsub"
	"wolkpipe/sinks/sinktest"
)

var errInjected = errors.New("injected")

// tampered is a publisher that a test gets its fingers into.
type tampered struct {
	Publisher
	around func(publish func() (uint64, error), messages []*message.Message) (uint64, error)
}

func (p *tampered) PublishBatch(ctx context.Context, topic string, messages ...*message.Message) (uint64, error) {
	return p.around(func() (uint64, error) { return p.Publisher.PublishBatch(ctx, topic, messages...) }, messages)
}

// tamper makes s publish through around from now on.
func tamper(s *Sink, around func(publish func() (uint64, error), messages []*message.Message) (uint64, error)) {
	s.publisher = &tampered{pubsub.NewPublisher(s.js, pubsub.PublisherOptions{}), around}
}

// awaitForgotten returns once the stream has forgotten every message id that
// it was told before the call.
func awaitForgotten(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	id := nats.NewInbox() // another than that of an earlier call
	probe := func() *jetstream.PubAck {
		m := nats.NewMsg("chat7.events.probe.day.20260101")
		m.Header.Set(jetstream.MsgIDHeader, id)
		ack, err := js.PublishMsg(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		return ack
	}
	first := probe()
	for ack := first; ack.Sequence == first.Sequence; ack = probe() {
		if t.Context().Err() != nil {
			t.Fatal("the stream does not forget")
		}
	}
	stream, err := js.Stream(t.Context(), schemas.EventsStream)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(t.Context(), jetstream.WithPurgeSubject("chat7.events.probe.>")); err != nil {
		t.Fatal(err)
	}
}

// Two workers load the same state; the second comes after the stream has
// forgotten the ids of the first. Only the guard is left to refuse it.
func TestGuardOutlivesDuplicateWindow(t *testing.T) {
	url, js := newStream(t)
	one, two := openSink(t, url), openSink(t, url)
	for round, day := range []*sinks.Day{
		theDay(window(0, 3), window(1)),
		theDay(again(window(0, 5), 1), window(1)),
		theDay(again(window(0, 5), 1), again(window(1), 1)), // a window event alone
	} {
		first, second := load(t, one), load(t, two)
		commitTo(t, first, day)
		awaitForgotten(t, js)
		if _, err := second.Commit(t.Context(), day); !errors.Is(err, sinks.ErrConflict) {
			t.Errorf("round %d: the second commit gives %v, want a conflict", round, err)
		}
		auditAll(t, js)
	}
}

// A message is delivered again after the publication's answer was lost.
func TestLostAnswer(t *testing.T) {
	url, js := newStream(t)
	s := openSink(t, url)
	tamper(s, func(publish func() (uint64, error), _ []*message.Message) (uint64, error) {
		_, err := publish()
		return 0, errors.Join(err, errInjected)
	})
	day := theDay(window(0, 3), window(1))
	stale := load(t, openSink(t, url))
	if _, err := load(t, s).Commit(t.Context(), day); !errors.Is(err, errInjected) {
		t.Fatal(err)
	}
	awaitForgotten(t, js)
	// The same process looks first; another one was about to commit.
	if change, err := load(t, s).Commit(t.Context(), day); err != nil || change != (sinks.Change{}) {
		t.Errorf("the retry gives %+v, %v", change, err)
	}
	if _, err := stale.Commit(t.Context(), day); !errors.Is(err, sinks.ErrConflict) {
		t.Errorf("a late commit gives %v, want a conflict", err)
	}
	auditAll(t, js)
}

// A cluster answers a known id with the first message's sequence, guard or
// not; what was told in between must not be taken as told upon.
func TestAnswerForAnotherMessage(t *testing.T) {
	url, js := newStream(t)
	one, two := openSink(t, url), openSink(t, url)
	commitTo(t, load(t, one), theDay(window(0, 3), window(1)))
	tamper(two, func(_ func() (uint64, error), messages []*message.Message) (uint64, error) {
		commitTo(t, load(t, one), theDay(again(window(0, 9), 1)))
		commitTo(t, load(t, one), theDay(again(window(1), 1)))
		last, err := two.last(t.Context(), messages[0].Metadata[pubsub.SubjectKey])
		if err != nil || last.id != messages[0].UUID {
			t.Fatalf("the other worker told something else: %+v, %v", last, err)
		}
		return last.seq, nil
	})
	if _, err := load(t, two).Commit(t.Context(), theDay(again(window(1), 1))); !errors.Is(err, sinks.ErrConflict) {
		t.Fatalf("Commit gives %v, want a conflict", err)
	}
	two = openSink(t, url)
	commitTo(t, load(t, two), theDay(again(window(0, 9), 1), again(window(1), 1)))
	auditAll(t, js)
}

// A crash between the batches of one commit leaves a stream from which the
// rest follows, and the day is not settled before.
func TestCrashBetweenBatches(t *testing.T) {
	url, js := newStream(t)
	counts := make([]int64, 2500)
	for i := range counts {
		counts[i] = int64(i + 1)
	}
	day := theDay(window(0, counts...), window(1, 7))
	day.State = schemas.Settled
	for batches := range 4 {
		s := openSink(t, url)
		left := 1
		tamper(s, func(publish func() (uint64, error), _ []*message.Message) (uint64, error) {
			if left--; left < 0 {
				return 0, errInjected
			}
			return publish()
		})
		_, err := load(t, s).Commit(t.Context(), day)
		a := auditAll(t, js)
		if err == nil {
			if batches != 2 || a.days[testKey].State != schemas.Settled {
				t.Errorf("done after %d batches, the day is %s", batches+1, a.days[testKey].State)
			}
			if d := sinktest.Diff(day.Windows, a.contents(testKey)); d != "" {
				t.Error(d)
			}
			return
		}
		if !errors.Is(err, errInjected) || a.days[testKey].State != schemas.Provisional {
			t.Fatalf("after %d batches: %v, the day is %s", batches+1, err, a.days[testKey].State)
		}
	}
	t.Error("it takes for ever")
}

// The law under faults: two processes with lost answers and failed
// publications, small batches and small events, a day that moves meanwhile.
func TestConvergesUnderFaults(t *testing.T) {
	url, js := newStream(t)
	run := 0
	fuzzed(t, func(history []step, seeds [2]uint64) error {
		run++
		key := sinks.Key{Operation: "op" + strconv.Itoa(run), Day: testKey.Day}
		source := sinktest.NewSource()
		var workers sync.WaitGroup
		stop := make(chan struct{})
		errs := make(chan error, 2)
		for _, seed := range seeds {
			s := openSink(t, url)
			s.limits = limits{messages: 6, bytes: 3000, event: 1400}
			luck := newLuck(seed)
			tamper(s, luck.publish)
			workers.Go(func() {
				for {
					done := false
					select {
					case <-stop:
						done = true
					default:
					}
					_, _, err := sinks.Converge(t.Context(), s, source, key)
					if err != nil && !errors.Is(err, errInjected) && !errors.Is(err, pubsub.ErrTransient) {
						errs <- err
						return
					}
					if done && err == nil {
						return
					}
				}
			})
		}
		for _, st := range history {
			source.SetState(key, st.state)
			source.Observe(key, st.windows...)
		}
		close(stop)
		workers.Wait()
		select {
		case err := <-errs:
			return err
		default:
		}
		a := auditAll(t, js, "chat7.events."+key.Operation+".>")
		if d := sinktest.Diff(source.Windows(key), a.contents(key)); d != "" {
			return fmt.Errorf("the stream does not hold the day (wanted -, held +):\n%s", d)
		}
		day, _, _ := source.Day(t.Context(), key)
		if got := a.days[key]; got.State != day.State || got.WindowsObserved > int64(len(day.Windows)) {
			return fmt.Errorf("the day is told as %+v, is %s", got, day.State)
		}
		return nil
	})
}

// window is the i-th window of the test's day, observed at noon of the next,
// with a row for each count.
func window(i int, counts ...int64) schemas.Window {
	start := time.Date(2026, 11, 1, 0, 5*i, 0, 0, time.FixedZone("", -5*3600))
	w := schemas.Window{
		Local: start.Format("2006-01-02T15:04:05"), Start: start, End: start.Add(5 * time.Minute),
		Revision: 1, Method: schemas.Direct, Cause: schemas.Live, ObservedAt: time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC),
	}
	if len(counts) == 0 {
		w.Method = schemas.Empty
	}
	for j, n := range counts {
		w.Rows = append(w.Rows, schemas.Row{Agent: fmt.Sprintf("Agente %05d", j), Code: strconv.Itoa(j % 7), Interactions: n})
	}
	return w
}

// again is w as observed n seconds and n revisions later.
func again(w schemas.Window, n int) schemas.Window {
	w.Revision += int64(n)
	w.ObservedAt = w.ObservedAt.Add(time.Duration(n) * time.Second)
	w.Cause = schemas.Settle
	return w
}

var testKey = sinks.Key{Operation: "ventas", Day: "2026-11-01"}

func theDay(windows ...schemas.Window) *sinks.Day {
	return &sinks.Day{Key: testKey, Timezone: "America/Bogota", State: schemas.Provisional, Expected: 288, Windows: windows}
}

func load(t testing.TB, s *Sink) sinks.Held {
	t.Helper()
	h, err := s.Load(t.Context(), testKey)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func commitTo(t testing.TB, h sinks.Held, day *sinks.Day) sinks.Change {
	t.Helper()
	change, err := h.Commit(t.Context(), day)
	if err != nil {
		t.Fatal(err)
	}
	return change
}
