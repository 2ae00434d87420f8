package notice_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/pipeline/broker/brokertest"
	"wolkpipe/pipeline/notice"
)

var start = time.Date(2026, 11, 10, 12, 0, 0, 0, time.UTC)

// logged counts the lines that are warnings.
type logged struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(b)
}

func (l *logged) warnings() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.String(), "level=WARN")
}

func open(t *testing.T, kv jetstream.KeyValue, log *logged) *notice.Book {
	t.Helper()
	b, err := notice.Open(t.Context(), kv, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func revision(t *testing.T, kv jetstream.KeyValue) uint64 {
	t.Helper()
	entry, err := kv.Get(t.Context(), "ventas.notices")
	if err != nil {
		t.Fatal(err)
	}
	return entry.Revision()
}

// one gives the only notice that stands.
func one(t *testing.T, b *notice.Book) notice.Notice {
	t.Helper()
	all := b.Standing("ventas")
	if len(all) != 1 {
		t.Fatalf("%d notices stand: %v", len(all), all)
	}
	return all[0]
}

// TestOnce: a notice is logged when it is new, counted when raised again, and
// stored once an hour, through restarts.
func TestOnce(t *testing.T) {
	kv, log := brokertest.Bucket(t), &logged{}
	b := open(t, kv, log)
	fact := notice.Fact{Kind: notice.ClockOff, Text: "off"}
	for i := range 30 {
		b.Raise(t.Context(), "ventas", fact, start.Add(time.Duration(i)*time.Minute))
	}
	if log.warnings() != 1 || revision(t, kv) != 1 {
		t.Errorf("logged %d times, revision %d", log.warnings(), revision(t, kv))
	}
	if n := one(t, b); n.Count != 30 || !n.FirstAt.Equal(start) || !n.LastAt.Equal(start.Add(29*time.Minute)) || n.Text != "off" || n.ID != "ventas/clock_off" || n.Operation != "ventas" {
		t.Errorf("%+v", n)
	}
	if len(b.Standing("soporte")) != 0 {
		t.Error("another operation has it too")
	}
	b.Raise(t.Context(), "ventas", fact, start.Add(time.Hour))
	if n := one(t, b); n.Count != 31 || revision(t, kv) != 2 {
		t.Errorf("%+v, revision %d", n, revision(t, kv))
	}
	again := open(t, kv, log)
	if n := one(t, again); n.Count != 31 {
		t.Errorf("after a restart: %+v", n)
	}
	again.Raise(t.Context(), "ventas", fact, start.Add(3*time.Hour))
	if n := one(t, again); n.Count != 32 || !n.FirstAt.Equal(start) || log.warnings() != 1 {
		t.Errorf("%+v, logged %d times", n, log.warnings())
	}
}

// TestGone: what comes back within a week is no news.
func TestGone(t *testing.T) {
	for _, c := range []struct {
		gone time.Duration
		logs int
	}{{6 * 24 * time.Hour, 1}, {7*24*time.Hour + time.Second, 2}} {
		kv, log := brokertest.Bucket(t), &logged{}
		b := open(t, kv, log)
		fact := notice.Fact{Kind: notice.UnknownCode, Text: "codes", Items: []string{"A"}}
		b.Raise(t.Context(), "ventas", fact, start)
		b.End(t.Context(), "ventas", notice.UnknownCode, "", start.Add(time.Hour))
		before := revision(t, kv)
		b.End(t.Context(), "ventas", notice.UnknownCode, "", start.Add(2*time.Hour))
		b.End(t.Context(), "ventas", notice.QuotaShort, "", start.Add(2*time.Hour))
		if len(b.Standing("ventas")) != 0 || revision(t, kv) != before {
			t.Errorf("%v stand; what is over was ended again, revision %d, %d", b.Standing("ventas"), before, revision(t, kv))
		}
		back := open(t, kv, log)
		at := start.Add(time.Hour + c.gone)
		back.Raise(t.Context(), "ventas", fact, at)
		first := start
		if c.logs == 2 {
			first = at
		}
		if n := one(t, back); log.warnings() != c.logs || !n.FirstAt.Equal(first) {
			t.Errorf("gone for %v: %+v, logged %d times", c.gone, n, log.warnings())
		}
	}
}

// TestItems: several things are one notice, which tells ten of them.
func TestItems(t *testing.T) {
	kv, log := brokertest.Bucket(t), &logged{}
	b := open(t, kv, log)
	for i := range 12 {
		b.Raise(t.Context(), "ventas", notice.Fact{Kind: notice.UnknownCode, Text: "codes", Items: []string{fmt.Sprint("c", i)}}, start.Add(time.Duration(i)*time.Second))
	}
	if n := one(t, b); n.Text != "codes: c11, c10, c9, c8, c7, c6, c5, c4, c3, c2 and others" || log.warnings() != 12 {
		t.Errorf("%q, logged %d times", n.Text, log.warnings())
	}
	b.Raise(t.Context(), "ventas", notice.Fact{Kind: notice.UnknownCode, Text: "codes", Items: []string{"c0"}}, start.Add(time.Minute))
	for i := range 11 {
		b.End(t.Context(), "ventas", notice.UnknownCode, "", start.Add(time.Hour), fmt.Sprint("c", i), "none of them")
	}
	if n := one(t, b); n.Text != "codes: c11" || log.warnings() != 12 {
		t.Errorf("%q, logged %d times", n.Text, log.warnings())
	}
	b.End(t.Context(), "ventas", notice.UnknownCode, "", start.Add(time.Hour), "c11")
	if len(b.Standing("ventas")) != 0 {
		t.Errorf("%v stand", b.Standing("ventas"))
	}
	many := make([]string, 1000)
	for i := range many {
		many[i] = fmt.Sprint("m", i)
	}
	b.Raise(t.Context(), "ventas", notice.Fact{Kind: notice.UnknownCode, Text: "codes", Items: many}, start.Add(time.Hour))
	if entry, err := kv.Get(t.Context(), "ventas.notices"); err != nil || len(entry.Value()) > 8<<10 {
		t.Errorf("%d bytes are stored, %v", len(entry.Value()), err)
	}
}

// TestExpire ends what was not raised since, and nothing else.
func TestExpire(t *testing.T) {
	kv, log := brokertest.Bucket(t), &logged{}
	b := open(t, kv, log)
	raise := func(kind notice.Kind, subject string, at time.Duration) {
		b.Raise(t.Context(), "ventas", notice.Fact{Kind: kind, Subject: subject, Text: "x"}, start.Add(at))
	}
	raise(notice.TokenShared, "count", 0)
	raise(notice.TokenShared, "simultaneous", 0)
	raise(notice.TokenShared, "simultaneous", 50*time.Minute) // not stored
	raise(notice.ClockOff, "", 0)
	b.Expire(t.Context(), "ventas", notice.TokenShared, start.Add(30*time.Minute), start.Add(time.Hour))
	var ids []string
	for _, n := range b.Standing("ventas") {
		ids = append(ids, n.ID)
	}
	if strings.Join(ids, " ") != "ventas/clock_off ventas/token_shared/simultaneous" {
		t.Errorf("%v stand", ids)
	}
}

// TestTwoProcesses share notices, and lose none.
func TestTwoProcesses(t *testing.T) {
	kv, log := brokertest.Bucket(t), &logged{}
	books := []*notice.Book{open(t, kv, log), open(t, kv, log)}
	var all sync.WaitGroup
	for i, b := range books {
		for _, kind := range notice.Kinds {
			all.Go(func() {
				b.Raise(t.Context(), "ventas", notice.Fact{Kind: kind, Text: "x"}, start.Add(time.Duration(i)))
			})
		}
	}
	all.Wait()
	for range 300 {
		if len(books[0].Standing("ventas")) == len(notice.Kinds) && len(books[1].Standing("ventas")) == len(notice.Kinds) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	for _, b := range books {
		if n := len(b.Standing("ventas")); n != len(notice.Kinds) {
			t.Errorf("%d notices stand", n)
		}
	}
	if log.warnings() != len(notice.Kinds) {
		t.Errorf("logged %d times", log.warnings())
	}
}

// TestNothingThere: no book, a bucket that is gone, and one with rubbish.
func TestNothingThere(t *testing.T) {
	var none *notice.Book
	none.Raise(t.Context(), "ventas", notice.Fact{Kind: notice.ClockOff}, start)
	none.End(t.Context(), "ventas", notice.ClockOff, "", start)
	none.Expire(t.Context(), "ventas", notice.ClockOff, start, start)
	if all := none.Standing("ventas"); all == nil || len(all) != 0 {
		t.Errorf("%v stand", all)
	}
	kv, log := brokertest.Bucket(t), &logged{}
	if _, err := kv.Put(t.Context(), "ventas.notices", []byte("{")); err != nil {
		t.Fatal(err)
	}
	b := open(t, kv, log)
	b.Raise(t.Context(), "ventas", notice.Fact{Kind: notice.ClockOff, Text: "off"}, start)
	one(t, b)
	if err := kv.Delete(t.Context(), "ventas.notices"); err != nil {
		t.Fatal(err)
	}
	for range 300 {
		if len(b.Standing("ventas")) == 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.Raise(t.Context(), "ventas", notice.Fact{Kind: notice.QuotaShort, Text: "short"}, start)
	if n := one(t, open(t, kv, log)); n.Kind != notice.QuotaShort {
		t.Errorf("%+v", n)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	b.Raise(ended, "ventas", notice.Fact{Kind: notice.ClockOff, Text: "off"}, start)
	if len(b.Standing("ventas")) != 2 {
		t.Errorf("what could not be stored is not known: %v", b.Standing("ventas"))
	}
}
