package pipeline

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	api "go.opentelemetry.io/otel/trace"

	"wolkpipe/pipeline/trace"
	"wolkpipe/sinks"
)

var (
	recorder  = tracetest.NewSpanRecorder()
	recording = sync.OnceFunc(func() {
		// Nothing of other tests: only what is in a trace that is recorded.
		otel.SetTracerProvider(sdk.NewTracerProvider(sdk.WithSpanProcessor(recorder), sdk.WithSampler(sdk.ParentBased(sdk.NeverSample()))))
	})
)

// sampled is a context in a trace that is recorded, as a message brings it.
func sampled(t testing.TB) (context.Context, api.SpanContext) {
	t.Helper()
	recording()
	id := traces
	traces++
	s := api.NewSpanContext(api.SpanContextConfig{TraceID: api.TraceID{14: 7, 15: id}, SpanID: api.SpanID{7: id}, TraceFlags: api.FlagsSampled, Remote: true})
	header := map[string][]string{}
	trace.Inject(api.ContextWithSpanContext(t.Context(), s), header)
	if len(header["traceparent"]) != 1 {
		t.Fatalf("the headers are %v", header)
	}
	msg := message.NewMessage("", nil)
	msg.Metadata.Set("traceparent", header["traceparent"][0])
	return trace.Extract(t.Context(), msg.Metadata), s
}

var traces byte = 1

// of are the recorded spans of a trace.
func of(s api.SpanContext, name string) (all []sdk.ReadOnlySpan) {
	for _, span := range recorder.Ended() {
		if span.SpanContext().TraceID() == s.TraceID() && span.Name() == name {
			all = append(all, span)
		}
	}
	return all
}

func said(span sdk.ReadOnlySpan, key string) string {
	for _, a := range span.Attributes() {
		if a.Key == attribute.Key("wolkpipe."+key) {
			return a.Value.String()
		}
	}
	return ""
}

// slowSink is a sink of nothing whose loads wait, and whose commits say what a
// test has them say.
type slowSink struct {
	loading chan struct{} // told of each load
	goOn    chan struct{}
	commits []error
}

