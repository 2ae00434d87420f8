// Package status serves what an operator and a monitoring system look at over
// HTTP: a page, metrics, liveness and readiness. It changes nothing.
//
//	/                                      all operations, sinks and backfills
//	/operations/NAME[?year=2026|?month=2026-11]   one operation and a calendar of its days
//	/operations/NAME/days/2026-11-26[?hour=13]    the windows of a day
//	/metrics   Prometheus
//	/healthz   200 while the process advances, whatever the source, NATS or the bucket do
//	/readyz    200 when NATS is reached and the streams have been checked
//
//	/api/v1/coverage?operation=&from=&to=
//	           what is known of an operation's days, both included, as JSON; an
//	           error is {"error": "…"} with status 400, 404 or 503
//
// The pages are made here, whole, of what [Options] give: they work without
// JavaScript, and with it bring themselves up to date. No agent is named on
// them. What is late, short or wrong is judged in glance.go and matters.go; what
// a day looks like, in calendar.go.
package status

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Options of a server; all are needed.
type Options struct {
	Alive    func() error // nil: the process advances
	Ready    func() error // nil: it can do its work
	Coverage Coverage
	Gatherer prometheus.Gatherer
	Log      *slog.Logger

	// What the pages show, from memory but for Day. Operation is given the days
	// wanted, both included. Their errors may be [ErrUnknown].
	Installation func(context.Context) Installation
	Operation    func(ctx context.Context, name, from, to string) (Operation, error)
	Day          func(ctx context.Context, operation, day string) (Content, error)

	now   func() time.Time // for tests; nil: the clock
	every time.Duration    // likewise, between updates of a page; 0: updateEvery
}

// Coverage gives what is known of an operation's days, to be written as JSON.
// status is that of an answer with an error.
type Coverage func(ctx context.Context, operation, from, to string) (answer any, status int, err error)

// Handler answers the paths of the package.
func Handler(o Options) http.Handler {
	p := &pages{o}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(o.Gatherer, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", probe(o.Alive))
	mux.HandleFunc("GET /readyz", probe(o.Ready))
	mux.HandleFunc("GET /api/v1/coverage", coverage(o.Coverage))
	mux.HandleFunc("GET /{$}", p.overview)
	mux.HandleFunc("GET /operations/{name}", p.operation)
	mux.HandleFunc("GET /operations/{name}/days/{day}", p.day)
	nowhere := func(w http.ResponseWriter, r *http.Request) {
		p.missing(w, r, "No such page", crumb{"All operations", "/"})
	}
	mux.HandleFunc("GET /static/{file}", func(w http.ResponseWriter, r *http.Request) {
		if !static(w, r) {
			nowhere(w, r)
		}
	})
	mux.HandleFunc("GET /", nowhere)
	return harden(mux)
}

func probe(check func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if err := check(); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = fmt.Fprintln(w, err)
			return
		}
		_, _ = fmt.Fprintln(w, "ok")
	}
}

// askTime bounds what an answer takes to be put together.
const askTime = 20 * time.Second

func coverage(ask Coverage) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), askTime)
		defer cancel()
		q := r.URL.Query()
		answer, status, err := ask(ctx, q.Get("operation"), q.Get("from"), q.Get("to"))
		w.Header().Set("Content-Type", "application/json")
		if err != nil {
			w.WriteHeader(status)
			answer = struct {
				Error string `json:"error"`
			}{err.Error()}
		}
		_ = json.NewEncoder(w).Encode(answer) // whoever asked may be gone
	}
}
