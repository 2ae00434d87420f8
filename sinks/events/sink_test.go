package events

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/sinktest"
)

// layout is the order of events on the stream, one letter for each type, a
// batch in brackets.
func layout(t *testing.T, js jetstream.JetStream) string {
	t.Helper()
	var b strings.Builder
	batch := ""
	for _, m := range readAll(t, js) {
		if id := m.get("Nats-Batch-Id"); id != batch || id == "" {
			if batch = id; b.Len() > 0 {
				b.WriteByte(' ')
			}
		}
		b.WriteString(strings.Split(m.subject, ".")[3][:1])
	}
	return b.String()
}

func TestBatches(t *testing.T) {
	url, js := newStream(t)
	s := openSink(t, url)
	settled := theDay(window(0, 3, 2), again(window(1), 1), again(window(2, 1), 1))
	settled.State = schemas.Settled
	correction := theDay(again(window(2), 2))
	for _, step := range []struct {
		name   string
		day    *sinks.Day
		change sinks.Change
		layout string // of what is new
	}{
		{"an empty window, the first of its day", theDay(window(1)), sinks.Change{Windows: 1, Writes: 1}, "dw"},
		{"an empty window", theDay(window(2)), sinks.Change{Windows: 1, Writes: 1}, "w"},
		{"rows and an equal observation", theDay(window(0, 3, 2), again(window(1), 1)), sinks.Change{Windows: 2, Rows: 2, Writes: 1}, "rrww"},
		{"a change that settles the day", settled, sinks.Change{Windows: 1, Rows: 1, Writes: 1}, "rdw"},
		{"nothing", settled, sinks.Change{}, ""},
		{"a correction", correction, sinks.Change{Windows: 1, Rows: 1, Writes: 1}, "rdw"},
		{"an older day", settled, sinks.Change{}, ""},
		{"nothing known", theDay(), sinks.Change{}, ""},
		{"the day settles again", func() *sinks.Day {
			d := *correction
			d.State = schemas.Settled
			return &d
		}(), sinks.Change{Writes: 1}, "d"},
	} {
		before := layout(t, js)
		if got := commitTo(t, load(t, s), step.day); got != step.change {
			t.Errorf("%s: %+v, want %+v", step.name, got, step.change)
		}
		if got := strings.TrimSpace(strings.TrimPrefix(layout(t, js), before)); got != step.layout {
			t.Errorf("%s: %q, want %q", step.name, got, step.layout)
		}
	}
	a := auditAll(t, js)
	want := schemas.DayData{
		Operation: "ventas", Day: "2026-11-01", Timezone: "America/Bogota", Revision: 4, State: schemas.Settled,
		WindowsExpected: 288, WindowsObserved: 3, RowCount: 2, Interactions: 5,
	}
	if got := a.days[testKey]; got != want {
		t.Errorf("the day is told as\n%+v, want\n%+v", got, want)
	}
}

func TestDayTellsWhatItsBatchLeaves(t *testing.T) {
	url, js := newStream(t)
	s := openSink(t, url)
	s.limits.messages = 5
	day := theDay(window(0, 1), window(1, 2), again(window(2, 3), 7))
	day.State = schemas.Settled
	commitTo(t, load(t, s), day)
	if got := layout(t, js); got != "rwrdw rdw" {
		t.Errorf("the stream holds %q", got)
	}
	var got []string
	for _, m := range readAll(t, js, "chat7.events.ventas.day.20261101") {
		e := decode[schemas.Event[schemas.DayData]](t, m.data)
		got = append(got, fmt.Sprint(e.Subject, " ", e.Time.Format(time.TimeOnly), " ", e.Data.Revision, e.Data.State, e.Data.WindowsObserved, e.Data.RowCount, e.Data.Interactions))
	}
	want := []string{"2026-11-01 12:00:07 1provisional2 2 3", "2026-11-01 12:00:07 2settled3 3 6"}
	if !slices.Equal(got, want) {
		t.Errorf("the day is told as\n%q, want\n%q", got, want)
	}
}

