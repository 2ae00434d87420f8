package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Server is an embedded NATS server that is running.
type Server struct {
	dir    string
	secret string
	log    *slog.Logger
	lock   *folderLock
	gate   *nats.Conn // nil unless connections without credentials are let in
	url    string
	failed chan error // streams that cannot be written; see tend
	ended  func()     // ends tending, and waits for that; nil: it was not begun

	mu      sync.Mutex
	nats    *server.Server // nil while it is started again
	trouble error          // why streams cannot be written; nil: they can
}

// Start takes the data folder, starts the server and waits until it is ready
// or ctx ends. Recovering streams takes time with their size.
//
// It gives an [*InUseError] when another process goes on holding the folder, and an
// [*AddressError] when it cannot listen where it is told to.
func Start(ctx context.Context, o Options) (_ *Server, err error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("starting the embedded NATS server: %w", err)
	}
	if o.Dir == "" {
		return nil, errors.New("the embedded NATS server has no data folder: set `data`")
	}
	for _, dir := range []string{o.Dir, filepath.Join(o.Dir, server.JetStreamStoreDir)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("making data folder %s: %w%s", dir, err, storeHint(err))
		}
	}
	s := &Server{dir: o.Dir, log: o.Logger, failed: make(chan error, 1)}
	if s.lock, err = takeLock(ctx, o.Dir, o.Now()); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	// Left by a process that was killed: whoever listens there now is not to
	// be given the owner's secret.
	if err := os.Remove(urlPath(o.Dir)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("removing the address of an earlier server: %w", err)
	}
	if err := mendHalfMade(o.Dir, o.Logger); err != nil {
		return nil, err
	}
	if err := s.tryHandles(); err != nil {
		return nil, &StoreError{o.Dir, err}
	}
	if s.secret, err = ownSecret(o.Dir); err != nil {
		return nil, err
	}
	opts, err := serverOptions(&o, s.secret)
	if err != nil {
		return nil, err
	}
	if err := tryListen(ctx, opts); err != nil {
		return nil, err
	}
	if err := s.start(ctx, opts); err != nil {
		return nil, err
	}
	if o.Anonymous {
		if s.gate, err = s.Connect("wolkpipe gate"); err != nil {
			return nil, err
		}
		if err := openGate(s.gate); err != nil {
			return nil, err
		}
	}
	if !opts.DontListen {
		s.url = clientURL(s.nats, opts)
		if err := writeFile(urlPath(o.Dir), s.url+"\n"); err != nil {
			return nil, fmt.Errorf("writing the server's address: %w%s", err, storeHint(err))
		}
	}
	s.tended(&o)
	return s, nil
}

// tended begins tending the server, as it was started by o.
func (s *Server) tended(o *Options) {
	address, _ := s.nats.Addr().(*net.TCPAddr) // nil without a listener
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	s.ended = func() {
		cancel()
		<-done
	}
	go func() {
		defer close(done)
		s.tend(ctx, func() (*server.Options, error) {
			opts, err := serverOptions(o, s.secret)
			if err == nil && address != nil {
				opts.Port = address.Port // clients come back to where they found it
			}
			return opts, err
		})
	}()
}

// start runs the server and waits for it to be ready.
func (s *Server) start(ctx context.Context, opts *server.Options) error {
	ns, err := server.NewServer(opts)
	if err != nil {
		return fmt.Errorf("configuring the embedded NATS server: %w", err)
	}
	log := newServerLog(s.log, s.failed)
	ns.SetLoggerV2(log, false, false, false)
	s.mu.Lock()
	s.nats = ns
	s.mu.Unlock()
	go ns.Start()
	for {
		// What the server calls fatal ends its start, not the process.
		if ns.ReadyForConnections(100 * time.Millisecond) {
			if !ns.JetStreamEnabled() {
				return fmt.Errorf("starting the embedded NATS server: JetStream is not enabled in %s", s.dir)
			}
			return nil
		}
		select {
		case text := <-log.fatal:
			err := causeOf(text)
			return fmt.Errorf("starting the embedded NATS server in %s: %w%s", s.dir, err, storeHint(err))
		case <-ctx.Done():
			return fmt.Errorf("starting the embedded NATS server in %s: %w", s.dir, context.Cause(ctx))
		default:
		}
	}
}

// AddressError means that the server cannot listen on an address.
type AddressError struct {
	Listen string // host:port
	Err    error
}

func (e *AddressError) Error() string {
	return fmt.Sprintf("the embedded NATS server cannot listen on %s: %v: "+
		"stop what listens there, or set nats.listen to another address", e.Listen, e.Err)
}

// Unwrap gives the system's error.
func (e *AddressError) Unwrap() error { return e.Err }

// tryListen finds out whether the address can be had, before streams are
// recovered and with an error of the system's own: the server only logs it.
func tryListen(ctx context.Context, opts *server.Options) error {
	if opts.DontListen {
		return nil
	}
	address := net.JoinHostPort(opts.Host, fmt.Sprint(max(opts.Port, 0)))
	var c net.ListenConfig
	l, err := c.Listen(ctx, "tcp", address)
	if err != nil {
		return &AddressError{address, err}
	}
	return l.Close()
}

// clientURL is where a client on this machine reaches the server.
func clientURL(ns *server.Server, opts *server.Options) string {
	u := url.URL{Scheme: "nats", Host: ns.Addr().String()}
	if opts.TLSConfig != nil {
		u.Scheme = "tls"
	}
	if ip := net.ParseIP(opts.Host); ip != nil && ip.IsUnspecified() {
		_, port, _ := net.SplitHostPort(u.Host) // of a listener: always host:port
		u.Host = net.JoinHostPort("127.0.0.1", port)
	}
	return u.String()
}

func urlPath(dir string) string { return filepath.Join(dir, "nats.url") }

// URL is where clients on this machine reach the server: nats://host:port, or
// tls://. Empty when it has no listener.
func (s *Server) URL() string { return s.url }

// Connect opens a connection within this process, as the owner of everything.
// It reconnects without end; the caller closes it.
func (s *Server) Connect(name string) (*nats.Conn, error) {
	nc, err := nats.Connect("", append(connOptions(name, s.log),
		nats.InProcessServer(s), nats.UserInfo(owner, s.secret))...)
	if err != nil {
		return nil, fmt.Errorf("connecting to the embedded NATS server: %w", err)
	}
	return nc, nil
}

// Close stops the server, waits until its streams are closed, and lets go of
// the data folder. Connections to it end; close them first.
func (s *Server) Close() {
	if s.ended != nil {
		s.ended()
	}
	if s.gate != nil {
		s.gate.Close()
	}
	s.stop()
	if s.url != "" {
		_ = os.Remove(urlPath(s.dir)) // who finds it left over sees that the lock is free
	}
	if err := s.lock.release(); err != nil {
		s.log.Warn("letting go of the data folder", "dir", s.dir, "error", err)
	}
}
