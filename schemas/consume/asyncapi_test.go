package consume_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wolkpipe/sinks/sinktest/servers"
)

// program finds a program that a test needs, or skips the test; it fails
// where all must be there.
func program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return path
}

// validated is what AsyncAPI's own parser says of a document.
type validated struct{ Problems, Addresses []string }

func validate(t testing.TB, document string) (v validated) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program(t, "node"), "testdata/asyncapi/validate.mjs", servers.NPM(t, "testdata/asyncapi"), document)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, complaint.String())
	}
	if err := json.Unmarshal(out, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestAsyncAPIIsValid: by the parser, with its rules, that AsyncAPI's command
// line has inside. What the document says is tested in package schemas.
func TestAsyncAPIIsValid(t *testing.T) {
	v := validate(t, "../asyncapi.yaml")
	for _, problem := range v.Problems {
		t.Error(problem)
	}
	slices.Sort(v.Addresses)
	if want := []string{"chat7.events.{operation}.day.{day}", "chat7.events.{operation}.row.{code}", "chat7.events.{operation}.window.{day}",
		"chat7.quarantine.{operation}.{day}"}; !slices.Equal(v.Addresses, want) {
		t.Errorf("the channels are %q, want %q", v.Addresses, want)
	}
}

// TestAsyncAPICanBeInvalid: the parser sees what is wrong.
func TestAsyncAPICanBeInvalid(t *testing.T) {
	if testing.Short() {
		t.Skip("the parser is started once for each")
	}
	text, err := os.ReadFile("../asyncapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{
		{"json/day.json", "json/days.json"},
		{"action: receive", "action: listen"},
		{"  operationBindings:\n    nats:\n      nats: {", "  operationBindings:\n    nats:\n      nats: {stream: CHAT7_EVENTS, "},
	} {
		dir := t.TempDir()
		if err := os.CopyFS(filepath.Join(dir, "json"), os.DirFS("../json")); err != nil {
			t.Fatal(err)
		}
		changed := strings.Replace(string(text), c[0], c[1], 1)
		if changed == string(text) {
			t.Fatalf("%q is not there", c[0])
		}
		document := filepath.Join(dir, "asyncapi.yaml")
		if err := os.WriteFile(document, []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		if v := validate(t, document); len(v.Problems) == 0 {
			t.Errorf("with %q in place of %q it is valid", c[1], c[0])
		}
	}
}
