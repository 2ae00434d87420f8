package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// A stream whose file could not be written takes nothing more until it is
// opened anew, whatever becomes of the disk. So the server is started again, by
// this process, once the folder can be written: its clients connect again as
// they do to a server elsewhere, and what was acknowledged is on the disk.

// StoreError means that the embedded server's streams cannot be written.
type StoreError struct {
	Dir string
	Err error
}

func (e *StoreError) Error() string {
	return fmt.Sprintf("the streams in data folder %s cannot be written: %v%s", e.Dir, e.Err, storeHint(e.Err))
}

// Unwrap gives what the system or the server says.
func (e *StoreError) Unwrap() error { return e.Err }

// storeHint says what to do about a folder that cannot be written.
func storeHint(err error) string {
	for _, h := range []struct {
		cause error
		hint  string
	}{
		{syscall.ENOSPC, "make room on its disk"},
		{syscall.EDQUOT, "raise the quota of its disk"},
		{syscall.EROFS, "mount its disk writable"},
		{syscall.EMFILE, "raise the limit of open files (ulimit -n, LimitNOFILE)"},
		{syscall.ENFILE, "raise the machine's limit of open files (fs.file-max)"},
		{syscall.EIO, "look for a failing disk in the kernel's log"},
		{syscall.EACCES, "let the user that runs wolkpipe write there"},
	} {
		if errors.Is(err, h.cause) {
			return ": " + h.hint
		}
	}
	return ""
}

// storeError is the system's error that a text of the server ends with, so
// that its mend can be told; the server's errors come as texts.
type storeError struct {
	text  string
	cause error // nil: not known
}

func (e *storeError) Error() string { return e.text }
func (e *storeError) Unwrap() error { return e.cause }

const (
	tendEvery  = 2 * time.Second        // between looks at the server
	firstPause = 500 * time.Millisecond // before a folder that cannot be written is tried again
	lastPause  = 10 * time.Second
	steadyTime = time.Minute // after which a server that was started again counts as mended
	trialBytes = 1 << 20     // room that there must be before streams are opened anew

	spareHandles = 64 // of files, for the streams and the connections that are made first
)

// Err is nil, or a [*StoreError] while the streams cannot be written. Then
// nothing is recorded; it is tried again by itself.
func (s *Server) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.trouble == nil {
		return nil
	}
	return &StoreError{s.dir, s.trouble}
}

func (s *Server) suffer(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trouble = err
}

// InProcessConn gives a connection to the server as it now runs.
func (s *Server) InProcessConn() (net.Conn, error) {
	ns := s.running()
	if ns == nil {
		return nil, errors.New("the embedded NATS server is being started again")
	}
	return ns.InProcessConn()
}

func (s *Server) running() *server.Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.nats
}

// tend starts the server again after its streams could not be written, until
// ctx ends. options makes its options anew.
func (s *Server) tend(ctx context.Context, options func() (*server.Options, error)) {
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	pause, last := firstPause, time.Time{}
	for {
		var why error
		select {
		case <-ctx.Done():
			return
		case why = <-s.failed:
		case <-tick.C:
			if s.running().JetStreamEnabled() {
				continue
			}
			why = errors.New("the server has disabled JetStream")
		}
		s.suffer(why)
		s.log.Error("nothing is recorded until this is mended; it is tried again by itself", "error", s.Err())
		begin := time.Now()
		if begin.Sub(last) > steadyTime {
			pause = firstPause
		} else if !wait(ctx, pause) { // it failed again at once: this disk takes a little, not enough
			return
		}
		for ; ; pause = min(2*pause, lastPause) {
			err := errors.Join(s.tryHandles(), s.tryDisk())
			if err == nil {
				err = s.again(ctx, options)
			}
			if err == nil {
				break
			}
			s.suffer(err)
			if !wait(ctx, pause) {
				return
			}
		}
		s.suffer(nil)
		last, pause = time.Now(), min(2*pause, lastPause)
		s.log.Info("the embedded NATS server is started again, and its streams can be written", "after", time.Since(begin).Round(time.Millisecond))
	}
}

// wait returns after d, or false as soon as ctx has ended.
func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// tryDisk writes a file beside the streams.
func (s *Server) tryDisk() error {
	path := filepath.Join(s.dir, server.JetStreamStoreDir, ".trial")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, trialBytes))
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close(), os.Remove(path))
}

// tryHandles opens as many files as there must be handles to spare: of one that
// it lacks the server does not say what it lacked.
func (s *Server) tryHandles() (err error) {
	open := make([]*os.File, 0, spareHandles)
	for len(open) < spareHandles && err == nil {
		var f *os.File
		if f, err = os.Open(s.dir); err == nil {
			open = append(open, f)
		}
	}
	for _, f := range open {
		_ = f.Close()
	}
	return err
}

// again stops the server and starts another one in its place.
func (s *Server) again(ctx context.Context, options func() (*server.Options, error)) error {
	opts, err := options()
	if err != nil {
		return err
	}
	s.stop()
	select { // what failed the server that was stopped is no news
	case old := <-s.failed:
		s.log.Debug("the server is started again", "error", old)
	default:
	}
	if err := mendHalfMade(s.dir, s.log); err != nil {
		return err
	}
	return s.start(ctx, opts)
}

// stop stops the server that runs, if one does.
func (s *Server) stop() {
	s.mu.Lock()
	ns := s.nats
	s.nats = nil
	s.mu.Unlock()
	if ns != nil {
		ns.Shutdown()
		ns.WaitForShutdown()
	}
}
