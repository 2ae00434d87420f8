// Package trace owns how wolkpipe tells of its work in OpenTelemetry spans:
// their names, their attributes, and how one leads on to the next over the
// journal. It uses the API alone, with the global provider: where the program
// has set none, nothing is recorded, sent or written into messages.
//
//	extract                      one step of extraction
//	├─ lease                     waiting for the token
//	├─ call                      of the source
//	└─ append                    to the journal, whose message carries on
//	   └─ converge               one for each sink
//	      ├─ load, fold, commit
//
// A span holds counts, times, names of operations, days and sinks, and words
// of few. Agents, activity codes, tokens, addresses and the texts of errors,
// which may hold any of them, never go into one: the log tells those.
package trace

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	api "go.opentelemetry.io/otel/trace"
)

// Scope is the instrumentation scope of all spans of wolkpipe.
const Scope = "wolkpipe"

var tracer = otel.Tracer(Scope)

// Start begins a span below the one that ctx holds, if any.
func Start(ctx context.Context, name string) (context.Context, Span) {
	ctx, s := tracer.Start(ctx, name)
	return ctx, Span{s}
}

// StartCall is Start for a request to somebody else's server.
func StartCall(ctx context.Context, name string) (context.Context, Span) {
	ctx, s := tracer.Start(ctx, name, client...)
	return ctx, Span{s}
}

var client = []api.SpanStartOption{api.WithSpanKind(api.SpanKindClient)}

// Current is the span that ctx holds.
func Current(ctx context.Context) Span { return Span{api.SpanFromContext(ctx)} }

// Span is a piece of work under way. Its methods cost next to nothing where
// it is not recorded.
type Span struct{ span api.Span }

// On reports whether the span is recorded: else nothing need be said of it.
func (s Span) On() bool { return s.span.IsRecording() }

// End ends the span, unless it has been ended.
func (s Span) End() { s.span.End() }

// Fail marks the span as failed. The kind is one of few words.
func (s Span) Fail(kind string) {
	s.span.SetStatus(codes.Error, kind)
	s.span.SetAttributes(attribute.String("error.type", kind))
}

// Close ends the span, as failed after an error.
func (s Span) Close(err error) {
	if err != nil && s.On() {
		s.Fail(kindOf(err))
	}
	s.End()
}

// kindOf is what is told of an error that its package has no word for.
func kindOf(err error) string {
	switch {
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	}
	return "failed"
}

// Text and Number set an attribute of wolkpipe's own.
func (s Span) Text(name, value string) {
	if s.On() {
		s.span.SetAttributes(attribute.String("wolkpipe."+name, value))
	}
}

// Number is Text for a count.
func (s Span) Number(name string, n int) {
	if s.On() {
		s.span.SetAttributes(attribute.Int("wolkpipe."+name, n))
	}
}

// Status sets the status of an HTTP answer; 0 is none.
func (s Span) Status(code int) {
	if code != 0 && s.On() {
		s.span.SetAttributes(attribute.Int("http.response.status_code", code))
	}
}

// Origin is a span that something rests on.
type Origin = api.SpanContext

// From is the span that ctx holds; not valid where it is in no trace.
func From(ctx context.Context) Origin { return api.SpanContextFromContext(ctx) }

// Origins are spans that something rests on, the latest last.
type Origins []Origin

// And gives o with the span of ctx, where it is in a trace.
func (o Origins) And(ctx context.Context) Origins {
	s := From(ctx)
	if !s.IsValid() || len(o) > 0 && o[len(o)-1].Equal(s) {
		return o
	}
	return append(o, s)
}

// Under gives ctx with the latest of the origins in place of its span: what is
// begun in it goes on with that one's trace.
func (o Origins) Under(ctx context.Context) context.Context {
	if len(o) == 0 {
		return ctx
	}
	return api.ContextWithSpanContext(ctx, o[len(o)-1])
}

// maxLinks bounds the links of a span: the latest are kept.
const maxLinks = 100

// Link links the span to origins, but for its parent.
func (s Span) Link(parent Origin, origins Origins) {
	if !s.On() {
		return
	}
	for _, o := range origins[max(0, len(origins)-maxLinks):] {
		if o.SpanID() != parent.SpanID() {
			s.span.AddLink(api.Link{SpanContext: o})
		}
	}
}

// Inject writes where ctx's span stands into the headers of a message, as W3C
// Trace Context says; nothing where it is in no trace.
func Inject(ctx context.Context, header map[string][]string) {
	if From(ctx).IsValid() {
		propagation.TraceContext{}.Inject(ctx, carrier(header))
	}
}

// Extract gives ctx with the span that a message's headers name, if they do.
func Extract(ctx context.Context, header map[string]string) context.Context {
	if header["traceparent"] == "" {
		return ctx
	}
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier(header))
}

// carrier writes headers as NATS takes them: their case counts.
type carrier map[string][]string

func (c carrier) Get(key string) string {
	if len(c[key]) == 0 {
		return ""
	}
	return c[key][0]
}

func (c carrier) Set(key, value string) { c[key] = []string{value} }

func (c carrier) Keys() (keys []string) {
	for key := range c {
		keys = append(keys, key)
	}
	return keys
}
