package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/pipeline/broker"
	"wolkpipe/pipeline/broker/brokertest"
	"wolkpipe/pipeline/window"
	"wolkpipe/schemas"
)

var testDay = window.DateOf(2026, 11, 2)

func fiveMinutes(t testing.TB) window.Grid {
	g, err := window.NewGrid(5 * time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// open starts a real server and gives a journal on it.
func open(t testing.TB) (*Journal, jetstream.JetStream) {
	t.Helper()
	js := brokertest.JetStream(t)
	if err := broker.EnsureStreams(t.Context(), js, broker.Streams{}); err != nil {
		t.Fatal(err)
	}
	return reopen(t, js), js
}

func reopen(t testing.TB, js jetstream.JetStream) *Journal {
	t.Helper()
	j, err := Open(t.Context(), js)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// observe makes the observation number n of a day's grid.
func observe(t testing.TB, n int, revision int64, rows ...string) Observation {
	o := Observation{
		Local: testDay.Start() + window.Local(int64(n)*fiveMinutes(t).Seconds()), Revision: revision,
		Method: schemas.Direct, Cause: schemas.Live,
		ObservedAt: time.Date(2026, 11, 2, 12, n, int(revision), 1000, time.UTC), Digest: strings.Join(rows, "|"),
		Rows: []json.RawMessage{},
	}
	for _, row := range rows {
		o.Rows = append(o.Rows, json.RawMessage(row))
	}
	return o
}

func chunkOf(t testing.TB, windows ...Observation) *Chunk {
	return &Chunk{Key: Key{"ventas", testDay}, Timezone: "America/Bogota", Grid: fiveMinutes(t), Windows: windows}
}

func mustAppend(t testing.TB, j *Journal, c *Chunk, after uint64) uint64 {
	t.Helper()
	seq, err := j.Append(t.Context(), c, after)
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

func mustDay(t testing.TB, j *Journal) *Day {
	t.Helper()
	day, err := j.Day(t.Context(), Key{"ventas", testDay})
	if err != nil {
		t.Fatal(err)
	}
	return day
}

// describe tells a day in a form that can be compared.
func describe(d *Day) string {
	var b strings.Builder
	for _, o := range d.Windows {
		fmt.Fprintf(&b, "%s r%d %s %s %s %q %s\n", o.Local, o.Revision, o.Method, o.Cause, o.ObservedAt.UTC(), o.Rows, o.Digest)
	}
	return b.String()
}

func TestFoldKeepsTheLatestOfEachWindow(t *testing.T) {
	j, js := open(t)
	seq := mustAppend(t, j, chunkOf(t, observe(t, 1, 1, `{"a": 1}`), observe(t, 0, 1)), 0)
	seq = mustAppend(t, j, chunkOf(t, observe(t, 2, 1, `{"c":3}`)), seq)
	last := mustAppend(t, j, chunkOf(t, observe(t, 1, 2, `{"a":2}`, "  {\n\"b\":\"<ñ>\"}")), seq)

	for _, read := range []*Journal{j, reopen(t, js)} { // folded step by step, and all at once
		day := mustDay(t, read)
		if day.Seq != last || day.Timezone != "America/Bogota" || day.Grid != fiveMinutes(t) || len(day.Bad) != 0 {
			t.Fatalf("day is %+v", day)
		}
		want := describe(&Day{Windows: []Observation{observe(t, 0, 1), observe(t, 1, 2, `{"a":2}`, "  {\n\"b\":\"<ñ>\"}"), observe(t, 2, 1, `{"c":3}`)}})
		if got := describe(day); got != want {
			t.Errorf("folded to\n%swant\n%s", got, want)
		}
	}
}

func TestAppendIsRefusedWhenTheDayMoved(t *testing.T) {
	j, js := open(t)
	before := mustDay(t, j) // a slow caller reads the day, then waits for its answer
	newer := chunkOf(t, observe(t, 0, 1, `{"new":1}`))
	mustAppend(t, reopen(t, js), newer, 0)

	if _, err := j.Append(t.Context(), chunkOf(t, observe(t, 0, 1, `{"old":1}`)), before.Seq); !errors.Is(err, ErrMoved) {
		t.Fatalf("the old answer was taken: %v", err)
	}
	if got, want := describe(mustDay(t, j)), describe(&Day{Windows: newer.Windows}); got != want {
		t.Errorf("the journal holds\n%swant\n%s", got, want)
	}
}

func TestAppendAgainAfterALostAcknowledgement(t *testing.T) {
	j, _ := open(t)
	c := chunkOf(t, observe(t, 0, 1, `{"a":1}`))
	first := mustAppend(t, j, c, 0)
	if again := mustAppend(t, j, c, 0); again != first {
		t.Errorf("appended again as %d, was %d", again, first)
	}
	other := chunkOf(t, observe(t, 0, 1, `{"a":1}`))
	other.Windows[0].ObservedAt = other.Windows[0].ObservedAt.Add(time.Second)
	if _, err := j.Append(t.Context(), other, 0); !errors.Is(err, ErrMoved) {
		t.Errorf("another observation passed for the same one: %v", err)
	}
}

func TestOnlyOneOfManyAppendsWins(t *testing.T) {
	j, js := open(t)
	var wins sync.Map
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			_, err := reopen(t, js).Append(context.Background(), chunkOf(t, observe(t, 0, 1, fmt.Sprintf(`{"n":%d}`, i))), 0)
			if err == nil {
				wins.Store(i, true)
			} else if !errors.Is(err, ErrMoved) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	n := 0
	wins.Range(func(any, any) bool { n++; return true })
	if n != 1 || len(mustDay(t, j).Windows) != 1 {
		t.Errorf("%d appends of 8 were taken", n)
	}
}

func TestChunkOverThePayloadLimitIsSplit(t *testing.T) {
	j, js := open(t)
	j.limit = 4096
	source := rand.New(rand.NewPCG(1, 2))
	var rows []string
	for range 2000 { // random, so that it does not compress below the limit
		rows = append(rows, fmt.Sprintf(`{"agent_name":"%x","interactions":"%d"}`, source.Uint64(), source.IntN(1000)))
	}
	seq := mustAppend(t, j, chunkOf(t, observe(t, 0, 1)), 0)
	big := chunkOf(t, observe(t, 1, 1, rows...))
	last := mustAppend(t, j, big, seq)
	if last < seq+3 {
		t.Fatalf("the chunk was not split: message %d after %d", last, seq)
	}
	if again := mustAppend(t, j, big, seq); again != last {
		t.Errorf("appended again as %d, was %d", again, last)
	}
	if _, err := j.Append(t.Context(), big, seq+1); err != nil {
		t.Errorf("held exactly, but refused: %v", err)
	}
	fresh := reopen(t, js)
	day := mustDay(t, fresh)
	if len(day.Bad) != 0 || len(day.Windows) != 2 || describe(day) != describe(mustDay(t, j)) {
		t.Errorf("the split chunk folds to %d windows, %v", len(day.Windows), day.Bad)
	}
	if o, _ := day.Window(big.Windows[0].Local); len(o.Rows) != 2000 {
		t.Errorf("%d rows of 2000", len(o.Rows))
	}
}

func TestUnreadableMessageIsSkippedAndTold(t *testing.T) {
	j, js := open(t)
	seq := mustAppend(t, j, chunkOf(t, observe(t, 0, 1)), 0)
	key := Key{"ventas", testDay}
	ack, err := js.Publish(t.Context(), key.Subject(), []byte("junk"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Append(t.Context(), chunkOf(t, observe(t, 1, 1)), seq); !errors.Is(err, ErrMoved) {
		t.Fatalf("appended behind an unread message: %v", err)
	}
	mustAppend(t, j, chunkOf(t, observe(t, 1, 1)), ack.Sequence)
	for _, read := range []*Journal{j, reopen(t, js)} {
		day := mustDay(t, read)
		if len(day.Windows) != 2 || len(day.Bad) != 1 || day.Bad[0].Seq != ack.Sequence {
			t.Errorf("%d windows, bad %v", len(day.Windows), day.Bad)
		}
	}
}

func TestPurgedDayIsReadAnew(t *testing.T) {
	j, js := open(t)
	seq := mustAppend(t, j, chunkOf(t, observe(t, 0, 1)), 0)
	stream, _ := js.Stream(t.Context(), schemas.JournalStream)
	if err := stream.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	if day := mustDay(t, j); day.Seq != 0 || len(day.Windows) != 0 {
		t.Fatalf("after a purge the journal still tells %+v", day)
	}
	if _, err := j.Append(t.Context(), chunkOf(t, observe(t, 1, 1)), seq); !errors.Is(err, ErrMoved) {
		t.Errorf("appended behind a message that is gone: %v", err)
	}
	mustAppend(t, j, chunkOf(t, observe(t, 1, 1)), 0)
}

func TestDays(t *testing.T) {
	j, _ := open(t)
	for _, key := range []Key{{"ventas", testDay}, {"soporte", testDay + 1}, {"ventas", testDay - 1}} {
		c := &Chunk{Key: key, Timezone: "America/Bogota", Grid: fiveMinutes(t)}
		mustAppend(t, j, c, 0)
	}
	all, err := j.Days(t.Context(), "")
	if err != nil || fmt.Sprint(all) != "[soporte 2026-11-03 ventas 2026-11-01 ventas 2026-11-02]" {
		t.Errorf("days are %v, %v", all, err)
	}
	some, err := j.Days(t.Context(), "ventas")
	if err != nil || fmt.Sprint(some) != "[ventas 2026-11-01 ventas 2026-11-02]" {
		t.Errorf("days are %v, %v", some, err)
	}
}

// TestSettledDayIsRolledUp: a comparison holds until a window changes, and a
// day told whole is one message with the same content.
func TestSettledDayIsRolledUp(t *testing.T) {
	j, js := open(t)
	cached := reopen(t, js)
	first := mustAppend(t, j, chunkOf(t, observe(t, 0, 1, `{"a":1}`), observe(t, 1, 1)), 0)
	mustDay(t, cached)
	second := mustAppend(t, j, chunkOf(t, observe(t, 1, 2, `{"b":1}`)), first)
	at := time.Date(2026, 11, 3, 1, 0, 0, 0, time.UTC)
	agreed := chunkOf(t)
	agreed.Compared = &Comparison{At: at, Total: 2}
	third := mustAppend(t, j, agreed, second)
	day := mustDay(t, j)
	if day.Compared == nil || !day.Compared.At.Equal(at) || day.Compared.Final || day.Compared.Total != 2 {
		t.Fatalf("compared is %+v", day.Compared)
	}
	before := describe(day)

	whole := chunkOf(t, day.Windows...)
	whole.Whole, whole.Compared = true, &Comparison{At: at.Add(time.Hour), Final: true, Total: 2}
	if _, err := j.Append(t.Context(), whole, second); !errors.Is(err, ErrMoved) {
		t.Fatalf("rolled up from an old fold: %v", err)
	}
	fourth := mustAppend(t, j, whole, third)
	if again := mustAppend(t, j, whole, third); again != fourth {
		t.Errorf("rolling up again after a lost answer gives message %d, was %d", again, fourth)
	}
	stream, err := js.Stream(t.Context(), schemas.JournalStream)
	if err != nil {
		t.Fatal(err)
	}
	info, err := stream.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if info.State.Msgs != 1 {
		t.Errorf("%d messages are left of the day", info.State.Msgs)
	}
	for name, reader := range map[string]*Journal{"writer": j, "cached": cached, "fresh": reopen(t, js)} {
		day := mustDay(t, reader)
		if describe(day) != before || day.Seq != fourth || day.Compared == nil || !day.Compared.Final {
			t.Errorf("%s: the day rolled up is\n%s%+v\nwas\n%s", name, describe(day), day.Compared, before)
		}
	}

	mustAppend(t, j, chunkOf(t, observe(t, 0, 2)), fourth)
	if day := mustDay(t, j); day.Compared != nil || len(day.Windows) != 2 {
		t.Errorf("after a correction the day is still compared: %+v", day.Compared)
	}
}
