// Package brokertest starts the embedded server for tests.
package brokertest

import (
	"log/slog"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/pipeline/broker"
)

// JetStream starts a server on a folder of the test's own, which nobody else
// reaches, and gives JetStream on a connection to it. All ends with the test.
func JetStream(t testing.TB) jetstream.JetStream {
	t.Helper()
	server, err := broker.Start(t.Context(), broker.Options{Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	nc, err := server.Connect("test")
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

// Bucket is an empty KV bucket on a server as [JetStream] starts it.
func Bucket(t testing.TB) jetstream.KeyValue {
	t.Helper()
	kv, err := JetStream(t).CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "CHAT7_STATE"})
	if err != nil {
		t.Fatal(err)
	}
	return kv
}
