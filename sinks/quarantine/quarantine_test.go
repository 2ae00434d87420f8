package quarantine

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
)

// raws are n different raw rows.
func raws(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(`{"interactions":"-%d","agent_name":"Ana","cod_act":"1"}`, i+1)
	}
	return all
}

// data are the messages' bodies.
func data(all []stored) []string {
	var texts []string
	for _, s := range all {
		texts = append(texts, s.data)
	}
	return texts
}

func TestRejectsAreTold(t *testing.T) {
	server, js := newStream(t)
	sink := open(t, server, nil)
	day := fold(win(0, 1), win(1, 3, `{"interactions": "-1", "agent_name": "Ana <b>&amp;"}`, "<html>\n"), win(2, 1, `null`))
	change := commit(t, sink, day)
	if want := (sinks.Change{Windows: 2, Rows: 3, Writes: 1}); change != want {
		t.Errorf("Change = %+v, want %+v", change, want)
	}
	got := readAll(t, js, schemas.QuarantineSubjects)
	want := []string{
		`{"operation":"ventas","window_local":"2026-11-01T00:05:00","revision":3,"reason":"interactions is not a count","raw":{"interactions":"-1","agent_name":"Ana <b>&amp;"}}`,
		`{"operation":"ventas","window_local":"2026-11-01T00:05:00","revision":3,"reason":"interactions is not a count","raw":"<html>\n"}`,
		`{"operation":"ventas","window_local":"2026-11-01T00:10:00","revision":1,"reason":"interactions is not a count","raw":null}`,
	}
	if !slices.Equal(data(got), want) {
		t.Errorf("told\n%s\nwant\n%s", strings.Join(data(got), "\n"), strings.Join(want, "\n"))
	}
	for _, m := range got {
		if m.subject != subject || m.batch != got[0].batch || m.batch == "" {
			t.Errorf("message %d is on %s in batch %q, want all on %s in one", m.seq, m.subject, m.batch, subject)
		}
	}
}

func TestTheSameAgainWritesNothing(t *testing.T) {
	server, js := newStream(t)
	// Rejects that are alike to the byte are one message each.
	day := fold(win(0, 1, "x", "x", `{"a":1}`), win(1, 2, "\xff\xfe"), win(2, 1, ""))
	commit(t, open(t, server, nil), day)
	before := readAll(t, js, schemas.QuarantineSubjects)
	if len(before) != 5 {
		t.Fatalf("%d messages, want 5", len(before))
	}
	sink := open(t, server, nil)
	for range 3 {
		if change := commit(t, sink, day); change != (sinks.Change{}) {
			t.Errorf("Change = %+v, want zero", change)
		}
	}
	if after := readAll(t, js, schemas.QuarantineSubjects); len(after) != 5 {
		t.Errorf("%d messages after the same again, want 5", len(after))
	}
}

func TestRevisions(t *testing.T) {
	server, js := newStream(t)
	sink := open(t, server, nil)
	steps := []struct {
		what string
		day  *sinks.Day
		want int // messages told
	}{
		{"first", fold(win(0, 2, "a", "b"), win(1, 1, "c")), 3},
		{"a window absent", fold(win(1, 1, "c")), 0},
		{"a change repeats the rejects", fold(win(0, 3, "a", "b"), win(1, 1, "c")), 2},
		{"an older fold", fold(win(0, 2, "a", "b", "z")), 0},
		{"a change without rejects", fold(win(0, 4), win(1, 1, "c")), 0},
		{"with them again", fold(win(0, 5, "a"), win(1, 1, "c")), 1},
		{"older and newer in one day", fold(win(0, 3, "z"), win(1, 2, "d")), 1},
		{"no rejects at all", fold(win(0, 6), win(1, 3)), 0},
		{"nothing known", fold(), 0},
	}
	total := 0
	for _, step := range steps {
		change := commit(t, sink, step.day)
		if change.Rows != step.want || (change.Writes > 0) != (step.want > 0) {
			t.Errorf("%s: Change = %+v, want %d rows", step.what, change, step.want)
		}
		total += step.want
		if got := len(readAll(t, js, schemas.QuarantineSubjects)); got != total {
			t.Fatalf("%s: %d messages in the stream, want %d", step.what, got, total)
		}
	}
}

func TestDaysAndOperationsDoNotMix(t *testing.T) {
	server, js := newStream(t)
	sink := open(t, server, nil)
	for _, k := range []sinks.Key{key, {Operation: "ventas", Day: "2026-11-02"}, {Operation: "ventas-2", Day: key.Day}} {
		day := fold(win(0, 1, "a"))
		day.Key = k
		if change := commit(t, sink, day); change.Rows != 1 {
			t.Errorf("%s: Change = %+v, want a row", k, change)
		}
	}
	for _, filter := range []string{subject, "chat7.quarantine.ventas.20261102", "chat7.quarantine.ventas-2.20261101"} {
		if got := readAll(t, js, filter); len(got) != 1 {
			t.Errorf("%d messages on %s, want 1", len(got), filter)
		}
	}
}

