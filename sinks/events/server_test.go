package events

import (
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/schemas"
)

// startServer starts a server that keeps its files in dir.
func startServer(t testing.TB, dir string) *server.Server {
	t.Helper()
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: dir, SyncAlways: true,
		NoLog: true, NoSigs: true, MaxPayload: 8 << 20,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server is not ready")
	}
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	return s
}

// connect opens a connection of its own.
func connect(t testing.TB, url string) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// streamConfig is how the pipeline makes the stream.
func streamConfig() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: schemas.EventsStream, Subjects: []string{schemas.EventsSubjects}, Storage: jetstream.FileStorage,
		Duplicates: 100 * time.Millisecond, AllowAtomicPublish: true, AllowMsgTTL: true, AllowDirect: true,
	}
}

// newStream starts a server with an empty stream.
func newStream(t testing.TB) (url string, js jetstream.JetStream) {
	t.Helper()
	url = startServer(t, t.TempDir()).ClientURL()
	js = connect(t, url)
	if _, err := js.CreateStream(t.Context(), streamConfig()); err != nil {
		t.Fatal(err)
	}
	return url, js
}

// openSink opens a sink on a connection of its own.
func openSink(t testing.TB, url string) *Sink {
	t.Helper()
	s, err := Open(t.Context(), Options{JetStream: connect(t, url)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
