package pubsub_test

import (
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// shared is the server of all tests that do not stop theirs.
var shared *server.Server

func TestMain(m *testing.M) {
	slog.SetLogLoggerLevel(slog.LevelError)
	dir, err := os.MkdirTemp("", "pubsub")
	if err != nil {
		panic(err)
	}
	shared, err = startServer(dir, server.RANDOM_PORT)
	if err != nil {
		panic(err)
	}
	code := m.Run()
	shared.Shutdown()
	shared.WaitForShutdown()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

func startServer(dir string, port int) (*server.Server, error) {
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: dir, NoSigs: true, NoLog: true,
	})
	if err != nil {
		return nil, err
	}
	go s.Start()
	if !s.ReadyForConnections(30 * time.Second) {
		return nil, nats.ErrTimeout
	}
	return s, nil
}

// connect gives a JetStream context on a connection of the test's own.
func connect(t testing.TB, s *server.Server) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(s.ClientURL(), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
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

// makeStream makes a stream of the given name that takes name and name.>.
func makeStream(t testing.TB, js jetstream.JetStream, name string) jetstream.Stream {
	t.Helper()
	stream, err := js.CreateStream(t.Context(), provision(name))
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

func provision(name string) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: name, Subjects: []string{name, name + ".>"}, Storage: jetstream.FileStorage,
		AllowAtomicPublish: true, AllowRollup: true, AllowMsgTTL: true, AllowDirect: true,
	}
}
