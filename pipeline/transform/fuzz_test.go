package transform

import (
	"bytes"
	"encoding/json"
	"errors"
	"html"
	"reflect"
	"slices"
	"testing"
	"unicode"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"wolkpipe/schemas"
)

// FuzzWindow gives each line as a source row.
func FuzzWindow(f *testing.F) {
	f.Add([]byte(`{"interactions":"3","agent_name":"Ana","cod_act":"0012","description_cod_act":"Pago"}`), false)
	f.Add([]byte("{\"interactions\":3,\"agent_name\":\"Jose\u0301\"}\n{\"interactions\":3,\"agent_name\":\"Jos\\u00e9\"}"), true)
	f.Add([]byte("{\"interactions\":9223372036854775807}\n{\"interactions\":1,\"cod_act\":7}\n{\"interactions\":0}"), false)
	f.Add([]byte("{\"interactions\":\"1,234\",\"agent_name\":\"a&ntilde;&#38;&notit;&#x200b;&#4294967361;\"}"), false)
	f.Add([]byte("{\"agent_name\":\"\\ud83d\\ude00\\ud83d\"}\n{}\n[1]\nnull\n\xff\n{\"interactions\":1,\"x\":[{\"}\":\"]\"}],\"x\":1}"), false)
	f.Fuzz(func(t *testing.T, data []byte, sum bool) {
		var rows []json.RawMessage
		for line := range bytes.SplitSeq(data, []byte("\n")) {
			rows = append(rows, line)
		}
		before := bytes.Clone(data)
		o := Options{Sum: sum}
		s := Window(rows, o)
		if !bytes.Equal(data, before) {
			t.Fatal("the input was changed")
		}
		checkSnapshot(t, rows, s, o)

		slices.Reverse(rows)
		if again := Window(rows, o); !reflect.DeepEqual(s, again) {
			t.Fatalf("the order of the rows matters: %+v, reversed %+v", s, again)
		}
		if again := Window(written(t, s.Rows), o); !reflect.DeepEqual(again.Rows, s.Rows) || len(again.Rejects) > 0 {
			t.Fatalf("not normal:\n%#v\nbecame\n%#v\n%+v", s.Rows, again.Rows, again.Rejects)
		}
	})
}

// written are rows as the source would write them: as HTML, in JSON.
func written(t rapid.TB, rows []schemas.Row) []json.RawMessage {
	var out []json.RawMessage
	for _, r := range rows {
		r.Agent, r.Code = html.EscapeString(r.Agent), html.EscapeString(r.Code)
		if r.Description != nil {
			d := html.EscapeString(*r.Description)
			r.Description = &d
		}
		raw, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, raw)
	}
	return out
}

// checkSnapshot checks all that a snapshot promises by itself.
func checkSnapshot(t rapid.TB, rows []json.RawMessage, s Snapshot, o Options) {
	t.Helper()
	if s.Source != int64(len(rows)) || s.Source != int64(len(s.Rows))+s.Merged+s.Dropped+s.Zero+int64(len(s.Rejects)) {
		t.Fatalf("%d rows given, accounted for: %+v", len(rows), s)
	}
	if o.Sum && s.Dropped != 0 {
		t.Fatalf("%d rows dropped that were to be summed", s.Dropped)
	}
	var total int64
	for i, r := range s.Rows {
		if r.Interactions <= 0 {
			t.Fatalf("row %+v counts nothing", r)
		}
		if total += r.Interactions; total < 0 {
			t.Fatal("the total is more than an int64 holds")
		}
		if i > 0 && s.Rows[i-1].Compare(r) >= 0 {
			t.Fatalf("row %+v does not follow %+v", r, s.Rows[i-1])
		}
		checkText(t, r.Agent)
		checkText(t, r.Code)
		if r.Description != nil {
			checkText(t, *r.Description)
			if *r.Description == "" {
				t.Fatalf("row %+v has an empty description", r)
			}
		}
	}
	for _, r := range s.Rejects {
		if r.Reason == "" || !json.Valid(r.Raw) {
			t.Fatalf("reject %+v without a reason or not JSON", r)
		}
	}
}

// checkText checks that a text is in normal form, in this test's own words.
func checkText(t rapid.TB, s string) {
	t.Helper()
	if !norm.NFC.IsNormalString(s) {
		t.Fatalf("%+q is not NFC", s)
	}
	last := ' '
	for _, r := range s {
		// Package norm itself parts more than 30 accents on a letter by U+034F.
		if unicode.IsControl(r) || (r >= '\u200B' && r <= '\u200F') || r == '\uFEFF' || r == '\u00AD' || (r >= '\u2060' && r <= '\u2064') {
			t.Fatalf("%+q holds invisible %U", s, r)
		}
		if unicode.IsSpace(r) && (r != ' ' || last == ' ') {
			t.Fatalf("%+q holds odd white space", s)
		}
		last = r
	}
	if s != "" && last == ' ' {
		t.Fatalf("%+q ends in a space", s)
	}
}

// FuzzFields compares the scan of a row with encoding/json's own reading.
func FuzzFields(f *testing.F) {
	f.Add([]byte(`{"interactions":"3","agent_name":null,"cod_act":-1.5e3,"x":{"a":[1,"]}"]},"Interactions":true}`))
	f.Add([]byte(` { "agent\u005fname" : "\"\\\/\b\f\n\r\té" , "":[ ] } `))
	f.Add([]byte(`{"a":1,"\u0061":2}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var p parser
		fields, reason := p.fields(raw)
		want, err := fieldsByTokens(raw)
		if (reason != "") != (err != nil) {
			t.Fatalf("scanned %s: %q, decoded: %v", raw, reason, err)
		}
		if reason != "" {
			return
		}
		for i, name := range names {
			value, there := want[name]
			if there != (fields[i] != nil) || !bytes.Equal(value, fields[i]) {
				t.Fatalf("%s of %s is %s, want %s", name, raw, fields[i], value)
			}
			if len(value) > 0 && value[0] == '"' {
				checkUnquote(t, value)
			}
		}
	})
}

// checkUnquote compares the text of a JSON string with encoding/json's.
func checkUnquote(t rapid.TB, quoted []byte) {
	t.Helper()
	var p parser
	var want string
	if err := json.Unmarshal(quoted, &want); err != nil {
		t.Fatal(err)
	}
	if text, ok := p.unquote(quoted); ok && string(bytes.ToValidUTF8(text, []byte("\uFFFD"))) != string(bytes.ToValidUTF8([]byte(want), nil)) {
		if bytes.Equal(bytes.ToValidUTF8(quoted, nil), quoted) { // else each puts its own in place of broken bytes
			t.Fatalf("text of %s is %q, want %q", quoted, text, want)
		}
	}
}

// fieldsByTokens reads the members of an object by encoding/json's decoder:
// what a row is, in the slow and obvious way.
func fieldsByTokens(raw []byte) (map[string]json.RawMessage, error) {
	if !json.Valid(raw) {
		return nil, errors.New("not JSON")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, errors.New("not an object")
	}
	members := map[string]json.RawMessage{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		if _, there := members[key.(string)]; there {
			return nil, errors.New("repeated key")
		}
		members[key.(string)] = value
	}
	return members, nil
}
