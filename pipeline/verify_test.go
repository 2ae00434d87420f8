package pipeline

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/pipeline/broker"
	"wolkpipe/pipeline/chat7/chat7sim"
	"wolkpipe/pipeline/window"
	"wolkpipe/schemas"
)

// verify runs Verify in a process of its own.
func (r *rig) verify(to window.Date, repair bool) Verification {
	r.t.Helper()
	defer r.clock.alone()()
	r.owner, r.fill = "verify", true
	defer func() { r.owner, r.fill = "", false }()
	p := r.pipeline()
	v, err := p.Verify(r.t.Context(), "ventas", r.since, to, repair, func(string) {})
	if err != nil {
		r.t.Fatal(err)
	}
	if err := p.LetGo(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	return v
}

// TestVerifyFindsAndMends causes each loss that verify is for: it is found,
// mended from the nearest truth, and then nothing differs.
func TestVerifyFindsAndMends(t *testing.T) {
	purge := func(stream, subject string) func(*testing.T, *rig) {
		return func(t *testing.T, r *rig) {
			s, err := r.js.Stream(t.Context(), stream)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Purge(t.Context(), jetstream.WithPurgeSubject(subject)); err != nil {
				t.Fatal(err)
			}
		}
	}
	object := "chat_7/operation=ventas/day=2026-11-09/chat_7.parquet"
	for name, loss := range map[string]struct {
		cause  func(*testing.T, *rig)
		source bool // it takes the source to mend it
	}{
		"events purged": {purge(schemas.EventsStream, "chat7.events.>"), false},
		"events truncated": {func(t *testing.T, r *rig) {
			s, err := r.js.Stream(t.Context(), schemas.EventsStream)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Purge(t.Context(), jetstream.WithPurgeSequence(s.CachedInfo().State.LastSeq/2)); err != nil {
				t.Fatal(err)
			}
		}, false},
		"a day of the journal": {purge(schemas.JournalStream, schemas.JournalSubject("ventas", "2026-11-09")), true},
		"the whole NATS store": {func(t *testing.T, r *rig) {
			for _, stream := range []string{schemas.JournalStream, schemas.EventsStream, schemas.QuarantineStream, "KV_" + StateBucket} {
				if err := r.js.DeleteStream(t.Context(), stream); err != nil {
					t.Fatal(err)
				}
			}
			if err := broker.EnsureStreams(t.Context(), r.js, broker.Streams{}); err != nil {
				t.Fatal(err)
			}
		}, true},
		"a lake object": {func(t *testing.T, r *rig) {
			if err := os.Remove(filepath.Join(r.folder, object)); err != nil {
				t.Fatal(err)
			}
		}, false},
		"another day's object in its place": {func(t *testing.T, r *rig) {
			data, err := os.ReadFile(filepath.Join(r.folder, "chat_7/operation=ventas/day=2026-11-10/chat_7.parquet"))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(r.folder, object), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, chat7sim.Scenario{Operations: []chat7sim.Operation{small(200)}}, 5, noon)
			r.window, r.additive = time.Hour, yes()
			r.since = window.DateOf(2026, 11, 9)
			r.run(noon.Add(time.Hour))
			to := window.DateOf(2026, 11, 10)
			if v := r.verify(to, false); !v.Agrees() || v.Calls > 3 {
				t.Fatalf("before anything is lost: %+v", v)
			}
			loss.cause(t, r)
			found := r.verify(to, false)
			if found.Agrees() {
				t.Fatalf("the loss is not found: %+v", found)
			}
			if loss.source != (len(found.Missing) > 0) {
				t.Errorf("%d windows are missing in the journal", len(found.Missing))
			}
			if v := r.verify(to, true); !v.Agrees() {
				t.Errorf("after the repair: %+v", v)
			}
			r.check(to)
		})
	}
}

// TestVerifyFindsWhatChangedAtTheSource: corrections that no comparison has
// seen are found, to the row, and taken over by a repair; a window that turned
// empty is asked twice.
func TestVerifyFindsWhatChangedAtTheSource(t *testing.T) {
	r := newRig(t, chat7sim.Scenario{Operations: []chat7sim.Operation{small(200)}, Faults: chat7sim.Faults{
		Late: chat7sim.Lag{Rate: 0.2, Mean: 12 * time.Hour, Max: 24 * time.Hour}, Deleted: chat7sim.Lag{Rate: 0.1, Mean: 12 * time.Hour, Max: 24 * time.Hour},
	}}, 7, noon)
	r.window, r.additive = 15*time.Minute, yes()
	r.since = window.DateOf(2026, 11, 9)
	r.run(noon)
	r.clock.jump(48 * time.Hour) // nothing changes any more
	to := window.DateOf(2026, 11, 9)
	found := r.verify(to, false)
	if len(found.Changed) < 5 {
		t.Fatalf("only %d windows changed: %+v", len(found.Changed), found)
	}
	for _, c := range found.Changed {
		local, err := window.ParseLocal(c.Window)
		if err != nil {
			t.Fatal(err)
		}
		truth := table{}
		for _, k := range r.sim.Truth("ventas", window.Range{From: local, To: local + 900}) {
			truth[[4]string{"ventas", c.Window, k.Agent, k.Code}] = k.Interactions
		}
		for _, row := range c.Rows {
			if truth[[4]string{"ventas", c.Window, row.Agent, row.Code}] != row.Source {
				t.Errorf("%s %s %s: the source is said to have %d", c.Window, row.Agent, row.Code, row.Source)
			}
		}
	}
	if v := r.verify(to, true); !v.Agrees() {
		t.Errorf("after the repair: %+v", v)
	}
	r.asOf = noon.Add(-12 * time.Hour) // of the second day no more than the first runs saw
	truth := r.truth(to)
	lake, events := r.lakeTable(), sumEvents(t, r.js)
	for _, all := range []table{lake, events} {
		for k := range all {
			if k[1] >= "2026-11-10" {
				delete(all, k)
			}
		}
	}
	sameTable(t, "lake", truth, lake)
	sameTable(t, "events", truth, events)
}
