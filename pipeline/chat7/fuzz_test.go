package chat7

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"reflect"
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

// FuzzCodes: every code is what package json finds in its place, and no
// answer without a code is taken for a list of them.
func FuzzCodes(f *testing.F) {
	for _, s := range []string{
		`[]`, `[{}]`, `[{"cod_act":"0012","description_cod_act":"Acuerdo ","hit":"1","rpc":0,"chat":true,"voice":null,"type_code":"A","x":[1]}]`,
		`[{"code_act":13},{"cod_act":null,"code_act":"14"},{"code_act":"no","cod_act":""}]`, `[{"cod_act":{"cod_act":"1"}},{"cod_act":-1.5e3}]`,
		`[{"cod\u005fact":"\ud83d\ude00 \u00f1 \ud83d"},{"cod_act":"1","cod_act":"2"}]`, `["0012"]`, `[null,{"cod_act":"1"}]`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		data = bytes.TrimSpace(data)
		if !json.Valid(data) || !utf8.Valid(data) || data[0] != '[' {
			return
		}
		rows := elements(data, len(data))
		codes, err := readCodes(rows)
		var plain []map[string]any
		var want []ActivityCode
		named := false
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.UseNumber()
		ok := decoder.Decode(&plain) == nil
		for _, object := range plain {
			ok = ok && object != nil
			code := ActivityCode{Code: plainName(object["cod_act"]), Description: plainName(object["description_cod_act"])}
			if code.Code == nil {
				code.Code = plainName(object["code_act"])
			}
			named = named || code.Code != nil
			want = append(want, code)
		}
		if ok = ok && (named || len(rows) == 0); ok != (err == nil) {
			t.Fatalf("%q gives %v", data, err)
		}
		for i := range codes {
			codes[i] = ActivityCode{Code: codes[i].Code, Description: codes[i].Description}
			if !reflect.DeepEqual(codes[i], want[i]) {
				t.Fatalf("%q: code %d is %+v", data, i, codes[i])
			}
		}
	})
}

// plainName is the text in a value that package json decoded.
func plainName(value any) *string {
	switch v := value.(type) {
	case string:
		return &v
	case json.Number:
		return new(v.String())
	}
	return nil
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

// FuzzBody: whatever is sent under whatever encoding, no more is read than the
// limit, and what is read plainly is what was sent; half a gzip is a failure.
func FuzzBody(f *testing.F) {
	body := []byte(`{"code":404,"error":"NOT FOUND","msg":"","data":null}`)
	for _, encoding := range []string{"", "identity", "gzip", "x-gzip", " GZIP ", "br", "gzip, gzip", "gzip\x00"} {
		f.Add(encoding, body, int64(len(body)))
		f.Add(encoding, zipped(body), int64(len(body)-1))
		f.Add(encoding, zipped(body)[:20], int64(1000))
		f.Add(encoding, append(zipped(body), zipped(body)...), int64(1000))
		f.Add(encoding, zipped(make([]byte, 100_000)), int64(1000))
		f.Add(encoding, append(zipped(body), "\ufeff<html>"...), int64(1000))
	}
	f.Fuzz(func(t *testing.T, encoding string, sent []byte, limit int64) {
		limit &= 1<<20 - 1
		response := &http.Response{
			Header: http.Header{"Content-Encoding": {encoding}}, ContentLength: -1, Body: io.NopCloser(bytes.NewReader(sent)),
		}
		got, err := readBody(response, limit)
		if err != nil {
			if len(got) > 0 || len(err.Error()) > 500 || strings.ContainsAny(err.Error(), "\r\n\x00\x1b") {
				t.Errorf("%d bytes with %q", len(got), err)
			}
			return
		}
		if int64(len(got)) > limit {
			t.Errorf("%d bytes of %d were read, the limit is %d", len(got), len(sent), limit)
		}
		switch strings.ToLower(strings.TrimSpace(encoding)) {
		case "", "identity":
			if !bytes.Equal(got, sent) {
				t.Errorf("%q came as %q", sent, got)
			}
		case "gzip", "x-gzip":
			r, err := gzip.NewReader(bytes.NewReader(sent))
			if err != nil {
				if len(sent) > 0 {
					t.Errorf("%q came as %q", sent, got)
				}
				return
			}
			if want, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%q came as %q: %v", sent, got, err)
			}
		default:
			t.Errorf("encoding %q was not asked for", encoding)
		}
	})
}
