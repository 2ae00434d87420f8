package erase

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/pipeline/broker/brokertest"
)

func openBook(t *testing.T, kv jetstream.KeyValue) *Book {
	t.Helper()
	b, err := Open(t.Context(), kv, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func raw(rows ...string) (all []json.RawMessage) {
	for _, agent := range rows {
		all = append(all, json.RawMessage(fmt.Sprintf(`{"interactions":1,"agent_name":%q,"cod_act":"1"}`, agent)))
	}
	return all
}

func TestBook(t *testing.T) {
	kv := brokertest.Bucket(t)
	one, two := openBook(t, kv), openBook(t, kv)
	before := two.Version()
	rows := raw("Ana", "Bo", "Ana ")
	if got, some := one.Rows("ventas", rows); some || &got[0] != &rows[0] {
		t.Errorf("nobody is erased, and %s came back", got)
	}
	if err := one.Add(t.Context(), "ventas", "Ana"); err != nil {
		t.Fatal(err)
	}
	for begin := time.Now(); !two.Has("ventas", "Ana"); time.Sleep(time.Millisecond) {
		if time.Since(begin) > time.Minute {
			t.Fatal("the other process does not hear of it")
		}
	}
	if two.Version() == before {
		t.Error("the version did not change")
	}
	if one.Has("ventas", "Bo") || one.Has("cobros", "Ana") || one.Has("ventas", "ana") {
		t.Error("others are erased too")
	}
	now, some := one.Rows("ventas", rows)
	again, _ := two.Rows("ventas", rows)
	if !some || fmt.Sprintf("%s", now) != fmt.Sprintf("%s", again) {
		t.Errorf("two processes give %s and %s", now, again)
	}
	if Named(now, "Ana") || !Named(now, "Bo") || !Named(rows, "Ana") || string(now[0]) == string(now[2]) || !strings.Contains(string(now[0]), Standing) {
		t.Errorf("%s became %s", rows, now)
	}
	if string(rows[0]) != `{"interactions":1,"agent_name":"Ana","cod_act":"1"}` {
		t.Errorf("the rows given were changed: %s", rows)
	}
	if _, some := one.Rows("cobros", rows); some {
		t.Error("another operation's rows changed")
	}
	if err := two.Add(t.Context(), "cobros", "Ana"); err != nil {
		t.Fatal(err)
	}
	other, _ := two.Rows("cobros", rows)
	if string(other[0]) == string(now[0]) {
		t.Error("the same name stands in two operations: they can be joined by it")
	}
	if third := openBook(t, kv); !third.Has("ventas", "Ana") || !third.Has("cobros", "Ana") {
		t.Error("a process that starts later does not know")
	}
}

// TestBookTellsNobody: the bucket has no name in it.
func TestBookTellsNobody(t *testing.T) {
	kv := brokertest.Bucket(t)
	if err := openBook(t, kv).Add(t.Context(), "ventas", "Ana"); err != nil {
		t.Fatal(err)
	}
	keys, err := kv.Keys(t.Context())
	if err != nil || len(keys) != 2 {
		t.Fatalf("keys %q, %v", keys, err)
	}
	for _, key := range keys {
		entry, err := kv.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(key+string(entry.Value()), "Ana") {
			t.Errorf("%s says %q", key, entry.Value())
		}
	}
}

func TestBookWithoutKey(t *testing.T) {
	kv := brokertest.Bucket(t)
	if err := openBook(t, kv).Add(t.Context(), "ventas", "Ana"); err != nil {
		t.Fatal(err)
	}
	if err := kv.Delete(t.Context(), keyName); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), kv, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "restore it") {
		t.Errorf("opened without the key: %v", err)
	}
}

func TestAddEnds(t *testing.T) {
	kv := brokertest.Bucket(t)
	b := openBook(t, kv)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Add(ctx, "ventas", "Ana"); err == nil {
		t.Error("Add returns without an error after its end")
	}
}

func TestNilBook(t *testing.T) {
	var b *Book
	if rows, some := b.Rows("ventas", raw("Ana")); some || len(rows) != 1 || b.Has("ventas", "Ana") || b.Version() != 0 {
		t.Error("a nil Book has somebody")
	}
}
