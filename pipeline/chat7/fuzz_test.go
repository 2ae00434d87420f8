package chat7

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzDecode: nothing panics, and an answer is called empty only if package
// json, read plainly, finds an envelope at its end that says so. The rows that
// are found are those that package json finds.
func FuzzDecode(f *testing.F) {
	for _, o := range oddities {
		f.Add(o.status, []byte(o.body))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		e, failure := judge(status, http.Header{}, body)
		if failure != nil {
			_ = failure.Error()
			return
		}
		plain, ok := plainEnvelope(body)
		if !ok {
			t.Fatalf("HTTP %d %q succeeds without an envelope", status, body)
		}
		if e == nil {
			if !saysEmpty(status, plain) {
				t.Fatalf("HTTP %d %q is called empty", status, body)
			}
			return
		}
		const limit = 1 << 20
		rows, full, err := e.list(limit)
		if err != nil || full {
			return
		}
		var want []json.RawMessage
		if err := json.Unmarshal(plain["data"], &want); err != nil || len(want) != len(rows) || len(rows) == 0 {
			t.Fatalf("HTTP %d %q: %d rows, want %d (%v)", status, body, len(rows), len(want), err)
		}
		for i := range rows {
			if !bytes.Equal(rows[i], want[i]) {
				t.Fatalf("HTTP %d %q: row %d is %q, want %q", status, body, i, rows[i], want[i])
			}
		}
	})
}

// plainEnvelope is the first object with a code that reaches to the end of a
// body, if there is one.
func plainEnvelope(body []byte) (map[string]json.RawMessage, bool) {
	for i, b := range body {
		var object map[string]json.RawMessage
		if b == '{' && json.Unmarshal(body[i:], &object) == nil {
			return object, true
		}
	}
	return nil, false
}

// saysEmpty is the rule of the package's documentation, on its own terms.
func saysEmpty(status int, e map[string]json.RawMessage) bool {
	code := strings.TrimSpace(strings.Trim(string(e["code"]), `"`))
	var text string
	if json.Unmarshal(e["code"], &text) == nil {
		code = strings.TrimSpace(text)
	}
	data, hasData := e["data"]
	_, hasMsg := e["msg"]
	_, hasCode := e["code"]
	var rows []any
	if hasData && json.Unmarshal(data, &rows) != nil || len(rows) > 0 {
		return false
	}
	if !hasCode || !hasData && !hasMsg {
		return false
	}
	switch {
	case code == "404":
		return status == 200 || status == 404
	case status != 200:
		return false
	}
	var named string
	switch raw := string(e["error"]); raw {
	case "", "null", "false", "0", "[]", "{}":
	default:
		if json.Unmarshal(e["error"], &named) != nil {
			return false
		}
	}
	switch strings.TrimSpace(named) {
	case "", "0", "false", "[]", "{}":
	default:
		return false
	}
	return code == "200" || (code == "" || code == "0" || code == "null") && hasData
}

// The walk over valid JSON agrees with package json on every value.
func FuzzScan(f *testing.F) {
	for _, s := range []string{`{}`, `[]`, `{"a\\":[1,"]",{"}":null}],"b":-1.5e3}`, `[[],{},"\"\\"," ",true ]`, `{"\\\"":"\\\\"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if !json.Valid(text) || !utf8.Valid(text) {
			return // what is no UTF-8 package json replaces, keys included
		}
		text = bytes.TrimSpace(text)
		if end := valueEnd(text, 0); end != len(text) {
			t.Fatalf("%q ends at %d", text, end)
		}
		switch text[0] {
		case '[':
			var want []json.RawMessage
			if err := json.Unmarshal(text, &want); err != nil {
				t.Skip(err)
			}
			got := elements(text, len(text))
			if len(got) != len(want) {
				t.Fatalf("%q: %d elements, want %d", text, len(got), len(want))
			}
			for i := range got {
				if !bytes.Equal(got[i], want[i]) {
					t.Fatalf("%q: element %d is %q", text, i, got[i])
				}
			}
		case '{':
			var want map[string]json.RawMessage
			if err := json.Unmarshal(text, &want); err != nil {
				t.Skip(err)
			}
			got := map[string]json.RawMessage{}
			members(text, func(key string, value []byte) bool {
				got[key] = value
				return true
			})
			for key, value := range want {
				if !bytes.Equal(got[key], value) {
					t.Fatalf("%q: %q is %q, want %q", text, key, got[key], value)
				}
			}
		}
	})
}
