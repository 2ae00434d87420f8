package transform

import (
	"encoding/json"
	"slices"
)

// Renamed is what stands for an agent's name in a source row.
type Renamed struct {
	Name    string // normalised, not empty
	Variant string // tells apart ways to write the name: rows that differ in that alone stay two
}

// variantName is the member of a renamed row that holds its Renamed.Variant.
const variantName = "erased_variant"

// Rename gives a source row with its agent's name replaced, or the row itself
// where of, which is given the normalised name and what the row has for it,
// replaces nothing. A row that cannot be counted is renamed too, as long as it
// is an object whose agent_name is text or a number; nothing else of it changes.
//
// Rows that differ stay different if of gives variants that do, so that
// [Window] counts renamed rows as it counted the others.
func Rename(raw json.RawMessage, of func(name string, written []byte) (Renamed, bool)) (json.RawMessage, bool) {
	if !json.Valid(raw) {
		return raw, false
	}
	i := skipSpace(raw, 0)
	if raw[i] != '{' {
		return raw, false
	}
	var p parser
	out, done := raw, 0 // bytes of raw that are in out; out is raw while that is 0
	for i = skipSpace(raw, i+1); raw[i] != '}'; {
		end := valueEnd(raw, i)
		key, _ := p.unquote(raw[i:end])
		known := string(key) == names[agentName]
		i = skipSpace(raw, skipSpace(raw, end)+1) // over the colon
		end = valueEnd(raw, i)
		if known {
			if r, ok := p.rename(raw[i:end], of); ok {
				if done == 0 {
					out = make(json.RawMessage, 0, len(raw)+len(r))
				}
				out, done = slices.Concat(out, raw[done:i], r), end
			}
		}
		if i = skipSpace(raw, end); raw[i] == ',' {
			i = skipSpace(raw, i+1)
		}
	}
	if done == 0 {
		return raw, false
	}
	return append(out, raw[done:]...), true
}

// rename gives the JSON to put in the place of an agent's name.
func (p *parser) rename(value []byte, of func(string, []byte) (Renamed, bool)) ([]byte, bool) {
	name, reason := p.name(value)
	if reason != "" {
		return nil, false
	}
	r, ok := of(name, value)
	if !ok {
		return nil, false
	}
	text, _ := json.Marshal(r.Name) // text always encodes
	variant, _ := json.Marshal(r.Variant)
	return slices.Concat(text, []byte(`,"`+variantName+`":`), variant), true
}
