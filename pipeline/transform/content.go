package transform

import (
	"encoding/json"
	"slices"
)

// Content is what rows count by normalised agent and code, for comparing the
// sums of windows with what the source says of them together.
type Content struct {
	Counts map[Key]int64 // as Window would give them, none zero

	// Unsure are the keys whose count is not to be relied upon in a sum: they
	// have rows that are rejected, or rows alike to the byte all but one of
	// which are dropped.
	Unsure []Key

	// Blind says that there is a row whose key cannot even be read.
	Blind bool
}

// Compare reads rows for comparing them.
func Compare(rows []json.RawMessage, o Options) Content {
	s := Window(rows, Options{Sum: o.Sum})
	c := Content{Counts: make(map[Key]int64, len(s.Rows))}
	for _, r := range s.Rows {
		c.Counts[Key{r.Agent, r.Code}] = r.Interactions
	}
	if len(s.Rejects) == 0 && s.Dropped == 0 {
		return c
	}
	var p parser
	told := make(map[string]bool, len(rows))
	for _, raw := range rows {
		_, reason := p.parse(raw)
		repeated := told[string(raw)] && !o.Sum
		told[string(raw)] = true
		if reason == "" && !repeated {
			continue
		}
		switch k, ok := p.key(raw); {
		case !ok:
			c.Blind = true
		case !slices.Contains(c.Unsure, k):
			c.Unsure = append(c.Unsure, k)
		}
	}
	return c
}

// key reads the normalised key of a row whose count may be unreadable.
func (p *parser) key(raw []byte) (k Key, ok bool) {
	fields, reason := p.fields(raw)
	if reason != "" {
		return k, false
	}
	if k.Agent, reason = p.name(fields[agentName]); reason != "" {
		return k, false
	}
	k.Code, reason = p.name(fields[codAct])
	return k, reason == ""
}