func TestRevisions(t *testing.T) {
	url, js := newStream(t)
	s := openSink(t, url)
	s.limits.messages = 4 // two rows, the window event, room for the day's
	first := window(0, 1, 2, 3, 4, 5)
	first.Revision = 4
	commitTo(t, load(t, s), theDay(first)) // 4, 5, 6
	second := again(first, 1)              // 5 in the journal
	second.Rows = slices.Clone(second.Rows)
	second.Rows[0].Interactions = 9
	commitTo(t, load(t, s), theDay(second))
	third := again(first, 20) // 24
	commitTo(t, load(t, s), theDay(third))
	var got []int64
	for _, m := range readAll(t, js, "chat7.events.ventas.window.20261101") {
		got = append(got, decode[schemas.Event[schemas.WindowData]](t, m.data).Data.Revision)
	}
	if want := []int64{4, 5, 6, 7, 24}; !slices.Equal(got, want) {
		t.Errorf("the revisions are %d, want %d", got, want)
	}
	auditAll(t, js)
}

// The same observation with other content is a repair; an older one is not
// told, whatever it says.
func TestRepair(t *testing.T) {
	url, js := newStream(t)
	s := openSink(t, url)
	commitTo(t, load(t, s), theDay(again(window(0, 1), 5)))
	repaired := again(window(0, 2), 5)
	if change := commitTo(t, load(t, s), theDay(repaired)); change.Windows != 1 || change.Rows != 1 {
		t.Errorf("a repair is %+v", change)
	}
	if change := commitTo(t, load(t, s), theDay(again(window(0, 3), 4))); change != (sinks.Change{}) {
		t.Errorf("an older observation is %+v", change)
	}
	a := auditAll(t, js)
	if d := sinktest.Diff([]schemas.Window{repaired}, a.contents(testKey)); d != "" {
		t.Error(d)
	}
}

func TestPartsOfALargeWindow(t *testing.T) {
	url, js := newStream(t)
	w := window(0)
	for i := range 300 {
		w.Rows = append(w.Rows, schemas.Row{Agent: fmt.Sprintf("%04d%s", i, strings.Repeat("ñ", 2000)), Code: "1", Interactions: 1})
	}
	w.Method = schemas.Direct
	commitTo(t, load(t, openSink(t, url)), theDay(w))
	a := auditAll(t, js)
	if d := sinktest.Diff([]schemas.Window{w}, a.contents(testKey)); d != "" {
		t.Error(d)
	}
	if got := a.windows[[2]string{"ventas", w.Local}]; got.Parts != 3 || got.RowCount != 300 {
		t.Errorf("%d parts, %d rows, want 3, 300", got.Parts, got.RowCount)
	}
	// What was told in parts is read as a whole.
	if change := commitTo(t, load(t, openSink(t, url)), theDay(w)); change != (sinks.Change{}) {
		t.Errorf("the same again is %+v", change)
	}
}

