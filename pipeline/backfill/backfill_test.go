package backfill

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/pipeline/broker/brokertest"
	"wolkpipe/pipeline/window"
)

var (
	day = window.DateOf(2026, 11, 2)
	now = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
)

func open(t *testing.T, kv jetstream.KeyValue) *Book {
	t.Helper()
	b, err := Open(t.Context(), kv)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func ask(t *testing.T, b *Book, r Request, at time.Time) Request {
	t.Helper()
	r, err := b.Ask(t.Context(), r, at)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAskingAgainIsTheSameRequest(t *testing.T) {
	kv := brokertest.Bucket(t)
	b := open(t, kv)
	asked := Request{Operation: "ventas", From: day, To: day + 29}
	first := ask(t, b, asked, now)
	if again := ask(t, b, asked, now.Add(time.Hour)); again != first {
		t.Errorf("asked again it is %+v, was %+v", again, first)
	}
	other := ask(t, b, Request{Operation: "ventas", From: day, To: day + 29, Grid: window.Grid(time.Hour)}, now.Add(time.Minute))
	if other.ID() == first.ID() {
		t.Errorf("another grid has the same id, %s", other.ID())
	}
	if err := b.End(t.Context(), first.ID(), Done, now.Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := b.End(t.Context(), first.ID(), Cancelled, now); !errors.Is(err, ErrEnded) {
		t.Errorf("cancelling what is done: %v", err)
	}
	if err := b.End(t.Context(), "nobody-20260101-20260101", Cancelled, now); !errors.Is(err, ErrUnknown) {
		t.Errorf("cancelling what nobody asked for: %v", err)
	}
	ask(t, b, asked, now.Add(3*time.Hour))

	// A process that starts later sees the same, in the order of asking.
	all := open(t, kv).All("ventas")
	if len(all) != 2 || all[0] != other || all[1].ID() != first.ID() || all[1].State != Active || !all[1].Ended.IsZero() {
		t.Errorf("a later process sees %+v", all)
	}
	if len(open(t, kv).All("soporte")) != 0 {
		t.Error("another operation has the requests too")
	}
}

// TestOthersAreFollowed: what one process writes another one sees, and of two
// that end a request at once one does.
func TestOthersAreFollowed(t *testing.T) {
	kv := brokertest.Bucket(t)
	one, two := open(t, kv), open(t, kv)
	changed := two.Changed()
	r := ask(t, one, Request{Operation: "ventas", From: day, To: day}, now)
	<-changed
	if got, ok := two.Find(r.ID()); !ok || got != r {
		t.Fatalf("the other process sees %+v", got)
	}
	var wg sync.WaitGroup
	errs := make([]error, 2)
	for i, b := range []*Book{one, two} {
		wg.Go(func() { errs[i] = b.End(t.Context(), r.ID(), Cancelled, now) })
	}
	wg.Wait()
	if (errs[0] == nil) == (errs[1] == nil) {
		t.Errorf("ending it twice gave %v", errs)
	}
}

func TestWhatCannotBeReadIsAskedAnew(t *testing.T) {
	kv := brokertest.Bucket(t)
	r := Request{Operation: "ventas", From: day, To: day}
	if _, err := kv.Put(t.Context(), r.key(), []byte("{")); err != nil {
		t.Fatal(err)
	}
	b := open(t, kv)
	if all := b.All(""); len(all) != 0 {
		t.Errorf("it is read as %+v", all)
	}
	if r := ask(t, b, r, now); r.State != Active || !r.Asked.Equal(now) {
		t.Errorf("asked anew it is %+v", r)
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		from, to window.Date
		says     string
	}{
		{day, day, ""},
		{day - 400, day, ""},
		{day, day - 1, "ends before it begins"},
		{day, day + 1, "in the future"},
		{window.DateOf(1999, 1, 1), day, "is the year right"},
	} {
		err := Check(c.from, c.to, day)
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s to %s: %v, want %q", c.from, c.to, err, c.says)
		}
	}
}
