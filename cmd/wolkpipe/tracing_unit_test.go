package main

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"wolkpipe/pipeline/trace"
)

// TestOwnSpans: what libraries would tell by themselves is not recorded, below
// our spans neither.
func TestOwnSpans(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	p := ownSpans{provider: sdk.NewTracerProvider(sdk.WithSpanProcessor(recorder))}
	ctx, ours := p.Tracer(trace.Scope).Start(t.Context(), "ours")
	inside, theirs := p.Tracer("gocloud.dev/blob").Start(ctx, "theirs")
	_, below := p.Tracer(trace.Scope).Start(inside, "below")
	below.End()
	theirs.End()
	ours.End()
	ended := recorder.Ended()
	if len(ended) != 2 || ended[0].Name() != "below" || ended[0].Parent().SpanID() != ours.SpanContext().SpanID() {
		t.Errorf("recorded are %v", ended)
	}
}

// TestCollectorClient: what OpenTelemetry's variables name is trusted, and
// what they name wrongly is told.
func TestCollectorClient(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	variables := func(name, value string) func(string) string {
		return func(asked string) string {
			if asked == name {
				return value
			}
			return ""
		}
	}
	client, err := collectorClient(variables("OTEL_EXPORTER_OTLP_CERTIFICATE", ca))
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	client.CloseIdleConnections()
	for _, wrong := range []string{ca + "x", os.Args[0]} {
		if _, err := collectorClient(variables("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", wrong)); err == nil {
			t.Errorf("%s passes for a CA", wrong)
		}
	}
}