// Many rejects of a window take several batches; those of a window that one
// batch holds are never parted.
func TestBatches(t *testing.T) {
	server, js := newStream(t)
	sink := open(t, server, nil)
	day := fold(win(0, 1, raws(600)...), win(1, 1, raws(600)...), win(2, 1, raws(2500)...), win(3, 1, raws(3)...))
	change := commit(t, sink, day)
	if change.Windows != 4 || change.Rows != 3703 || change.Writes != 5 {
		t.Errorf("Change = %+v, want 4 windows and 3703 rows in 5 writes", change)
	}
	got := readAll(t, js, subject)
	batchOf := map[string]map[string]int{}
	sizes := map[string]int{}
	for _, m := range got {
		if batchOf[m.WindowLocal] == nil {
			batchOf[m.WindowLocal] = map[string]int{}
		}
		batchOf[m.WindowLocal][m.batch]++
		sizes[m.batch]++
	}
	for i, want := range []int{1, 1, 3, 1} {
		if got := len(batchOf[win(i, 1).Local]); got != want {
			t.Errorf("window %d is in %d batches, want %d", i, got, want)
		}
	}
	for batch, n := range sizes {
		if n > maxBatch {
			t.Errorf("batch %s has %d messages", batch, n)
		}
	}
	if change := commit(t, sink, day); change != (sinks.Change{}) || len(got) != 3703 {
		t.Errorf("%d messages, and again Change = %+v", len(got), change)
	}
}

func TestBatchesAreBoundInBytes(t *testing.T) {
	large := strings.Repeat("x", 300<<10)
	var all []reject
	for i := range 30 {
		all = append(all, reject{fmt.Sprint(i / 20), []byte(large)}) // 20 and 10, of 6 MB and 3 MB
	}
	var sizes []int
	for _, b := range batches(all) {
		sizes = append(sizes, len(b))
	}
	if want := []int{13, 7, 10}; !slices.Equal(sizes, want) {
		t.Errorf("batches of %d, want %d", sizes, want)
	}
	if got := batches(nil); got != nil {
		t.Errorf("batches of nothing: %v", got)
	}
}

func TestOpenNamesTheMend(t *testing.T) {
	server := startServer(t, 2*maxMessage-1)
	js := connect(t, server)
	expect := func(hint string) {
		t.Helper()
		_, err := Open(t.Context(), Options{JetStream: js})
		var e *sinks.Error
		if !errors.As(err, &e) || !strings.Contains(e.Hint, hint) {
			t.Errorf("Open gave %v, want a *sinks.Error with a hint that has %q", err, hint)
		}
	}
	expect("wolkpipe run")
	config := streamConfig()
	config.AllowAtomicPublish = false
	if _, err := js.CreateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	expect("--allow-batch")
	if _, err := js.UpdateStream(t.Context(), streamConfig()); err != nil {
		t.Fatal(err)
	}
	expect("max_payload to 1048576")
}

// What a stranger put on the subject stops the day, and says how to go on.
func TestStrangeMessage(t *testing.T) {
	server, js := newStream(t)
	if _, err := js.Publish(t.Context(), subject, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	sink := open(t, server, nil)
	held, err := sink.Load(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	_, err = held.Commit(t.Context(), fold(win(0, 1, "a")))
	var e *sinks.Error
	if !errors.As(err, &e) || !strings.Contains(e.Hint, "nats stream rmm CHAT7_QUARANTINE 1") {
		t.Fatalf("Commit gave %v, want a *sinks.Error that tells how to delete message 1", err)
	}
	stream, err := js.Stream(t.Context(), schemas.QuarantineStream)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.DeleteMsg(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	commit(t, sink, fold(win(0, 1, "a")))
}

// An operator who purges a day gets what still counts again.
func TestPurge(t *testing.T) {
	server, js := newStream(t)
	sink := open(t, server, nil)
	commit(t, sink, fold(win(0, 1, "a"), win(1, 1, "b")))
	day := fold(win(0, 2), win(1, 1, "b"))
	commit(t, sink, day)
	stream, err := js.Stream(t.Context(), schemas.QuarantineStream)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(t.Context(), jetstream.WithPurgeSubject(subject)); err != nil {
		t.Fatal(err)
	}
	commit(t, sink, day)
	if got := readAll(t, js, subject); len(got) != 1 || string(got[0].Raw) != `"b"` {
		t.Errorf("after a purge the stream holds %v, want the row b", data(got))
	}
}

// The message of the guard is deleted and others come after it: the read does
// not wait for it, and the guard refuses what is published.
func TestGuardIsDeleted(t *testing.T) {
	server, js := newStream(t)
	sink := open(t, server, nil)
	commit(t, sink, fold(win(0, 1, "a", "b")))
	stale, err := sink.Load(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	commit(t, sink, fold(win(0, 2, "c")))
	stream, err := js.Stream(t.Context(), schemas.QuarantineStream)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.DeleteMsg(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	if _, err := stale.Commit(t.Context(), fold(win(0, 1, "a", "b"))); !errors.Is(err, sinks.ErrConflict) {
		t.Errorf("Commit gave %v, want ErrConflict", err)
	}
}
