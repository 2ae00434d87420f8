package transform

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"testing"

	"wolkpipe/schemas"
)

func TestDigest(t *testing.T) {
	pago := "Pago"
	rows := []schemas.Row{{Agent: "Ana", Code: "1", Interactions: 2}, {Agent: "Ana", Code: "2", Interactions: 1}}
	rejects := []schemas.Reject{{Reason: "r", Raw: []byte(`{}`)}, {Reason: "r", Raw: []byte(`{"a":1}`)}}
	s := Snapshot{Rows: rows, Rejects: rejects}
	want := s.Digest()
	if !regexp.MustCompile(`^[0-9a-f]{16}$`).MatchString(want) {
		t.Fatalf("digest %q is not 16 hex digits", want)
	}

	reversed := Snapshot{Rows: slices.Clone(rows), Rejects: slices.Clone(rejects)}
	slices.Reverse(reversed.Rows)
	slices.Reverse(reversed.Rejects)
	described := Snapshot{Rows: slices.Clone(rows), Rejects: []schemas.Reject{{Reason: "other", Raw: []byte(`{}`)}, rejects[1]}, Dropped: 3, Source: 9, Merged: 1, Zero: 1}
	described.Rows[0].Description = &pago
	for name, same := range map[string]Snapshot{"order": reversed, "descriptions, reasons and counts": described} {
		if got := same.Digest(); got != want {
			t.Errorf("%s moved the digest from %s to %s", name, want, got)
		}
	}
	if reversed.Rows[0].Code != "2" || string(reversed.Rejects[0].Raw) != `{"a":1}` {
		t.Error("Digest sorted its receiver's slices")
	}

	row := func(agent, code string, n int64) []schemas.Row {
		return []schemas.Row{{Agent: agent, Code: code, Interactions: n}, rows[1]}
	}
	seen := map[string]string{want: "the original"}
	for name, other := range map[string]Snapshot{
		"nothing":         {},
		"agent":           {Rows: row("Eva", "1", 2), Rejects: rejects},
		"code":            {Rows: row("Ana", "9", 2), Rejects: rejects},
		"count":           {Rows: row("Ana", "1", 3), Rejects: rejects},
		"bound of fields": {Rows: row("Ana1", "", 2), Rejects: rejects},
		"a row less":      {Rows: rows[1:], Rejects: rejects},
		"a reject less":   {Rows: rows, Rejects: rejects[1:]},
		"reject twice":    {Rows: rows, Rejects: append(slices.Clone(rejects), rejects[1])},
		"rejects joined":  {Rows: rows, Rejects: []schemas.Reject{{Raw: []byte(`{}{"a":1}`)}}},
		"only rejects":    {Rejects: rejects},
		"only rows":       {Rows: rows},
	} {
		d := other.Digest()
		if seen[d] != "" {
			t.Errorf("%s and %s have the same digest %s", name, seen[d], d)
		}
		seen[d] = name
	}

	// The journal compares digests over years: this one may never change.
	if golden := "278be6e1c6a68d32"; want != golden {
		t.Errorf("digest is %s, was %s", want, golden)
	}
}

func TestAgentKey(t *testing.T) {
	rows := raws(`{"interactions":1,"agent_name":"Jose\u0301","cod_act":"2"}`, `{"interactions":2,"agent_name":"José","cod_act":"1"}`,
		`{"interactions":3,"agent_name":"Jos&eacute;","cod_act":"1"}`, `{"interactions":4}`, `{"interactions":6,"agent_name":"Ana"}`)
	s := Window(rows, Options{AgentKey: []byte("key")})
	mac := func(name string) string {
		h := hmac.New(sha256.New, []byte("key"))
		h.Write([]byte(name))
		return hex.EncodeToString(h.Sum(nil))[:32]
	}
	want := []schemas.Row{{Agent: mac("José"), Code: "1", Interactions: 5}, {Agent: mac("José"), Code: "2", Interactions: 1}, {Agent: mac(""), Interactions: 4}, {Agent: mac("Ana"), Interactions: 6}}
	slices.SortFunc(want, schemas.Row.Compare)
	if !slices.Equal(s.Rows, want) || s.Merged != 1 {
		t.Errorf("got %+v, want %+v", s.Rows, want)
	}
	if other := Window(rows, Options{AgentKey: []byte("other")}); other.Rows[0].Agent == s.Rows[0].Agent {
		t.Error("another key gives the same hash")
	}
}
