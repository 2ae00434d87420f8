package events

import (
	"slices"
	"strings"
	"testing"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
)

// TestForget: told that an agent is another, the stream forgets that it ever
// said otherwise, and its consumers find what the journal says.
func TestForget(t *testing.T) {
	url, js := newStream(t)
	r := newRig(t, url, js, "ventas")
	other := newRig(t, url, js, "cobros") // the same agents, of another operation
	s := openSink(t, url)
	const was, is = "Agente 00001", "erased:1"
	past := sinks.Past{Operation: "ventas", Agent: func(name string) bool { return name == was }}
	if !named(t, r, was) {
		t.Fatalf("no event names %q: nothing is tested", was)
	}
	if n, err := s.Forget(t.Context(), past); n != 0 || err == nil || !strings.Contains(err.Error(), "still names the agent") {
		t.Errorf("before the sink knows, Forget gives %d, %v", n, err)
	}
	windows := slices.Clone(r.source.Windows(r.key))
	for i := range windows {
		w := &windows[i]
		w.Rows = slices.Clone(w.Rows)
		for k := range w.Rows {
			if w.Rows[k].Agent == was {
				w.Rows[k].Agent = is
			}
		}
		slices.SortFunc(w.Rows, schemas.Row.Compare)
	}
	r.observe(windows...)
	r.converge(s)
	n, err := s.Forget(t.Context(), past)
	if n == 0 || err != nil {
		t.Fatalf("Forget gives %d, %v", n, err)
	}
	if named(t, r, was) || !named(t, r, is) || !named(t, other, was) {
		t.Errorf("the stream names the agent: %v, the other name: %v, the other operation's agent: %v", named(t, r, was), named(t, r, is), named(t, other, was))
	}
	after := consume(t, js, "ventas", 1<<62)
	after.holds(t, "ventas", r.source.Windows(r.key))
	if left, _ := r.audit(s); len(left) > 0 {
		t.Errorf("there differ %q", left)
	}
	for name, worker := range map[string]*Sink{"the same": s, "another": openSink(t, url)} {
		if change := r.converge(worker); change != (sinks.Change{}) {
			t.Errorf("then %s process tells %+v", name, change)
		}
	}
	if n, err := s.Forget(t.Context(), past); n != 0 || err != nil {
		t.Errorf("a second time Forget gives %d, %v", n, err)
	}
	r.goesOn(s)
	other.goesOn(s)
}

// named reports whether any event of an operation has a text in it.
func named(t *testing.T, r *rig, text string) bool {
	t.Helper()
	return slices.ContainsFunc(readAll(t, r.js, "chat7.events."+r.key.Operation+".>"), func(m received) bool {
		return strings.Contains(string(m.data), `"`+text+`"`)
	})
}
