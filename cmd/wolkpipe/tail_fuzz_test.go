package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"wolkpipe/schemas"
)

// FuzzTail shows any message that could be on the stream: a terminal is sent
// nothing but lines of text, and a pipe one line of JSON, or none.
func FuzzTail(f *testing.F) {
	_, event, err := schemas.NewRow(schemas.RowData{
		Operation: "ventas", WindowLocal: "2026-11-01T10:00:00", Agent: "Ana Niño", Code: "0012", Interactions: 3, Delta: 3, ObservedAt: time.Unix(0, 0),
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(event, "Ana Niño")
	f.Add([]byte(`{"n": 1}`), "")
	f.Add([]byte(`{"type":"wolkpipe.chat_7.row.v1","data":null}`), "x")
	f.Fuzz(func(t *testing.T, data []byte, agent string) {
		var out bytes.Buffer
		if err := showJSON(&out)(data); err != nil {
			t.Fatal(err)
		}
		if line, whole := strings.CutSuffix(out.String(), "\n"); out.Len() > 0 && (!whole || strings.Contains(line, "\n") || !json.Valid([]byte(line))) {
			t.Errorf("in a pipe %q is %q", data, out.String())
		}
		out.Reset()
		show := showTable(&out)
		header := out.Len()
		if err := show(data); err != nil {
			t.Fatal(err)
		}
		shown := string(out.Bytes()[header:])
		line, whole := strings.CutSuffix(shown, "\n")
		if shown != "" && !whole || !utf8.ValidString(line) || strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("on a terminal %q is %q", data, shown)
		}
		if len(line) > 1000 {
			t.Errorf("on a terminal %d bytes are a line of %d", len(data), len(line))
		}
		o := tailOptions{agent: agent, code: agent, withCode: true}
		if !o.wants(data) && agent == "" {
			t.Errorf("%q is left out, though no agent is asked for", data)
		}
		// Of tokens as operations are named, one of which stands for any.
		if n := strings.Count(o.subject(), "."); n != 4 || strings.ContainsAny(o.subject(), " \t\r\n>") {
			t.Errorf("--code %q filters by %q", agent, o.subject())
		}
	})
}
