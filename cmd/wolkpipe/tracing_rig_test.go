package main

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	collected "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collector takes spans as an OpenTelemetry collector does.
type collector struct {
	url string

	mu       sync.Mutex
	raw      [][]byte
	requests []*http.Request
	spans    []*seenSpan
	byID     map[string]*seenSpan
	resource map[string]string // of the last request
}

// seenSpan is a span as it was sent.
type seenSpan struct {
	*otlp.Span
	scope string
	said  map[string]string
}

func (s *seenSpan) trace() string  { return hex.EncodeToString(s.TraceId) }
func (s *seenSpan) id() string     { return hex.EncodeToString(s.SpanId) }
func (s *seenSpan) parent() string { return hex.EncodeToString(s.ParentSpanId) }

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{byID: map[string]*seenSpan{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var told collected.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &told)
		}
		if err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
			t.Errorf("%s %s: %v", r.Method, r.URL, err)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		c.take(r, body, told.ResourceSpans)
	}))
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

func (c *collector) take(r *http.Request, body []byte, all []*otlp.ResourceSpans) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raw, c.requests = append(c.raw, body), append(c.requests, r)
	for _, resource := range all {
		c.resource = words(resource.Resource.Attributes)
		for _, scope := range resource.ScopeSpans {
			for _, s := range scope.Spans {
				span := &seenSpan{s, scope.Scope.Name, words(s.Attributes)}
				c.spans = append(c.spans, span)
				c.byID[span.id()] = span
			}
		}
	}
}

func words(attributes []*common.KeyValue) map[string]string {
	all := map[string]string{}
	for _, a := range attributes {
		switch v := a.Value.Value.(type) {
		case *common.AnyValue_StringValue:
			all[a.Key] = v.StringValue
		default:
			all[a.Key] = strings.TrimSpace(strings.TrimPrefix(a.Value.String(), "int_value:"))
		}
	}
	return all
}

// named are the spans of a name.
func (c *collector) named(name string) []*seenSpan {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(c.spans), func(s *seenSpan) bool { return s.Name != name })
}

// within are the spans directly below another, by name.
func (c *collector) within(parent *seenSpan) map[string][]*seenSpan {
	c.mu.Lock()
	defer c.mu.Unlock()
	below := map[string][]*seenSpan{}
	for _, s := range c.spans {
		if s.parent() == parent.id() {
			below[s.Name] = append(below[s.Name], s)
		}
	}
	return below
}
