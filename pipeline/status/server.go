package status

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

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
	host, _, _ := net.SplitHostPort(addr) // it listens, so it is one
	s := &Server{
		http: &http.Server{
			Handler:           local(l.Addr(), host, Handler(o)),
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
