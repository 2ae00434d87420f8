package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	api "go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"wolkpipe/pipeline/trace"
)

// flushLimit is how long a process that ends waits for the collector.
const flushLimit = 3 * time.Second

// trace has spans sent to the collector that is configured; without one
// nothing is made. Nothing that is wrong with the collector is an error: spans
// wait in a queue of bounded length, and are dropped.
func (in *installation) trace(ctx context.Context, owner string) {
	endpoint, err := in.config.Traces.Collector(os.LookupEnv)
	if err != nil {
		in.log.Warn("no traces are sent", "error", err)
		return
	}
	if endpoint == "" {
		return
	}
	// The library's own log would show the variables that it cannot read.
	otel.SetLogger(logr.Discard())
	otel.SetErrorHandler(&untraced{log: in.log, secrets: headerSecrets(os.Getenv)})
	var exporter sdk.SpanExporter
	client, err := collectorClient(os.Getenv)
	if err == nil {
		exporter, err = otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(endpoint), otlptracehttp.WithHTTPClient(client))
	}
	if err != nil {
		in.log.Warn("no traces are sent", "error", err)
		return
	}
	// What is partly wrong with the variables leaves the rest.
	about, _ := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(
		attribute.String("service.name", "wolkpipe"),
		attribute.String("service.version", version()),
		attribute.String("service.instance.id", owner),
	), resource.WithFromEnv())
	provider := sdk.NewTracerProvider(
		sdk.WithBatcher(exporter), sdk.WithResource(about),
		sdk.WithSampler(sdk.ParentBased(sdk.TraceIDRatioBased(in.config.Traces.Sample))),
	)
	otel.SetTracerProvider(ownSpans{provider: provider})
	in.log.Info("traces are sent", "endpoint", endpoint, "sample", in.config.Traces.Sample)
	in.closers = append(in.closers, func() {
		ctx, cancel := context.WithTimeout(context.Background(), flushLimit)
		defer cancel()
		if err := provider.Shutdown(ctx); err != nil {
			otel.Handle(err)
		}
	})
}

// ownSpans lets nobody but wolkpipe make spans: those of the libraries that it
// links tell of addresses, with what stands in their queries.
type ownSpans struct {
	noop.TracerProvider
	provider *sdk.TracerProvider
}

func (p ownSpans) Tracer(name string, o ...api.TracerOption) api.Tracer {
	if name != trace.Scope {
		return p.TracerProvider.Tracer(name, o...)
	}
	return p.provider.Tracer(name, o...)
}

// untracedEvery is how often it is told, at most, that spans are lost.
const untracedEvery = 10 * time.Minute

// untraced tells the log that the collector does not take spans.
type untraced struct {
	log     *slog.Logger
	secrets []string

	mu     sync.Mutex
	told   time.Time
	untold int // failures since
}

// Handle implements otel.ErrorHandler.
func (u *untraced) Handle(err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.told.IsZero() && time.Since(u.told) < untracedEvery {
		u.untold++
		return
	}
	u.log.Warn("the collector does not take traces; they are dropped, and nothing else suffers", "error", u.clean(err), "failures_untold", u.untold)
	u.told, u.untold = time.Now(), 0
}

// clean takes out of an error what the collector said, which may be what it was sent.
func (u *untraced) clean(err error) string {
	const longest = 200
	if of, ok := errors.AsType[*url.Error](err); ok {
		err = of.Err // the address is told once, at the start
	}
	text, _, _ := strings.Cut(err.Error(), "body: ")
	for _, secret := range u.secrets {
		text = strings.ReplaceAll(text, secret, "[header]")
	}
	text = strings.TrimRight(strings.Join(strings.Fields(text), " "), " (:")
	return strings.ToValidUTF8(text[:min(len(text), longest)], "")
}

// headerSecrets are the values of the headers that OpenTelemetry's variables give.
func headerSecrets(env func(string) string) (all []string) {
	for _, name := range []string{"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"} {
		for header := range strings.SplitSeq(env(name), ",") {
			_, written, found := strings.Cut(header, "=")
			if !found {
				written = header
			}
			written = strings.TrimSpace(written)
			meant, _ := url.PathUnescape(written)
			all = append(all, written)
			all = append(all, strings.Fields(cmp.Or(meant, written))...) // "Bearer" and a token
		}
	}
	return slices.DeleteFunc(all, func(secret string) bool { return len(secret) < 4 })
}

// collectorClient makes the client of the collector. It follows no redirect:
// the headers with their secrets would go along. It trusts what OpenTelemetry's
// variables name.
func collectorClient(env func(string) string) (*http.Client, error) {
	file := func(what string) string {
		return cmp.Or(env("OTEL_EXPORTER_OTLP_TRACES_"+what), env("OTEL_EXPORTER_OTLP_"+what))
	}
	trust := &tls.Config{}
	if name := file("CERTIFICATE"); name != "" {
		pem, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("reading the collector's CA: %w", err)
		}
		if trust.RootCAs = x509.NewCertPool(); !trust.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s, the collector's CA, holds no certificate", name)
		}
	}
	if cert, key := file("CLIENT_CERTIFICATE"), file("CLIENT_KEY"); cert != "" && key != "" {
		own, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("reading the certificate for the collector: %w", err)
		}
		trust.Certificates = []tls.Certificate{own}
	}
	return &http.Client{
		Timeout:       10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: trust, ForceAttemptHTTP2: true,
			TLSHandshakeTimeout: 10 * time.Second, IdleConnTimeout: 90 * time.Second,
		},
	}, nil
}
