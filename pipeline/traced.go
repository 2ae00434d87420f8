package pipeline

import (
	"context"
	"errors"
	"slices"

	"wolkpipe/pipeline/trace"
	"wolkpipe/sinks"
)

// told is a hint that came in a trace.
type told struct {
	seq  uint64
	from trace.Origin
}

// tell notes the trace of a hint. w.mu is held.
func (d *daywork) tell(ctx context.Context, seq uint64) {
	hint := told{seq, trace.From(ctx)}
	if hint.from.IsValid() && !slices.ContainsFunc(d.told, func(t told) bool { return t.seq == seq }) {
		d.told = append(d.told, hint)
	}
}

// holds notes that the sink holds the day up to the journal's message seq, by
// the convergence that ctx is of. w.mu is held.
func (d *daywork) holds(ctx context.Context, seq uint64) {
	d.done, d.by = max(d.done, seq), trace.From(ctx)
	d.told = slices.DeleteFunc(d.told, func(t told) bool { return t.seq <= d.done })
}

// traced is what a convergence is given: the sink and the source themselves
// where its span is not recorded.
type traced struct {
	sink   sinks.Sink
	source sinks.Source
	span   trace.Span
	record *record
}

// traced begins the span of a convergence, in the trace of the hint that asked
// for it. It is linked to those of the other hints that it makes true as well.
func (w *worker) traced(ctx context.Context, key sinks.Key, d *daywork) (context.Context, traced) {
	parent := trace.From(ctx)
	ctx, span := w.begin(ctx, key)
	if !span.On() {
		return ctx, traced{sink: w.sink, source: w.source, span: span}
	}
	var hints trace.Origins
	w.mu.Lock()
	for _, t := range d.told {
		hints = append(hints, t.from)
	}
	w.mu.Unlock()
	span.Link(parent, hints)
	r := &record{Sink: w.sink, Source: w.source}
	return ctx, traced{r, r, span, r}
}

func (w *worker) begin(ctx context.Context, key sinks.Key) (context.Context, trace.Span) {
	ctx, span := trace.Start(ctx, "converge")
	span.Text("sink", w.name)
	span.Text("operation", key.Operation)
	span.Text("day", key.Day)
	return ctx, span
}

// held tells, in the trace of a hint, of the convergence that had done what it
// asks for before its turn came.
func (w *worker) held(ctx context.Context, key sinks.Key, by trace.Origin) {
	if !trace.From(ctx).IsValid() {
		return
	}
	_, span := w.begin(ctx, key)
	span.Link(trace.From(ctx), trace.Origins{by})
	span.Text("outcome", "held")
	span.End()
}

func (t traced) end(change sinks.Change, err error) {
	if t.span.On() {
		t.span.Number("conflicts", t.record.conflicts)
		count(t.span, change)
		switch {
		case err != nil:
			t.span.Text("outcome", "failed")
		case change == (sinks.Change{}):
			t.span.Text("outcome", "unchanged")
		default:
			t.span.Text("outcome", "changed")
		}
	}
	t.span.Close(err)
}

func count(span trace.Span, change sinks.Change) {
	span.Number("windows", change.Windows)
	span.Number("rows", change.Rows)
	span.Number("writes", change.Writes)
}

// record is a sink and its source, each step in a span of its own.
type record struct {
	sinks.Sink
	sinks.Source
	conflicts int
}

func (r *record) Load(ctx context.Context, key sinks.Key) (sinks.Held, error) {
	ctx, span := trace.Start(ctx, "load")
	held, err := r.Sink.Load(ctx, key)
	span.Close(err)
	return &recordHeld{held, r}, err
}

func (r *record) Day(ctx context.Context, key sinks.Key) (*sinks.Day, uint64, error) {
	ctx, span := trace.Start(ctx, "fold")
	day, seq, err := r.Source.Day(ctx, key)
	if err == nil {
		span.Number("windows", len(day.Windows))
		span.Number("sequence", int(seq))
	}
	span.Close(err)
	return day, seq, err
}

type recordHeld struct {
	held   sinks.Held
	record *record
}

func (h *recordHeld) Commit(ctx context.Context, day *sinks.Day) (sinks.Change, error) {
	ctx, span := trace.Start(ctx, "commit")
	change, err := h.held.Commit(ctx, day)
	count(span, change)
	failure := err
	if errors.Is(err, sinks.ErrConflict) {
		h.record.conflicts++
		span.Text("outcome", "conflict")
		failure = nil
	}
	span.Close(failure)
	return change, err
}
