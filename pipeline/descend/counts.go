package descend

import (
	"encoding/json"
	"maps"
	"strconv"
)

// counts are interactions by key, none of them zero. nil: not known.
type counts map[Key]int64

func (c counts) equal(o counts) bool { return c != nil && o != nil && maps.Equal(c, o) }

// minus takes o from c. Nil, not known: either is not, or it would be negative.
func (c counts) minus(o counts) counts {
	if c == nil || o == nil {
		return nil
	}
	rest := maps.Clone(c)
	for k, n := range o {
		switch have := rest[k]; {
		case n > have:
			return nil
		case n == have:
			delete(rest, k)
		default:
			rest[k] = have - n
		}
	}
	return rest
}

// exceeds reports whether c counts anything more often than o does.
func (c counts) exceeds(o counts) bool {
	for k, n := range c {
		if n > o[k] {
			return true
		}
	}
	return false
}

func (c counts) total() float64 {
	var sum float64
	for _, n := range c {
		sum += float64(n)
	}
	return sum
}

// rows writes counts as the source would.
func (c counts) rows(labels map[Key]string) []json.RawMessage {
	var rows []json.RawMessage
	for _, k := range sortedKeys(c) {
		row := struct {
			Interactions string  `json:"interactions"`
			Agent        string  `json:"agent_name"`
			Code         string  `json:"cod_act"`
			Label        *string `json:"description_cod_act,omitempty"`
		}{Interactions: strconv.FormatInt(c[k], 10), Agent: k.Agent, Code: k.Code}
		if label, ok := labels[k]; ok {
			row.Label = &label
		}
		b, _ := json.Marshal(row) // strings always encode
		rows = append(rows, b)
	}
	return rows
}

// reply is an answer as this package needs it.
type reply struct {
	rows   []json.RawMessage
	counts counts // nil unless usable
	total  float64
	labels map[Key]string
	number int
}

func newReply(a Answer, number int) *reply {
	r := &reply{rows: a.Rows, labels: a.Labels, number: number}
	switch {
	case len(a.Rows) == 0:
		r.counts = counts{}
	case a.Usable && readable(a.Counts):
		r.counts = counts(maps.Clone(a.Counts))
		maps.DeleteFunc(r.counts, func(_ Key, n int64) bool { return n == 0 })
		r.total = r.counts.total()
	default: // at least one for each row, whatever the caller could read
		r.total = max(float64(a.Total), float64(len(a.Rows)))
	}
	if r.counts == nil && len(a.Rows) > 0 && r.total == 0 {
		r.total = 1
	}
	return r
}

// readable reports whether counts can be subtracted at all.
func readable(c map[Key]int64) bool {
	for _, n := range c {
		if n < 0 {
			return false
		}
	}
	return c != nil
}

func (r *reply) empty() bool { return len(r.rows) == 0 }
