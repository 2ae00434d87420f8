package broker

import (
	"errors"
	"log/slog"
	"syscall"
	"testing"
)

// TestWhoSaysUnwritable: a client that calls itself by what the server says of
// its disk must not make the server start again.
func TestWhoSaysUnwritable(t *testing.T) {
	said := make(chan error, 1)
	l := newServerLog(slog.New(slog.DiscardHandler), said)
	l.Errorf("%s - %s", "127.0.0.1:1 - cid:7", `authentication error - User "JetStream critical write error"`)
	l.Errorf("Slow consumer %s", "JetStream stream critical write error")
	select {
	case err := <-said:
		t.Errorf("a client's words count: %v", err)
	default:
	}
	l.Errorf("JetStream stream '%s > %s' critical write error: %v", "A", "CHAT7_JOURNAL", syscall.ENOSPC)
	select {
	case err := <-said:
		if !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("the cause is %v", err)
		}
	default:
		t.Error("the server's words do not count")
	}
}
