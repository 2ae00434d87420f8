package pubsub_test

import (
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/sinks/pubsub"
)

// TestDestroy: messages go, and those that are gone are no error; a stream that
// is not there is one.
func TestDestroy(t *testing.T) {
	js := connect(t, shared)
	stream, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "PAST", Subjects: []string{"past.>"}})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if _, err := js.Publish(t.Context(), "past.x", []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := pubsub.Destroy(t.Context(), js, "PAST", []uint64{1, 3, 5}); n != 3 || err != nil {
		t.Errorf("destroyed %d, %v", n, err)
	}
	if n, err := pubsub.Destroy(t.Context(), js, "PAST", []uint64{1, 2, 3, 5}); n != 1 || err != nil {
		t.Errorf("again destroyed %d, %v", n, err)
	}
	info, err := stream.Info(t.Context())
	if err != nil || info.State.Msgs != 1 {
		t.Errorf("%+v, %v", info, err)
	}
	if _, err := pubsub.Destroy(t.Context(), js, "NOWHERE", []uint64{1}); err == nil {
		t.Error("a stream that is not there is no error")
	}
}
