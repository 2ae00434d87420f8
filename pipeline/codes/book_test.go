package codes_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/pipeline/codes"
)

func raw(code, text string) codes.Raw { return codes.Raw{Code: &code, Description: &text} }

func book(t *testing.T, kv jetstream.KeyValue) *codes.Book {
	t.Helper()
	b, err := codes.Open(t.Context(), kv, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func soon(t *testing.T, what string, is func() bool) {
	t.Helper()
	for range 500 {
		if is() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error(what)
}

// TestBook: what one process is told, all know; the texts are another pointer
// only when one of them changes.
func TestBook(t *testing.T) {
	kv := bucket(t, server.Options{})
	b, other := book(t, kv), book(t, kv)
	if b.Knows("ventas", "1") || !b.Told("ventas").IsZero() || b.Texts("ventas").Of("1") != nil || len(b.Operations()) != 0 {
		t.Error("something is known of nothing")
	}
	version, changed := b.Version()
	if err := b.Store(t.Context(), "ventas", []codes.Raw{raw(" 1 ", "uno"), {}, raw("2", "")}, day(1)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-changed:
	default:
		t.Error("nobody is told of a change")
	}
	if now, _ := b.Version(); now == version {
		t.Error("the version stays")
	}
	for _, b := range []*codes.Book{b, other, book(t, kv)} {
		soon(t, "another process does not know", func() bool { return b.Knows("ventas", "1") })
		if text := b.Texts("ventas").Of("1"); text == nil || *text != "uno" || b.Texts("ventas").Of("2") != nil || !b.Knows("ventas", "2") ||
			b.Knows("soporte", "1") || !b.Told("ventas").Equal(day(1)) || !slices.Equal(b.Operations(), []string{"ventas"}) || len(b.All("ventas")) != 2 {
			t.Errorf("%v, told %v", b.All("ventas"), b.Told("ventas"))
		}
	}
	texts := b.Texts("ventas")
	if err := b.Store(t.Context(), "ventas", []codes.Raw{raw("1", "uno")}, day(2)); err != nil {
		t.Fatal(err)
	}
	if b.Texts("ventas") != texts || !b.Told("ventas").Equal(day(2)) {
		t.Errorf("the texts moved, or the time did not: %v", b.Told("ventas"))
	}
	if err := b.Store(t.Context(), "ventas", []codes.Raw{raw("1", "one")}, day(3)); err != nil {
		t.Fatal(err)
	}
	if b.Texts("ventas") == texts || *b.Texts("ventas").Of("1") != "one" || *texts.Of("1") != "uno" {
		t.Error("the texts did not move, or in place")
	}
	if err := kv.Delete(t.Context(), "ventas.codes"); err != nil {
		t.Fatal(err)
	}
	soon(t, "what was deleted is known", func() bool { return !other.Knows("ventas", "1") && other.Told("ventas").IsZero() })
}

// TestUnreadableBook is as an empty one, and told.
func TestUnreadableBook(t *testing.T) {
	kv := bucket(t, server.Options{})
	if _, err := kv.Put(t.Context(), "ventas.codes", []byte("rubbish")); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	b, err := codes.Open(t.Context(), kv, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if b.Knows("ventas", "1") || !strings.Contains(log.String(), "operation=ventas") {
		t.Errorf("%v; %s", b.All("ventas"), log.String())
	}
}

// TestStrangers: two processes' are one set; those of the list are none.
func TestStrangers(t *testing.T) {
	kv := bucket(t, server.Options{})
	b, other := book(t, kv), book(t, kv)
	if s, err := b.Strangers(t.Context(), "ventas"); err != nil || !s.Since.IsZero() || len(s.Asked) != 0 {
		t.Errorf("%v, %v", s, err)
	}
	keep := func(b *codes.Book, at time.Time, all ...string) codes.Strangers {
		t.Helper()
		s := codes.Strangers{Since: at, Asked: map[string]time.Time{}}
		for _, code := range all {
			s.Asked[code] = at
		}
		kept, err := b.Keep(t.Context(), "ventas", s)
		if err != nil {
			t.Fatal(err)
		}
		return kept
	}
	keep(b, day(2), "A", "")
	kept := keep(other, day(1), "A", "B")
	if !kept.Since.Equal(day(1)) || len(kept.Asked) != 3 || !kept.Asked["A"].Equal(day(2)) || !kept.Asked["B"].Equal(day(1)) {
		t.Errorf("%v", kept)
	}
	if err := b.Store(t.Context(), "ventas", []codes.Raw{raw("A", "")}, day(3)); err != nil {
		t.Fatal(err)
	}
	if kept := keep(b, day(3)); len(kept.Asked) != 2 {
		t.Errorf("%v", kept)
	}
	var many []string
	for i := range 3000 {
		many = append(many, fmt.Sprint("c", i))
	}
	if kept := keep(b, day(4), many...); len(kept.Asked) != 2000 || !kept.Since.Equal(day(1)) {
		t.Errorf("%d are kept", len(kept.Asked))
	}
	if _, found := keep(b, day(4)).Asked["B"]; found {
		t.Error("the oldest is kept")
	}
}
