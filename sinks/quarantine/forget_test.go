package quarantine

import (
	"strings"
	"testing"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
)

func TestForget(t *testing.T) {
	server, js := newStream(t)
	sink := open(t, server, nil)
	past := sinks.Past{Operation: "ventas", Raw: func(row []byte) bool { return strings.Contains(string(row), "Ana") }}
	if n, err := sink.Forget(t.Context(), past); n != 0 || err != nil {
		t.Errorf("of nothing, Forget gives %d, %v", n, err)
	}
	commit(t, sink, fold(win(0, 1, `{"agent_name":"Ana"}`, `{"agent_name":"Bo"}`), win(1, 1, `{"agent_name":"Ana"}`)))
	elsewhere := fold(win(0, 1, `{"agent_name":"Ana"}`))
	elsewhere.Operation = "ventas2"
	commit(t, sink, elsewhere)
	day := fold(win(0, 1, `{"agent_name":"erased"}`, `{"agent_name":"Bo"}`), win(1, 2)) // as the journal says then
	commit(t, sink, day)
	if n, err := sink.Forget(t.Context(), past); n != 2 || err != nil {
		t.Errorf("Forget gives %d, %v, want 2", n, err)
	}
	got := strings.Join(data(readAll(t, js, subject)), "\n")
	if strings.Contains(got, "Ana") || strings.Count(got, "Bo") != 1 || strings.Count(got, "erased") != 1 {
		t.Errorf("left are\n%s", got)
	}
	if got := readAll(t, js, schemas.QuarantineSubjects); len(got) != 3 {
		t.Errorf("%d messages are left, want 3: the other operation's too", len(got))
	}
	if change := commit(t, open(t, server, nil), day); change != (sinks.Change{}) {
		t.Errorf("then another process tells %+v", change)
	}
}
