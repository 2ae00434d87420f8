package transform

import "encoding/json"

// Key is what a source row counts, as the source wrote it: not normalised.
type Key struct{ Agent, Code string }

// Tally is a range's interactions by the source's own keys.
type Tally struct {
	Counts map[Key]int64
	Labels map[Key]string // descriptions, where a row has one
	Total  int64          // as far as the rows can be read

	// Usable says that the tally may be subtracted from another, or another
	// from it: no key stands in two rows, and no row would be rejected.
	Usable bool
}

// Keys reads rows by their keys as they stand.
func Keys(rows []json.RawMessage) Tally {
	t := Tally{Counts: make(map[Key]int64, len(rows)), Labels: map[Key]string{}, Usable: true}
	var p parser
	for _, raw := range rows {
		e, reason := p.parse(raw)
		if reason != "" {
			t.Usable = false
			continue
		}
		if t.Total+e.count < t.Total {
			t.Usable = false // more than an int64 holds
			continue
		}
		t.Total += e.count
		fields, _ := p.fields(raw)
		k := Key{p.plain(fields[agentName]), p.plain(fields[codAct])}
		if _, twice := t.Counts[k]; twice {
			t.Usable = false
		}
		t.Counts[k] += e.count
		if label := p.plain(fields[description]); label != "" {
			t.Labels[k] = label
		}
	}
	return t
}

// plain reads a value that name reads, without normalising it.
func (p *parser) plain(value []byte) string {
	switch {
	case value == nil || value[0] == 'n':
		return ""
	case value[0] == '"':
		text, _ := p.unquote(value)
		return string(text)
	}
	return string(value)
}
