package transform

import (
	"encoding/json"
	"maps"
	"testing"
)

func rawRows(rows ...string) []json.RawMessage {
	all := make([]json.RawMessage, len(rows))
	for i, r := range rows {
		all[i] = json.RawMessage(r)
	}
	return all
}

func TestKeys(t *testing.T) {
	got := Keys(rawRows(
		`{"interactions":"1,234","agent_name":" Ana  ","cod_act":"0012","description_cod_act":"Venta"}`,
		`{"interactions":2,"agent_name":"Ana","cod_act":12}`,
		`{"interactions":"0","cod_act":null}`,
	))
	want := map[Key]int64{{" Ana  ", "0012"}: 1234, {"Ana", "12"}: 2, {"", ""}: 0}
	if !got.Usable || got.Total != 1236 || !maps.Equal(got.Counts, want) || got.Labels[Key{" Ana  ", "0012"}] != "Venta" || len(got.Labels) != 1 {
		t.Errorf("Keys gave %+v", got)
	}
}

func TestKeysNotUsable(t *testing.T) {
	for name, rows := range map[string][]json.RawMessage{
		"repeated key": rawRows(`{"interactions":1,"agent_name":"a","cod_act":"b"}`, `{"interactions":2,"agent_name":"a","cod_act":"b"}`),
		"same bytes":   rawRows(`{"interactions":1,"agent_name":"a","cod_act":"b"}`, `{"interactions":1,"agent_name":"a","cod_act":"b"}`),
		"unreadable":   rawRows(`{"interactions":"x","agent_name":"a","cod_act":"b"}`),
		"no object":    rawRows(`[]`),
		"too much":     rawRows(`{"interactions":9223372036854775807,"agent_name":"a"}`, `{"interactions":1,"agent_name":"b"}`),
	} {
		if got := Keys(rows); got.Usable {
			t.Errorf("%s: usable: %+v", name, got)
		}
	}
}
