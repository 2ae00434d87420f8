package chat7

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// envelope is what the source wraps every answer in. The bytes are those of
// the body.
type envelope struct {
	code    string // trimmed; "" when absent, null or blank
	hasCode bool
	error   string // "" when absent, null, blank, false, zero or an empty list
	msg     string
	data    []byte // JSON; nil when absent
	vendors bool   // it bears the vendor's marks: `code`, and `msg` or `data`
}

// Why a body is not an envelope.
var (
	errNoBody   = errors.New("the answer is empty")
	errPage     = errors.New("the answer is a web page")
	errNotJSON  = errors.New("the answer holds no JSON object")
	errCut      = errors.New("the answer's JSON is cut short or broken")
	errTrailing = errors.New("something follows the answer's JSON")
	errTwice    = errors.New("the answer names a key twice")
)

// noiseLimit is how far into a body, and noiseTries how often, an object is
// looked for behind warnings.
const noiseLimit, noiseTries = 64 << 10, 64

var bom = []byte("\xef\xbb\xbf")

// discard lets package json tell where a text goes wrong without building
// anything of it.
type discard struct{}

func (discard) UnmarshalJSON([]byte) error { return nil }

// locate finds the envelope's object in a body: the whole of it, or what
// stands behind a byte-order mark and warnings, which may hold braces too.
func locate(body []byte) ([]byte, error) {
	rest := body
	for {
		trimmed := bytes.TrimPrefix(bytes.TrimLeft(rest, space), bom)
		if len(trimmed) == len(rest) {
			break
		}
		rest = trimmed
	}
	rest = bytes.TrimRight(rest, space)
	if len(rest) == 0 {
		return nil, errNoBody
	}
	// A text that begins as JSON is no warning: what is inside of it is not
	// looked for, else a cut wrapper would pass for what it wraps.
	begins := rest[0] == '{'
	if rest[0] == '[' || rest[0] == '"' {
		return nil, errNotJSON
	}
	at := 0
	for range noiseTries {
		i := bytes.IndexByte(rest[at:], '{')
		if i < 0 || at+i > noiseLimit {
			break
		}
		at += i
		if isPage(rest[:at]) {
			return nil, errPage
		}
		candidate := rest[at:]
		if json.Valid(candidate) {
			return candidate, nil
		}
		syntax, _ := errors.AsType[*json.SyntaxError](json.Unmarshal(candidate, &discard{}))
		valid := int(syntax.Offset) - 1 // bytes before the one that is wrong
		whole := valid > 0 && json.Valid(candidate[:valid])
		switch {
		case whole && (begins || hasCode(candidate[:valid])):
			return nil, errTrailing
		case begins || valid+1 >= len(candidate) || at+valid > noiseLimit:
			return nil, errCut
		case whole:
			at += valid
		default:
			at++
		}
	}
	if isPage(rest) {
		return nil, errPage
	}
	return nil, errNotJSON
}

// isPage reports whether a text is HTML other than the markup of a warning.
func isPage(text []byte) bool {
	head := bytes.ToLower(text[:min(len(text), noiseLimit)])
	for _, mark := range []string{"<!doctype", "<html", "<head", "<body", "<script"} {
		if bytes.Contains(head, []byte(mark)) {
			return true
		}
	}
	return false
}

// hasCode reports whether a valid JSON object has the key that makes it an
// answer rather than part of a warning.
func hasCode(object []byte) (found bool) {
	members(bytes.TrimSpace(object), func(key string, _ []byte) bool {
		found = key == "code"
		return !found
	})
	return found
}

// decode reads the envelope in a body. The envelope shares the body's memory.
func decode(body []byte) (envelope, error) {
	object, err := locate(body)
	if err != nil {
		return envelope{}, err
	}
	var e envelope
	var hasMsg bool
	seen := map[string]bool{}
	members(object, func(key string, value []byte) bool {
		switch key {
		case "code":
			e.code, e.hasCode = scalar(value), true
		case "error":
			switch e.error = scalar(value); e.error {
			case "0", "false", "[]", "{}":
				e.error = ""
			}
		case "msg":
			e.msg, hasMsg = scalar(value), true
		case "data":
			e.data = value
		default:
			return true
		}
		if seen[key] {
			err = fmt.Errorf("%w: %q", errTwice, key)
		}
		seen[key] = true
		return err == nil
	})
	e.vendors = e.hasCode && (hasMsg || e.data != nil)
	return e, err
}

// scalar is the text of a JSON value: a string's content trimmed, "" for null,
// and otherwise the JSON itself.
func scalar(value []byte) string {
	switch value[0] {
	case 'n':
		return ""
	case '"':
		var s string
		_ = json.Unmarshal(value, &s) // valid, so it decodes
		return strings.TrimSpace(s)
	}
	return string(value)
}

// blank reports a code that says nothing.
func (e *envelope) blank() bool { return e.code == "" || e.code == "0" }

// ok reports whether the envelope, under HTTP 200, is a success: code 200, or
// a code that says nothing where there is data. An error named beside it
// contradicts it.
func (e *envelope) ok() bool {
	if e.error != "" {
		return false
	}
	return e.code == "200" && e.vendors || e.blank() && e.data != nil
}

// noData reports whether data is absent, null or an empty list.
func (e *envelope) noData() bool {
	switch {
	case e.data == nil, e.data[0] == 'n':
		return true
	case e.data[0] == '[':
		return e.data[skipSpace(e.data, 1)] == ']'
	}
	return false
}

// list splits data, which must be a list, absent or null. At limit rows or
// more it says so, and gives none.
func (e *envelope) list(limit int) (rows []json.RawMessage, full bool, err error) {
	if e.noData() {
		return nil, false, nil
	}
	if e.data[0] != '[' {
		return nil, false, errors.New("the answer's data is not a list")
	}
	rows = elements(e.data, limit)
	if len(rows) >= limit {
		return nil, true, nil
	}
	return rows, false, nil
}
