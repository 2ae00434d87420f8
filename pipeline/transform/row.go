package transform

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// parser reads source rows; it holds memory to use again from row to row.
type parser struct {
	keys                  [][]byte // keys of the row that are not known, unquoted
	text, decoded, folded []byte   // the string being read, in its stages
}

// The known keys of a source row, as indices into its fields.
const (
	interactions = iota
	agentName
	codAct
	description
)

var names = [...]string{"interactions", "agent_name", "cod_act", "description_cod_act"}

// parse reads a source row, or gives the reason why that cannot be done
// surely.
func (p *parser) parse(raw []byte) (e entry, reason string) {
	e.raw = raw
	fields, reason := p.fields(raw)
	if reason != "" {
		return e, reason
	}
	if e.count, reason = p.count(fields[interactions]); reason != "" {
		return e, names[interactions] + " " + reason
	}
	if e.agent, reason = p.name(fields[agentName]); reason != "" {
		return e, names[agentName] + " " + reason
	}
	if e.code, reason = p.name(fields[codAct]); reason != "" {
		return e, names[codAct] + " " + reason
	}
	if d, reason := p.name(fields[description]); reason == "" && d != "" {
		e.description = &d
	}
	return e, ""
}

// fields finds the JSON of the known fields in a row; nil for a missing one.
//
// encoding/json checks the row's grammar first, so that the walk over its
// members can trust it. BenchmarkFields says what that saves against reading
// tokens; decoding into a struct would neither mind the case of keys nor
// notice a repeated one.
func (p *parser) fields(raw []byte) (fields [len(names)][]byte, reason string) {
	if !json.Valid(raw) {
		return fields, "row is not JSON"
	}
	i := skipSpace(raw, 0)
	if raw[i] != '{' {
		return fields, "row is " + kind(raw[i]) + ", not an object"
	}
	p.keys = p.keys[:0]
	for i = skipSpace(raw, i+1); raw[i] != '}'; {
		end := valueEnd(raw, i)
		key, _ := p.unquote(raw[i:end])
		i = skipSpace(raw, skipSpace(raw, end)+1) // over the colon
		end = valueEnd(raw, i)
		if known := slices.Index(names[:], string(key)); known < 0 {
			p.keys = append(p.keys, bytes.Clone(key))
		} else if fields[known] != nil {
			return fields, twice(names[known])
		} else {
			fields[known] = raw[i:end]
		}
		if i = skipSpace(raw, end); raw[i] == ',' {
			i = skipSpace(raw, i+1)
		}
	}
	if len(p.keys) > 1 {
		slices.SortFunc(p.keys, bytes.Compare)
		for k := 1; k < len(p.keys); k++ {
			if bytes.Equal(p.keys[k-1], p.keys[k]) {
				return fields, twice(string(p.keys[k]))
			}
		}
	}
	return fields, ""
}

func twice(key string) string { return excerpt(strconv.Quote(key)) + " stands twice in the row" }

// name reads a name or description and normalises it. Missing and null are "".
func (p *parser) name(value []byte) (s, reason string) {
	if value == nil {
		return "", ""
	}
	switch c := value[0]; c {
	case '"':
		text, ok := p.unquote(value)
		if !ok || !utf8.Valid(text) {
			return "", "is not valid Unicode"
		}
		return p.normalise(text), ""
	case 'n':
		return "", ""
	case '{', '[', 't', 'f':
		return "", "is " + kind(c) + ", not text"
	default:
		return string(value), ""
	}
}

// kind names the kind of JSON value that begins with c.
func kind(c byte) string {
	switch c {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "text"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	default:
		return "a number"
	}
}

// excerpt shortens what a reason quotes.
func excerpt(s string) string {
	const most = 40
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
