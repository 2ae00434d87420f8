package quarantine

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"wolkpipe/schemas"
)

func TestRaw(t *testing.T) {
	w := win(0, 1)
	for _, c := range []struct{ name, raw, want string }{
		{"JSON", `{"a":"1"}`, `{"a":"1"}`},
		{"JSON with white space", " {\n\"a\": 1 } ", `{"a":1}`},
		{"a number as it was written", `{"n":12345678901234567890.10}`, `{"n":12345678901234567890.10}`},
		{"nothing", "", `""`},
		{"cut short", `{"a":`, `"{\"a\":"`},
		{"two values", `1 2`, `"1 2"`},
		{"no UTF-8", "\xff{", `"` + "\ufffd" + `{"`},
		{"JSON but for its UTF-8", "{\"a\":\"\xf1\"}", "{\"a\":\"\ufffd\"}"},
		{"control characters", "a\x00b", `"a\u0000b"`},
	} {
		data, err := encode("ventas", &w, schemas.Reject{Reason: "r", Raw: []byte(c.raw)})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var row schemas.QuarantineRow
		if err := json.Unmarshal(data, &row); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if string(row.Raw) != c.want {
			t.Errorf("%s: raw is told as %s, want %s", c.name, row.Raw, c.want)
		}
	}
}

func TestLargeRowsAreCut(t *testing.T) {
	w := win(0, 1)
	for name, c := range map[string]struct {
		reject schemas.Reject
		notice string
	}{
		"JSON":        {schemas.Reject{Reason: "r", Raw: []byte(`"` + strings.Repeat("ñ", 400<<10) + `"`)}, "… (cut, 819202 bytes)"},
		"escapes":     {schemas.Reject{Reason: strings.Repeat("\x01", 1<<20), Raw: []byte(strings.Repeat("\x00", 1<<20))}, "… (cut, 1048576 bytes)"},
		"no UTF-8":    {schemas.Reject{Reason: "r", Raw: []byte(strings.Repeat("\xffa", 1<<19))}, "… (cut, 1048576 bytes)"},
		"a long text": {schemas.Reject{Reason: "r", Raw: []byte(strings.Repeat("日", 1<<18))}, "… (cut, 786432 bytes)"},
	} {
		data, err := encode("ventas", &w, c.reject)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var row schemas.QuarantineRow
		var raw string
		if err := json.Unmarshal(data, &row); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if err := json.Unmarshal(row.Raw, &raw); err != nil || !strings.HasSuffix(raw, c.notice) {
			t.Errorf("%s: %v, raw ends in %q, want %q", name, err, raw[max(0, len(raw)-40):], c.notice)
		}
		if len(data) > maxMessage {
			t.Errorf("%s: %d bytes, want at most %d", name, len(data), maxMessage)
		}
	}
	whole := strings.Repeat("x", maxMessage-1000)
	data, err := encode("ventas", &w, schemas.Reject{Reason: "r", Raw: []byte(whole)})
	if err != nil || !strings.Contains(string(data), whole) {
		t.Errorf("a row that fits was cut (%v)", err)
	}
}

func FuzzEncode(f *testing.F) {
	f.Add("negative", []byte(`{"interactions":"-1"}`))
	f.Add("", []byte("\xff<html>\u2028"))
	f.Add("deep", []byte(strings.Repeat("[", 20000)))
	f.Fuzz(func(t *testing.T, reason string, raw []byte) {
		w := win(0, 7)
		data, err := encode("ventas", &w, schemas.Reject{Reason: reason, Raw: raw})
		if err != nil {
			t.Fatal(err)
		}
		var row schemas.QuarantineRow
		if err := json.Unmarshal(data, &row); err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		again, err := encode("ventas", &w, schemas.Reject{Reason: reason, Raw: raw})
		switch {
		case err != nil || string(again) != string(data):
			t.Fatalf("the same reject is told as %s and %s (%v)", data, again, err)
		case row.WindowLocal != w.Local || row.Revision != 7 || row.Operation != "ventas":
			t.Fatalf("told as %+v", row)
		case !utf8.Valid(data) || len(data) > maxMessage:
			t.Fatalf("%d bytes, UTF-8: %v", len(data), utf8.Valid(data))
		}
		if utf8.Valid(raw) && len(raw) < 1000 && !json.Valid(raw) {
			var text string
			if err := json.Unmarshal(row.Raw, &text); err != nil || text != string(raw) {
				t.Fatalf("raw %q is told as %s (%v)", raw, row.Raw, err)
			}
		}
	})
}
