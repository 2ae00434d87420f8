package extract

import (
	"context"
	"errors"

	"wolkpipe/pipeline/chat7"
	"wolkpipe/pipeline/journal"
	"wolkpipe/pipeline/lease"
	"wolkpipe/pipeline/trace"
	"wolkpipe/pipeline/window"
	"wolkpipe/schemas"
)

// traced begins the span of one step: asking for a range, and recording what
// was answered. An empty range is of what is asked without one.
func (p *Poller) traced(ctx context.Context, why string, r window.Range) (context.Context, trace.Span) {
	ctx, span := trace.Start(ctx, "extract")
	if span.On() {
		span.Text("operation", p.Operation)
		span.Text("for", why)
		if !r.Empty() {
			span.Text("day", r.From.Date().String())
			span.Text("range", r.String())
		}
	}
	return ctx, span
}

// why is what a job's steps are for.
func (j *job) why() string {
	if j.Cause == schemas.Repair {
		return "verify"
	}
	return string(j.Cause)
}

// entered ends the span of waiting for the token.
func entered(span trace.Span, permit *lease.Call, err error) {
	switch {
	case errors.As(err, new(*lease.OverQuotaError)):
		span.Text("outcome", "over_quota")
		err = nil
	case err == nil && permit.Moved:
		span.Text("outcome", "moved")
	case err == nil:
		span.Text("outcome", "entered")
	}
	span.Close(err)
}

// answered ends the span of a call.
func answered(span trace.Span, err error) {
	var failure *chat7.Error
	switch {
	case !span.On():
	case err == nil:
		span.Text("result", "ok")
	case errors.As(err, &failure):
		span.Text("result", string(failure.Kind))
		span.Status(failure.Status)
		span.Fail(string(failure.Kind))
		err = nil
	}
	span.Close(err)
}

// appending begins the span of appending a chunk, in the trace of the step
// that told of it last. It is linked to the others that the chunk rests on.
func (p *Poller) appending(ctx context.Context, c *journal.Chunk, from trace.Origins) (context.Context, trace.Span) {
	under := from.Under(ctx)
	ctx, span := trace.Start(under, "append")
	if span.On() {
		span.Link(trace.From(under), from)
		span.Text("operation", p.Operation)
		span.Text("day", c.Day.String())
		span.Number("windows", len(c.Windows))
	}
	return ctx, span
}

// appendedTo ends the span of an append.
func appendedTo(span trace.Span, seq uint64, err error) {
	switch {
	case err == nil:
		span.Text("outcome", "appended")
		span.Number("sequence", int(seq))
	case errors.Is(err, journal.ErrMoved):
		span.Text("outcome", "refused")
		err = nil
	}
	span.Close(err)
}
