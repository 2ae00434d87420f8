package codes_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/pipeline/codes"
)

// bucket is one on a NATS server of its own.
func bucket(t *testing.T, o server.Options) jetstream.KeyValue {
	t.Helper()
	o.Port, o.JetStream, o.StoreDir, o.NoLog, o.NoSigs, o.DontListen = -1, true, t.TempDir(), true, true, true
	s, err := server.NewServer(&o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(30 * time.Second) {
		t.Fatal("the NATS server does not start")
	}
	nc, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	kv, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "CHAT7_STATE"})
	if err != nil {
		t.Fatal(err)
	}
	return kv
}

// want checks what is stored of an operation.
func want(t *testing.T, kv jetstream.KeyValue, operation string, want ...codes.Code) {
	t.Helper()
	got, err := codes.Load(t.Context(), kv, operation)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("stored of %s is %s, %v; want %s", operation, text(t, got), err, text(t, want))
	}
}

func TestStore(t *testing.T) {
	kv := bucket(t, server.Options{})
	want(t, kv, "ventas")
	full := code("ñ", "Señal", 0, 0)
	full.Hit, full.RPC, full.Chat, full.Voice, full.TypeCode = new("1"), new("0"), new("1"), new("0"), new("Gestión")
	for n, step := range []struct {
		told    []codes.Code
		changed bool
		want    []codes.Code
	}{
		{nil, false, nil},
		{[]codes.Code{full, code("", "", 0, 0)}, true, []codes.Code{code("", "", 1, 1), at(full, 1, 1)}},
		{[]codes.Code{full}, true, []codes.Code{code("", "", 1, 1), at(full, 1, 2)}},
		{nil, false, []codes.Code{code("", "", 1, 1), at(full, 1, 2)}},
	} {
		merged, changed, err := codes.Store(t.Context(), kv, "ventas", step.told, day(n))
		if err != nil || changed != step.changed || len(merged) != len(step.want) {
			t.Fatalf("step %d: %s, %v, %v", n, text(t, merged), changed, err)
		}
		want(t, kv, "ventas", step.want...)
	}
	want(t, kv, "soporte")
	// The same list at the same time again, as after a lost answer, writes nothing.
	before, err := kv.Get(t.Context(), "ventas.codes")
	if err != nil {
		t.Fatal(err)
	}
	if _, changed, err := codes.Store(t.Context(), kv, "ventas", []codes.Code{full}, day(2)); changed || err != nil {
		t.Errorf("%v, %v", changed, err)
	}
	if after, err := kv.Get(t.Context(), "ventas.codes"); err != nil || after.Revision() != before.Revision() {
		t.Errorf("revision %d became %d, %v", before.Revision(), after.Revision(), err)
	}
	if err := kv.Delete(t.Context(), "ventas.codes"); err != nil {
		t.Fatal(err)
	}
	want(t, kv, "ventas")
	if _, _, err := codes.Store(t.Context(), kv, "ventas", []codes.Code{full}, day(3)); err != nil {
		t.Errorf("after a deletion: %v", err)
	}
	want(t, kv, "ventas", at(full, 3, 3))
}

func at(c codes.Code, first, last int) codes.Code {
	c.FirstSeenAt, c.LastSeenAt = day(first), day(last)
	return c
}

// TestStoreTogether: nothing that one of many writers stores is lost.
func TestStoreTogether(t *testing.T) {
	kv := bucket(t, server.Options{})
	const writers, rounds = 8, 10
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for r := range rounds {
				if _, changed, err := codes.Store(t.Context(), kv, "ventas", []codes.Code{code(fmt.Sprintf("%d-%d", w, r), "", 0, 0), code("all", "", 0, 0)}, day(w*rounds+r)); err != nil || !changed {
					t.Errorf("writer %d, round %d: %v, %v", w, r, changed, err)
				}
			}
		})
	}
	all.Wait()
	got, err := codes.Load(t.Context(), kv, "ventas")
	if err != nil || len(got) != writers*rounds+1 || !got[len(got)-1].LastSeenAt.Equal(day(writers*rounds-1)) {
		t.Errorf("%d codes, %v: %s", len(got), err, text(t, got))
	}
}

// many are codes that hardly compress.
func many(n int) []codes.Code {
	random := rand.New(rand.NewPCG(1, 1))
	all := make([]codes.Code, n)
	for i := range all {
		var b [16]byte
		for k := range b {
			b[k] = byte(random.Uint32())
		}
		all[i] = code(fmt.Sprint(i), hex.EncodeToString(b[:]), 0, 0)
	}
	return all
}

func TestTooLarge(t *testing.T) {
	kv := bucket(t, server.Options{})
	fits := many(40_000)
	if _, _, err := codes.Store(t.Context(), kv, "ventas", fits, day(1)); err != nil {
		t.Fatal(err)
	}
	entry, err := kv.Get(t.Context(), "ventas.codes")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d codes take %d bytes", len(fits), len(entry.Value()))
	for _, c := range []struct {
		kv   jetstream.KeyValue
		told []codes.Code
		mend string
	}{
		{kv, many(50_000), "nats kv del CHAT7_STATE ventas.codes"},
		{kv, []codes.Code{code("1", strings.Repeat("long and dull", 3<<20), 0, 0)}, "nats kv del"}, // small, and yet no reader could unfold it
		{bucket(t, server.Options{MaxPayload: 4 << 10}), many(1000), "raise the NATS server's max_payload"},
	} {
		merged, changed, err := codes.Store(t.Context(), c.kv, "ventas", c.told, day(2))
		if !errors.Is(err, codes.ErrTooLarge) || !changed || len(merged) < len(c.told) || !strings.Contains(err.Error(), c.mend) {
			t.Errorf("%d codes: %d merged, %v, %v", len(c.told), len(merged), changed, err)
		}
	}
	if after, err := kv.Get(t.Context(), "ventas.codes"); err != nil || after.Revision() != entry.Revision() {
		t.Errorf("what was stored is gone: %v", err)
	}
}

// TestUnreadable: what cannot be read, and what a newer version wrote, is told
// and never overwritten.
func TestUnreadable(t *testing.T) {
	kv := bucket(t, server.Options{})
	pack, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{"", "{", string(pack.EncodeAll([]byte("{"), nil)), string(pack.EncodeAll([]byte(`{"v":2,"codes":{}}`), nil)),
		string(pack.EncodeAll([]byte(`{"v":2}`), nil)), string(pack.EncodeAll([]byte(`{"codes":[]}`), nil)), string(pack.EncodeAll(make([]byte, 33<<20), nil))} {
		if _, err := kv.Put(t.Context(), "ventas.codes", []byte(value)); err != nil {
			t.Fatal(err)
		}
		_, loaded := codes.Load(t.Context(), kv, "ventas")
		_, _, stored := codes.Store(t.Context(), kv, "ventas", []codes.Code{code("1", "", 0, 0)}, day(1))
		for _, err := range []error{loaded, stored} {
			if err == nil || !strings.Contains(err.Error(), "nats kv del CHAT7_STATE ventas.codes") {
				t.Errorf("%.20q: %v", value, err)
			}
		}
		if entry, err := kv.Get(t.Context(), "ventas.codes"); err != nil || string(entry.Value()) != value {
			t.Errorf("%.20q was overwritten, %v", value, err)
		}
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, _, err := codes.Store(ended, kv, "soporte", []codes.Code{code("1", "", 0, 0)}, day(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("after its context: %v", err)
	}
}
