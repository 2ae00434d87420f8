package transform

import (
	"encoding/json"
	"reflect"
	"testing"
)

func TestCompare(t *testing.T) {
	one := `{"interactions":"2","agent_name":"Ana  Ruiz","cod_act":"0012"}`
	key := Key{"Ana Ruiz", "0012"}
	for _, c := range []struct {
		name string
		rows []string
		sum  bool
		want Content
	}{
		{"nothing", nil, false, Content{Counts: map[Key]int64{}}},
		{"a row", []string{one}, false, Content{Counts: map[Key]int64{key: 2}}},
		{"two spellings", []string{one, `{"interactions":1,"agent_name":"Ana Ruiz","cod_act":"0012"}`}, false,
			Content{Counts: map[Key]int64{key: 3}}},
		{"alike to the byte", []string{one, one, one}, false, Content{Counts: map[Key]int64{key: 2}, Unsure: []Key{key}}},
		{"alike, to be summed", []string{one, one}, true, Content{Counts: map[Key]int64{key: 4}}},
		{"unreadable count", []string{one, `{"interactions":"tres","agent_name":"Luz","cod_act":"1"}`}, false,
			Content{Counts: map[Key]int64{key: 2}, Unsure: []Key{{"Luz", "1"}}}},
		{"unreadable key", []string{one, `{"interactions":"1","agent_name":{},"cod_act":"1"}`}, false,
			Content{Counts: map[Key]int64{key: 2}, Blind: true}},
		{"no row at all", []string{one, `[]`}, false, Content{Counts: map[Key]int64{key: 2}, Blind: true}},
		{"zero", []string{`{"interactions":"0","agent_name":"Luz","cod_act":"1"}`}, false, Content{Counts: map[Key]int64{}}},
	} {
		var rows []json.RawMessage
		for _, r := range c.rows {
			rows = append(rows, json.RawMessage(r))
		}
		if got := Compare(rows, Options{Sum: c.sum}); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}