func TestRowTTL(t *testing.T) {
	url, js := newStream(t)
	s, err := Open(t.Context(), Options{JetStream: connect(t, url), RowTTL: 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	commitTo(t, load(t, s), theDay(window(0, 1, 2), window(1)))
	for _, m := range readAll(t, js) {
		want := ""
		if strings.Contains(m.subject, ".row.") {
			want = "24h0m0s"
		}
		if got := m.get("Nats-TTL"); got != want {
			t.Errorf("%s expires after %q, want %q", m.subject, got, want)
		}
	}
}

// A day that only changes its state has no window event to be guarded by.
func TestStateRaces(t *testing.T) {
	url, js := newStream(t)
	one, two := openSink(t, url), openSink(t, url)
	day := theDay(window(0, 1))
	commitTo(t, load(t, one), day)
	settled := *day
	settled.State = schemas.Settled
	correction := theDay(again(window(0, 2), 1))

	t.Run("a correction after the day settled", func(t *testing.T) {
		late := load(t, two)
		commitTo(t, load(t, one), &settled)
		if _, err := late.Commit(t.Context(), correction); !errors.Is(err, sinks.ErrConflict) {
			t.Errorf("Commit gives %v, want a conflict: it did not tell that the day is provisional", err)
		}
		commitTo(t, load(t, two), correction)
		if a := auditAll(t, js); a.days[testKey].State != schemas.Provisional {
			t.Errorf("the day is told as %s", a.days[testKey].State)
		}
	})
	t.Run("settling after a correction", func(t *testing.T) {
		corrected := *correction
		corrected.State = schemas.Settled
		late := load(t, two)
		commitTo(t, load(t, one), theDay(again(window(0, 5), 2)))
		if _, err := late.Commit(t.Context(), &corrected); !errors.Is(err, sinks.ErrConflict) {
			t.Errorf("Commit gives %v, want a conflict", err)
		}
	})
	t.Run("a correction after another told the state", func(t *testing.T) {
		last := theDay(again(window(0, 5), 2))
		last.State = schemas.Settled
		commitTo(t, load(t, one), last)
		late := load(t, two)
		reopened := *last
		reopened.State = schemas.Provisional
		commitTo(t, load(t, one), &reopened)
		if _, err := late.Commit(t.Context(), theDay(again(window(0, 6), 3))); !errors.Is(err, sinks.ErrConflict) {
			t.Errorf("Commit gives %v, want a conflict: the day's state was told twice", err)
		}
		auditAll(t, js)
	})
	t.Run("two settle", func(t *testing.T) {
		last := theDay(again(window(0, 7), 4))
		commitTo(t, load(t, one), last)
		last.State = schemas.Settled
		first, second := load(t, one), load(t, two)
		commitTo(t, first, last)
		awaitForgotten(t, js)
		if _, err := second.Commit(t.Context(), last); !errors.Is(err, sinks.ErrConflict) {
			t.Errorf("Commit gives %v, want a conflict", err)
		}
		auditAll(t, js)
	})
}

func TestLoadRefusesBadKeys(t *testing.T) {
	url, _ := newStream(t)
	s := openSink(t, url)
	for _, key := range []sinks.Key{
		{}, {Operation: "a.b", Day: "2026-11-01"}, {Operation: ">", Day: "2026-11-01"}, {Operation: "*", Day: "2026-11-01"},
		{Operation: "ventas", Day: "20261101"}, {Operation: "ventas", Day: "2026-11-31"}, {Operation: "ventas", Day: "*"},
	} {
		if _, err := s.Load(t.Context(), key); err == nil {
			t.Errorf("%q is taken", key)
		}
	}
	twice := window(0, 1, 2)
	twice.Rows[1] = twice.Rows[0]
	if _, err := load(t, s).Commit(t.Context(), theDay(twice)); err == nil || !strings.Contains(err.Error(), "two rows") {
		t.Errorf("a window with a key that stands twice gives %v", err)
	}
}

func TestOpenNamesTheMend(t *testing.T) {
	js := connect(t, startServer(t, t.TempDir()).ClientURL())
	open := func(ttl time.Duration) error {
		_, err := Open(t.Context(), Options{JetStream: js, RowTTL: ttl})
		return err
	}
	expect := func(err error, hint string) {
		t.Helper()
		var mend *sinks.Error
		if !errors.As(err, &mend) || !strings.Contains(mend.Hint, hint) {
			t.Errorf("Open gives %v, want a hint of %q", err, hint)
		}
	}
	expect(open(0), "wolkpipe run")
	config := streamConfig()
	config.AllowAtomicPublish, config.AllowMsgTTL = false, false
	if _, err := js.CreateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	expect(open(0), "nats stream edit CHAT7_EVENTS --allow-batch")
	config.AllowAtomicPublish = true
	if _, err := js.UpdateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	expect(open(time.Hour), "nats stream edit CHAT7_EVENTS --allow-msg-ttl")
	if err := open(0); err != nil {
		t.Error(err)
	}
	if err := open(1500 * time.Millisecond); err == nil {
		t.Error("a row_ttl of 1.5s is taken")
	}
}
