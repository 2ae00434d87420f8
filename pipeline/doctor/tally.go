package doctor

import (
	"encoding/json"

	"wolkpipe/pipeline/transform"
)

// key is an agent and a code as the source writes them.
type key struct{ agent, code string }

// count is what an answer says of a key.
type count struct {
	sum int64 // modulo 2^64, which equality does not mind

	// doubtful: it stands in several rows, or in one that cannot be read.
	doubtful bool
}

// tally is an answer, added up by key. Rows that count nothing are not in it.
type tally struct {
	counts map[key]count
	total  float64 // an estimate where counts are beyond reason
}

// some reports whether there is an interaction in it.
func (t tally) some() bool { return t.total > 0 }

// tallyRows adds up the rows of an answer.
func tallyRows(rows []json.RawMessage, sum bool) tally {
	t := tally{counts: map[key]count{}}
	seen := map[string]bool{}
	for _, row := range rows {
		k, ok := keyOf(row)
		if !ok {
			continue // nothing that is compared can be hidden in it
		}
		n, readable := countOf(row)
		if readable && n == 0 {
			continue
		}
		c, again := t.counts[k]
		c.doubtful = c.doubtful || again || !readable
		if twin := seen[string(row)]; !twin || sum {
			c.sum += n
			t.total += float64(n)
		}
		seen[string(row)] = true
		t.counts[k] = c
	}
	return t
}

// keyOf reads a row's key. Text and the number of the same digits are one,
// and so are the empty text, null and nothing.
func keyOf(row json.RawMessage) (key, bool) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(row, &fields) != nil {
		return key{}, false
	}
	return key{text(fields["agent_name"]), text(fields["cod_act"])}, true
}

func text(value json.RawMessage) string {
	var s string
	switch {
	case len(value) == 0 || value[0] == 'n':
		return ""
	case value[0] == '"' && json.Unmarshal(value, &s) == nil:
		return s
	}
	return string(value)
}

// countOf reads a row's count; not ok where it would be rejected.
func countOf(row json.RawMessage) (n int64, ok bool) {
	s := transform.Window([]json.RawMessage{row}, transform.Options{})
	if len(s.Rejects) > 0 {
		return 0, false
	}
	if len(s.Rows) == 1 {
		n = s.Rows[0].Interactions
	}
	return n, true
}
