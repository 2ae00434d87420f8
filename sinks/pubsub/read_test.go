package pubsub

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/pipeline/broker"
)

// forgetful is an iterator that drops some messages, as the client does when
// its buffer overflows.
type forgetful struct {
	jetstream.MessagesContext
	drop func() bool
}

func (f forgetful) Next(opts ...jetstream.NextOpt) (jetstream.Msg, error) {
	for {
		m, err := f.MessagesContext.Next(opts...)
		if err != nil || !f.drop() {
			return m, err
		}
	}
}

// TestReadMissesNothing reads while messages are dropped under way: what was
// missed is read again, in its place.
func TestReadMissesNothing(t *testing.T) {
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
	const stream = "read"
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: stream, Subjects: []string{"read.>"}}); err != nil {
		t.Fatal(err)
	}
	var last uint64
	for i := range 40 {
		for _, subject := range []string{"read.other", "read.it"} {
			ack, err := js.Publish(t.Context(), subject, fmt.Append(nil, i))
			if err != nil {
				t.Fatal(err)
			}
			last = ack.Sequence
		}
	}
	for _, dropped := range [][]int{nil, {1}, {2}, {20}, {1, 2, 3}, {5, 6, 9, 30}, {38, 39}} {
		var got []string
		n, from, reads := 0, uint64(1), 0
		for from <= last {
			reads++
			upTo, err := readFrom(t.Context(), js, stream, "read.it", from, last, func(c jetstream.Consumer) (jetstream.MessagesContext, error) {
				messages, err := iterate(c)
				return forgetful{messages, func() bool { n++; return slices.Contains(dropped, n) }}, err
			}, func(m *Stored) error {
				got = append(got, string(m.Data))
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			from = upTo + 1
		}
		if len(got) != 40 || got[0] != "0" || got[39] != "39" || !slices.IsSortedFunc(got, func(a, b string) int { return len(a) - len(b) }) {
			t.Errorf("with %v dropped, read %v", dropped, got)
		}
		if len(dropped) > 0 && reads < 2 {
			t.Errorf("with %v dropped, nothing was read again", dropped)
		}
	}
	mine := errors.New("mine")
	if err := Read(t.Context(), js, stream, "read.it", 1, last, func(*Stored) error { return mine }); err != mine {
		t.Errorf("the caller's error came back as %v", err)
	}
	n := 0
	if err := Read(t.Context(), js, stream, "read.it", last-2, last, func(*Stored) error { n++; return nil }); err != nil || n != 2 {
		t.Errorf("the last two were %d, %v", n, err)
	}
}
