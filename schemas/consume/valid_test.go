package consume_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"wolkpipe/schemas"
	"wolkpipe/schemas/consume"
)

// validator checks messages by the schemas that package schemas gives.
type validator struct {
	t     testing.TB
	byURN map[string]*jsonschema.Schema
	seen  map[string]int // by type, and what else a test wants to have seen
}

func newValidator(t testing.TB) *validator {
	v := &validator{t: t, byURN: map[string]*jsonschema.Schema{}, seen: map[string]int{}}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	for _, typ := range []string{schemas.TypeRow, schemas.TypeWindow, schemas.TypeDay, schemas.TypeQuarantine} {
		data, ok := schemas.JSONSchema(typ)
		if !ok {
			t.Fatalf("%s has no schema", typ)
		}
		schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		urn := "urn:wolkpipe:schema:" + strings.TrimPrefix(typ, "wolkpipe.")
		if err := c.AddResource(urn, schema); err != nil {
			t.Fatal(err)
		}
		if v.byURN[urn], err = c.Compile(urn); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

func (v *validator) valid(urn string, data []byte) {
	v.t.Helper()
	message, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		v.t.Fatalf("%s: %v", data, err)
	}
	schema := v.byURN[urn]
	if schema == nil {
		v.t.Fatalf("%s says that its schema is %q", data, urn)
	}
	if err := schema.Validate(message); err != nil {
		v.t.Errorf("%s: %v", data, err)
	}
}

// event checks an event by the schema that it names, and counts what it is.
func (v *validator) event(data []byte) schemas.Event[map[string]any] {
	v.t.Helper()
	var e schemas.Event[map[string]any]
	if err := json.Unmarshal(data, &e); err != nil {
		v.t.Fatalf("%s: %v", data, err)
	}
	v.valid(e.DataSchema, data)
	if _, err := consume.Decode(data); err != nil {
		v.t.Error(err)
	}
	v.seen[e.Type]++
	for _, name := range []string{"cause", "method", "state"} {
		if value, ok := e.Data[name]; ok {
			v.seen[fmt.Sprint(name, " ", value)]++
		}
	}
	return e
}

// wants fails where the test has not seen all that it is about.
func (v *validator) wants(names ...string) {
	v.t.Helper()
	for _, name := range names {
		if v.seen[name] == 0 {
			v.t.Errorf("of %q none was seen: %v", name, v.seen)
		}
	}
}

// TestToldEventsAreValid: what the sinks tell through the embedded server,
// with corrections, vanished rows, rejects, parts, and the repair of losses.
func TestToldEventsAreValid(t *testing.T) {
	r, v := newRig(t), newValidator(t)
	rejected := window(3, 0, 2)
	rejected.Dropped = 2
	for _, raw := range []string{`{"interactions": "x", "agent_name": "Ana"}`, "\xff<html>", "", `7`, `null`} {
		rejected.Rejects = append(rejected.Rejects, schemas.Reject{Reason: "interactions is no count", Raw: []byte(raw)})
	}
	derived := window(2, 1)
	derived.Method, derived.Cause = schemas.Derived, schemas.Backfill
	large := window(5)
	long := strings.Repeat("x", 20<<10)
	for i := range 40 {
		large.Rows = append(large.Rows, schemas.Row{Agent: fmt.Sprintf("agent %02d", i), Code: "TIMEOUTCHAT", Description: &long, Interactions: 1})
	}
	large.Method, large.Cause = schemas.Direct, schemas.CatchUp
	r.tell(schemas.Provisional, window(0, 3, 2, 1, 4), window(1), derived, rejected)
	settled := window(0, 1, 0, 1, 5)
	settled.Cause = schemas.Settle
	r.tell(schemas.Settled, settled, large)
	r.lose(0)                                        // what is left of 3 and 1 less 3 is -2: the repair's previous
	r.tell(schemas.Provisional, window(0), rejected) // the rows vanish
	r.lose(0)

	for _, m := range r.stored(schemas.EventsStream, schemas.EventsSubjects) {
		e := v.event(m.Data())
		if h := m.Headers(); h.Get(jetstream.MsgIDHeader) != e.ID || h.Get("Content-Type") != schemas.ContentType {
			t.Errorf("event %s has the headers %v", e.ID, h)
		}
		if n, ok := e.Data["previous"].(float64); ok && n < 0 {
			v.seen["less than none"]++
		}
		if n, ok := e.Data["parts"].(float64); ok && n > 1 {
			v.seen["in parts"]++
		}
	}
	for _, m := range r.stored(schemas.QuarantineStream, schemas.QuarantineSubjects) {
		v.valid("urn:wolkpipe:schema:chat_7.quarantine.v1", m.Data())
		v.seen["rejected"]++
		if got := m.Headers().Get("Content-Type"); got != "application/json" {
			t.Errorf("a reject has the Content-Type %q", got)
		}
	}
	t.Log(v.seen)
	v.wants(schemas.TypeRow, schemas.TypeWindow, schemas.TypeDay, "rejected", "in parts", "less than none", "cause live", "cause catchup", "cause backfill",
		"cause settle", "cause repair", "method direct", "method empty", "method derived", "state provisional", "state settled")
}

// TestDemoEventsAreValid: every event of the whole job, from the simulator's
// answers on, as `wolkpipe tail` prints them.
func TestDemoEventsAreValid(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds and runs the program")
	}
	dir, binary := t.TempDir(), filepath.Join(t.TempDir(), "wolkpipe")
	run := func(name string, args ...string) []byte {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Env = append(os.Environ(), "WOLKPIPE_CONFIG=")
		var complaint bytes.Buffer
		cmd.Stderr = &complaint
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s %q: %v\n%s", name, args, err, complaint.String())
		}
		return out
	}
	run("go", "build", "-o", binary, "wolkpipe/cmd/wolkpipe")
	run(binary, "demo", "--days", "1", "--dir", dir)
	v := newValidator(t)
	for line := range bytes.Lines(run(binary, "tail", "-c", filepath.Join(dir, "wolkpipe.yaml"))) {
		v.event(line)
	}
	t.Log(v.seen)
	v.wants(schemas.TypeRow, schemas.TypeWindow, "method direct", "method empty", "cause live")
}
