package broker

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// TestDialShowsNoSecret dials where nobody listens: the error leads to the
// place, and to nothing that lets one in.
func TestDialShowsNoSecret(t *testing.T) {
	for list, want := range map[string]string{
		"nats://ana:s3cret@127.0.0.1:1":                            "nats://ana:xxxxx@127.0.0.1:1: ",
		"nats://s3cret@127.0.0.1:1":                                "nats://xxxxx@127.0.0.1:1: ",
		"nats://127.0.0.1:1, tls://ana:s3cret@127.0.0.1:2":         "nats://127.0.0.1:1,tls://ana:xxxxx@127.0.0.1:2: ",
		"nats://127.0.0.1:1,nats://ana:s3cret%zz@127.0.0.1:2":      "nats://127.0.0.1:1,(unreadable): ",
		"nats://ana:s3cret/more@127.0.0.1:1,nats://b@127.0.0.1:99": "(unreadable),nats://xxxxx@127.0.0.1:99: ",
		"nats://ana:12/s3cret@127.0.0.1:1":                         "(unreadable): ",
		"ana:s3cret@127.0.0.1:1":                                   "(unreadable): ",
	} {
		nc, err := Dial(RemoteOptions{URL: list, Logger: quiet})
		if err == nil {
			nc.Close()
			t.Fatalf("%s: connected", list)
		}
		if strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), "nats.url "+want) {
			t.Errorf("%s: %v", list, err)
		}
	}
}

// TestRefusedLoginIsTriedAgain has a server refuse a connection's login several
// times and then take it again.
func TestRefusedLoginIsTriedAgain(t *testing.T) {
	opts := &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, Username: "ana", Password: "before", NoLog: true, NoSigs: true}
	ns, err := server.NewServer(opts.Clone())
	if err != nil {
		t.Fatal(err)
	}
	go ns.Start()
	t.Cleanup(ns.Shutdown)
	if !ns.ReadyForConnections(20 * time.Second) {
		t.Fatal("the server does not start")
	}
	password := func(text string) {
		t.Helper()
		o := opts.Clone()
		o.Password = text
		if err := ns.ReloadOptions(o); err != nil {
			t.Fatal(err)
		}
	}
	refused, again, closed := make(chan error, 100), make(chan struct{}, 1), make(chan struct{}, 1)
	nc, err := nats.Connect(ns.ClientURL(), append(connOptions("test", quiet), nats.UserInfo("ana", "before"),
		nats.ReconnectWait(time.Millisecond), nats.ReconnectJitter(0, 0),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if errors.Is(err, nats.ErrAuthorization) {
				refused <- err
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) { again <- struct{}{} }),
		nats.ClosedHandler(func(*nats.Conn) { closed <- struct{}{} }),
	)...)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	wait := within(t)
	password("after")
	for n := range 3 {
		select {
		case err := <-refused:
			t.Log(err)
		case <-closed:
			t.Fatalf("closed for good after %d refusals", n)
		case <-wait.Done():
			t.Fatalf("%d refusals", n)
		}
	}
	password("before")
	select {
	case <-again:
	case <-wait.Done():
		t.Fatal("not connected again")
	}
}

// TestUnwantedEndIsTold closes a connection, which is no news, and sends what
// makes the server break with another.
func TestUnwantedEndIsTold(t *testing.T) {
	s := begin(t, Options{Listen: "127.0.0.1:0"})
	var text lockedBuffer
	s.log = slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelError}))
	nc, err := s.Connect("test")
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
	told := make(chan struct{})
	nc, err = nats.Connect(s.URL(), append(connOptions("test", s.log), nats.UserInfo(owner, s.secret))...)
	if err != nil {
		t.Fatal(err)
	}
	handler := nc.ClosedHandler()
	nc.SetClosedHandler(func(nc *nats.Conn) { handler(nc); close(told) })
	if err := nc.Publish(strings.Repeat("long", 1_200), nil); err != nil {
		t.Fatal(err)
	}
	select {
	case <-told:
	case <-within(t).Done():
		t.Fatal("the connection stays open")
	}
	if n := strings.Count(text.String(), "closed for good"); n != 1 { // the first end was wanted
		t.Errorf("told %d times: %q", n, text.String())
	}
}

// lockedBuffer takes a log from several goroutines.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(data)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
