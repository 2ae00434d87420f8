// Package status serves what an operator and a monitoring system look at over
// HTTP: a page, metrics, liveness and readiness. It changes nothing.
//
//	/         the status, as text
//	/metrics  Prometheus
//	/healthz  200 while the process advances, whatever the source, NATS or the bucket do
//	/readyz   200 when NATS is reached and the streams have been checked
//
//	/api/v1/coverage?operation=&from=&to=
//	          what is known of an operation's days, both included, as JSON; an
//	          error is {"error": "…"} with status 400, 404 or 503
package status

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Options of a server; all are needed.
type Options struct {
	Alive    func() error    // nil: the process advances
	Ready    func() error    // nil: it can do its work
	Page     func(io.Writer) // writes the status for a person
	Coverage Coverage
	Gatherer prometheus.Gatherer
	Log      *slog.Logger
}

// Coverage gives what is known of an operation's days, to be written as JSON.
// status is that of an answer with an error.
type Coverage func(ctx context.Context, operation, from, to string) (answer any, status int, err error)

// Handler answers the paths of the package.
func Handler(o Options) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(o.Gatherer, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", probe(o.Alive))
	mux.HandleFunc("GET /readyz", probe(o.Ready))
	mux.HandleFunc("GET /api/v1/coverage", coverage(o.Coverage))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		o.Page(w)
	})
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

// harden adds what every answer should say to a browser.
func harden(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// Server is a running server.
type Server struct {
	http *http.Server
	addr net.Addr
	done chan struct{}
}

// Listen starts serving on addr (host:port).
func Listen(ctx context.Context, addr string, o Options) (*Server, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("the status page cannot listen on %s: %w: set `status.listen` to a free address", addr, err)
	}
	s := &Server{
		http: &http.Server{
			Handler:           Handler(o),
			ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout:       10 * time.Second,
			WriteTimeout:      30 * time.Second,
			IdleTimeout:       time.Minute,
			MaxHeaderBytes:    16 << 10,
		},
		addr: l.Addr(),
		done: make(chan struct{}),
	}
	go func() {
		defer close(s.done)
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			o.Log.Error("the status page stopped", "error", err)
		}
	}()
	return s, nil
}

// URL is where the server is to be reached.
func (s *Server) URL() string { return "http://" + s.addr.String() }

// Close ends the server; answers under way get a second.
func (s *Server) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		_ = s.http.Close()
	}
	<-s.done
}