func (s *slowSink) Load(ctx context.Context, _ sinks.Key) (sinks.Held, error) {
	s.loading <- struct{}{}
	select {
	case <-s.goOn:
		return s, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *slowSink) Commit(context.Context, *sinks.Day) (sinks.Change, error) {
	var err error
	if len(s.commits) > 0 {
		err, s.commits = s.commits[0], s.commits[1:]
	}
	if err != nil {
		return sinks.Change{}, err
	}
	return sinks.Change{Windows: 2, Rows: 3, Writes: 1}, nil
}

func (s *slowSink) Close() error { return nil }

// upTo is a source whose day is folded up to a message of the journal.
type upTo struct{ atomic.Uint64 }

func (s *upTo) Day(_ context.Context, key sinks.Key) (*sinks.Day, uint64, error) {
	return &sinks.Day{Key: key}, s.Load(), nil
}

// TestHintsAreLinked: of hints that wait while a sink is busy, the last one's
// convergence is linked to the others' traces; one that had been done already
// is linked to what did it; what failed stays to be linked.
func TestHintsAreLinked(t *testing.T) {
	sink := &slowSink{loading: make(chan struct{}), goOn: make(chan struct{}), commits: []error{sinks.ErrConflict, errors.New("with a secret")}}
	source := new(upTo)
	w := newWorker("lake", sink, source, slog.New(slog.DiscardHandler))
	key := sinks.Key{Operation: "ventas", Day: "2026-11-01"}
	var hints []api.SpanContext
	var wait sync.WaitGroup
	hint := func(seq uint64) {
		ctx, s := sampled(t)
		hints = append(hints, s)
		wait.Go(func() {
			if err := w.hint(ctx, key, seq, 1); err != nil {
				t.Error(err)
			}
		})
		for w.newest(key) != seq {
			runtime.Gosched()
		}
	}
	hint(1)
	<-sink.loading // of the first: busy
	hint(2)
	hint(3)                 // 2 gives way
	sink.goOn <- struct{}{} // conflict
	<-sink.loading
	sink.goOn <- struct{}{} // fails: 1 gives way
	<-sink.loading          // of 3
	hint(4)
	hint(5) // 4 gives way
	source.Store(3)
	sink.goOn <- struct{}{}
	<-sink.loading // of 5
	hint(6)
	source.Store(6)
	sink.goOn <- struct{}{} // holds 6 as well
	wait.Wait()

	first := of(hints[0], "converge")
	if len(first) != 1 || said(first[0], "outcome") != "failed" || said(first[0], "conflicts") != "1" || first[0].Status().Description != "failed" || len(first[0].Links()) != 0 {
		t.Fatalf("the first convergence: %v", first)
	}
	if n := len(of(hints[1], "converge")); n != 0 {
		t.Errorf("a hint that gave way made %d convergences", n)
	}
	third := of(hints[2], "converge")
	if len(third) != 1 || third[0].Parent().SpanID() != hints[2].SpanID() || said(third[0], "outcome") != "changed" || said(third[0], "rows") != "3" {
		t.Fatalf("the third hint's convergence: %v", third)
	}
	linked := linksOf(third[0])
	if slices.Sort(linked); !slices.Equal(linked, ids(hints[0], hints[1])) {
		t.Errorf("it is linked to %v, want %v", linked, ids(hints[0], hints[1]))
	}
	for name, n := range map[string]int{"load": 1, "fold": 2, "commit": 1} {
		parts := of(hints[2], name)
		if len(parts) != n || parts[0].Parent().SpanID() != third[0].SpanContext().SpanID() {
			t.Errorf("%d spans %s: %v", len(parts), name, parts)
		}
	}
	fifth := of(hints[4], "converge")
	if len(fifth) != 1 || !slices.Equal(linksOf(fifth[0]), ids(hints[3])) {
		t.Fatalf("the fifth hint, to which the fourth gave way: %v", fifth)
	}
	sixth := of(hints[5], "converge")
	if len(sixth) != 1 || said(sixth[0], "outcome") != "held" || !slices.Equal(linksOf(sixth[0]), ids(fifth[0].SpanContext())) {
		t.Errorf("the sixth hint, which the fifth's convergence held: %v", sixth)
	}
}

// newest is the latest hint of a day that was taken in.
func (w *worker) newest(key sinks.Key) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if d := w.days[key]; d != nil {
		return d.newest
	}
	return 0
}

func linksOf(span sdk.ReadOnlySpan) (all []string) {
	for _, link := range span.Links() {
		all = append(all, link.SpanContext.SpanID().String())
	}
	return all
}

func ids(spans ...api.SpanContext) (all []string) {
	for _, s := range spans {
		all = append(all, s.SpanID().String())
	}
	return all
}

// BenchmarkConverge converges a day whose sink and source cost nothing, with
// nothing around it, by a worker where no spans are wanted, and with spans that
// are recorded: what tracing costs at most.
func BenchmarkConverge(b *testing.B) {
	sink := &slowSink{loading: make(chan struct{}), goOn: make(chan struct{})}
	close(sink.goOn)
	go func() {
		for range sink.loading {
		}
	}()
	defer close(sink.loading)
	w := newWorker("lake", sink, new(upTo), slog.New(slog.DiscardHandler))
	key := sinks.Key{Operation: "ventas", Day: "2026-11-01"}
	b.Run("bare", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := sinks.Converge(b.Context(), sink, new(upTo), key); err != nil {
				b.Fatal(err)
			}
		}
	})
	worker := func(b *testing.B, ctx context.Context) {
		b.ReportAllocs()
		for b.Loop() {
			if err := w.sweep(ctx, key); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("unset", func(b *testing.B) { worker(b, b.Context()) })
	recording()
	ctx, _ := sampled(b)
	b.Run("recorded", func(b *testing.B) { worker(b, ctx) })
}
