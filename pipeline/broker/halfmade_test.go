package broker

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/schemas"
)

// TestHalfMade: a stream and a consumer whose making was cut off, but which
// have worked since, are whole after a start, and are there after the next one.
func TestHalfMade(t *testing.T) {
	dir := t.TempDir()
	run := func(f func(jetstream.JetStream)) {
		t.Helper()
		s, err := Start(t.Context(), Options{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		nc, err := s.Connect("test")
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		js, err := jetstream.New(nc)
		if err != nil {
			t.Fatal(err)
		}
		f(js)
	}
	made := func(js jetstream.JetStream) {
		t.Helper()
		if err := EnsureStreams(t.Context(), js, Streams{}); err != nil {
			t.Fatal(err)
		}
		if _, err := js.CreateOrUpdateConsumer(t.Context(), schemas.JournalStream, jetstream.ConsumerConfig{Durable: "sink_test"}); err != nil {
			t.Fatal(err)
		}
	}
	run(func(js jetstream.JetStream) {
		made(js)
		for _, subject := range []string{"chat7.events.ventas.day.20261101", "chat7.journal.ventas.20261101"} {
			if _, err := js.Publish(t.Context(), subject, []byte("{}")); err != nil {
				t.Fatal(err)
			}
		}
	})
	streams := filepath.Join(dir, "jetstream", ownerAccount, "streams")
	for _, name := range []string{schemas.EventsStream, filepath.Join(schemas.JournalStream, "obs", "sink_test")} {
		if err := os.Remove(filepath.Join(streams, name, "meta.sum")); err != nil {
			t.Fatal(err)
		}
	}
	run(made)
	run(func(js jetstream.JetStream) {
		for _, name := range []string{schemas.EventsStream, schemas.JournalStream} {
			stream, err := js.Stream(t.Context(), name)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if n := stream.CachedInfo().State.Msgs; n != 1 {
				t.Errorf("%s holds %d messages, want 1", name, n)
			}
		}
		if _, err := js.Consumer(t.Context(), schemas.JournalStream, "sink_test"); err != nil {
			t.Error(err)
		}
	})
}
