package codes_test

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"wolkpipe/pipeline/chat7"
	"wolkpipe/pipeline/chat7/chat7sim"
	"wolkpipe/pipeline/codes"
	"wolkpipe/pipeline/transform"
	"wolkpipe/pipeline/window"
)

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func day(n int) time.Time { return noon.AddDate(0, 0, n) }

// code is one with a description, "" for none, seen on two days.
func code(name, description string, first, last int) codes.Code {
	c := codes.Code{Code: name, FirstSeenAt: day(first), LastSeenAt: day(last)}
	if description != "" {
		c.Description = &description
	}
	return c
}

func text(t testing.TB, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestNew(t *testing.T) {
	for _, c := range []struct {
		raw  codes.Raw
		want string // JSON; "" for no code
	}{
		{codes.Raw{}, ""},
		{codes.Raw{Description: new("x")}, ""},
		{codes.Raw{Code: new("")}, `{"cod_act":"","description_cod_act":null,"hit":null,"rpc":null,"chat":null,"voice":null,"type_code":null,`},
		{codes.Raw{Code: new(" 0012\t"), Description: new("Acuerdo  de&nbsp;pago "), Hit: new("1"), RPC: new("0"), Chat: new(" 1 "), Voice: new(" "), TypeCode: new("Gestio\u0301n")},
			`{"cod_act":"0012","description_cod_act":"Acuerdo de pago","hit":"1","rpc":"0","chat":"1","voice":null,"type_code":"Gestión",`},
		{codes.Raw{Code: new("a\xff"), Description: new("\u200b"), Hit: new("[\"\xff\"]")},
			`{"cod_act":"a` + "\uFFFD" + `","description_cod_act":null,"hit":"[\"` + "\uFFFD" + `\"]","rpc":null,"chat":null,"voice":null,"type_code":null,`},
	} {
		got, ok := codes.New(c.raw)
		want := c.want + `"first_seen_at":"0001-01-01T00:00:00Z","last_seen_at":"0001-01-01T00:00:00Z"}`
		if ok != (c.want != "") || ok && text(t, got) != want {
			t.Errorf("%s gives %v, %s\nwant %s", text(t, c.raw), ok, text(t, got), want)
		}
	}
}

// TestAsInRows: a code and its description, as the list tells them, are
// normalised to what they are in a row.
func TestAsInRows(t *testing.T) {
	pieces := rapid.SampledFrom([]string{"a", "é", "e\u0301", " ", "\t", "\u00A0", "\u200b", "&amp;", "&eacute;", "&lt", ";", "0", "\"", "\\"})
	word := rapid.Custom(func(t *rapid.T) string {
		var s string
		for _, piece := range rapid.SliceOfN(rapid.OneOf(pieces, rapid.String()), 0, 8).Draw(t, "pieces") {
			s += piece
		}
		return s
	})
	rapid.Check(t, func(r *rapid.T) {
		name, description := word.Draw(r, "code"), word.Draw(r, "description")
		raw, err := json.Marshal(map[string]any{"interactions": 1, "cod_act": name, "description_cod_act": description})
		if err != nil {
			r.Fatal(err)
		}
		rows := transform.Window([]json.RawMessage{raw}, transform.Options{}).Rows
		got, ok := codes.New(codes.Raw{Code: &name, Description: &description})
		if len(rows) != 1 || !ok || got.Code != rows[0].Code || !reflect.DeepEqual(got.Description, rows[0].Description) {
			r.Fatalf("%s became %s in a row and %s in the list", raw, text(t, rows), text(t, got))
		}
	})
}

func TestMerge(t *testing.T) {
	hit := func(c codes.Code, hit string) codes.Code { c.Hit = &hit; return c }
	for _, c := range []struct {
		name        string
		known, told []codes.Code
		want        []codes.Code // nil: known, unchanged
	}{
		{"nothing at all", []codes.Code{}, nil, nil},
		{"first", nil, []codes.Code{code("2", "Dos", 0, 0), code("1", "", 0, 0)}, []codes.Code{code("1", "", 5, 5), code("2", "Dos", 5, 5)}},
		{"an empty list", []codes.Code{code("1", "Uno", 1, 2)}, nil, nil},
		{"vanished", []codes.Code{code("1", "Uno", 1, 2), code("2", "Dos", 1, 2)}, []codes.Code{code("2", "Dos", 0, 0)},
			[]codes.Code{code("1", "Uno", 1, 2), code("2", "Dos", 1, 5)}},
		{"edited", []codes.Code{hit(code("1", "Uno", 1, 2), "1")}, []codes.Code{code("1", "Primero", 0, 0)}, []codes.Code{code("1", "Primero", 1, 5)}},
		{"its description taken away", []codes.Code{code("1", "Uno", 1, 2)}, []codes.Code{code("1", "", 0, 0)}, []codes.Code{code("1", "", 1, 5)}},
		{"only the time", []codes.Code{code("1", "Uno", 1, 2)}, []codes.Code{code("1", "Uno", 0, 0)}, []codes.Code{code("1", "Uno", 1, 5)}},
		{"the same again", []codes.Code{code("1", "Uno", 1, 5)}, []codes.Code{code("1", "Uno", 0, 0)}, nil},
		{"another at the same time", []codes.Code{code("1", "Uno", 1, 5)}, []codes.Code{code("1", "Primero", 0, 0)}, []codes.Code{code("1", "Primero", 1, 5)}},
		{"an older list", []codes.Code{code("1", "Uno", 1, 6)}, []codes.Code{code("1", "Primero", 0, 0)}, nil},
		{"an older list with a code of its own", []codes.Code{code("1", "Uno", 1, 6)}, []codes.Code{code("1", "Primero", 0, 0), code("2", "", 0, 0)},
			[]codes.Code{code("1", "Uno", 1, 6), code("2", "", 5, 5)}},
		{"twice", nil, []codes.Code{hit(code("1", "b", 0, 0), "1"), code("1", "", 0, 0), hit(code("1", "a", 0, 0), "2")}, []codes.Code{hit(code("1", "a", 5, 5), "1")}},
		{"case is not folded", nil, []codes.Code{code("Venta", "", 0, 0), code("VENTA", "", 0, 0)}, []codes.Code{code("VENTA", "", 5, 5), code("Venta", "", 5, 5)}},
	} {
		before := text(t, c.known) + text(t, c.told)
		got, changed := codes.Merge(c.known, c.told, day(5).In(time.FixedZone("", -5*3600)).Add(time.Nanosecond))
		want := c.want
		if want == nil {
			want = c.known
		}
		if text(t, got) != text(t, want) || changed != (c.want != nil) {
			t.Errorf("%s: %v, %s\nwant %s", c.name, changed, text(t, got), text(t, want))
		}
		if text(t, c.known)+text(t, c.told) != before {
			t.Errorf("%s: the input was changed", c.name)
		}
	}
}

func drawList(r *rapid.T) []codes.Code {
	return rapid.SliceOfN(rapid.Custom(func(r *rapid.T) codes.Code {
		c := code(rapid.SampledFrom([]string{"", "0012", "12", "ñ"}).Draw(r, "code"), rapid.SampledFrom([]string{"", "a", "b"}).Draw(r, "description"), 0, 0)
		if rapid.Bool().Draw(r, "flagged") {
			c.Hit = new(rapid.SampledFrom([]string{"0", "1"}).Draw(r, "hit"))
		}
		return c
	}), 0, 6).Draw(r, "told")
}

// TestMergeLaw: over any history, in which lists come in any order, none is
// forgotten, and each code has the values of the latest list that tells it.
func TestMergeLaw(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var known []codes.Code
		first, last := map[string]time.Time{}, map[string]time.Time{}
		values := map[string]codes.Code{}
		for range rapid.IntRange(1, 6).Draw(r, "lists") {
			told, at := drawList(r), day(rapid.IntRange(0, 9).Draw(r, "day"))
			merged, changed := codes.Merge(known, told, at)
			alone, _ := codes.Merge(nil, told, at)
			for _, c := range alone {
				if _, ok := first[c.Code]; !ok {
					first[c.Code] = at
				}
				if !at.Before(last[c.Code]) {
					last[c.Code], values[c.Code] = at, c
				}
			}
			if changed != (text(t, merged) != text(t, append([]codes.Code{}, known...))) {
				r.Fatalf("changed is %v from %s to %s", changed, text(t, known), text(t, merged))
			}
			slices.Reverse(told)
			other := slices.Clone(known)
			slices.Reverse(other)
			if again, _ := codes.Merge(other, told, at); text(t, again) != text(t, merged) {
				r.Fatalf("the order matters: %s, and %s", text(t, merged), text(t, again))
			}
			if again, changed := codes.Merge(merged, told, at); changed || text(t, again) != text(t, merged) {
				r.Fatalf("told again, %s becomes %s", text(t, merged), text(t, again))
			}
			known = merged
		}
		labels := codes.Labels(known)
		if len(known) != len(values) || !slices.IsSortedFunc(known, func(a, b codes.Code) int { return strings.Compare(a.Code, b.Code) }) {
			r.Fatalf("known are %s of %d", text(t, known), len(values))
		}
		for _, c := range known {
			want := values[c.Code]
			want.FirstSeenAt, want.LastSeenAt = first[c.Code], last[c.Code]
			label, labelled := labels[c.Code]
			if text(t, c) != text(t, want) || labelled != (want.Description != nil) || labelled && label != *want.Description || !codes.Has(known, c.Code) {
				r.Fatalf("%s, want %s; label %q", text(t, c), text(t, want), label)
			}
		}
		if codes.Has(known, "other") || codes.Has(nil, "") {
			r.Fatal("a code is known that nobody told")
		}
	})
}

// TestSource: what the client gives of a source with all its oddities finds
// the codes that its rows have.
func TestSource(t *testing.T) {
	for name, faults := range map[string]chat7sim.Faults{"friendly": {}, "other-shapes": {CodeActKey: true, OddNames: 1, NoDescription: 0.5}} {
		sim, err := chat7sim.New(chat7sim.Options{Seed: 3, Now: func() time.Time { return day(2) }, Scenario: chat7sim.Scenario{Faults: faults,
			Operations: []chat7sim.Operation{{Name: "ventas", Timezone: "America/Bogota", InteractionsPerDay: 400, Steady: true, Licences: -1, Tokens: []string{"t"}}}}})
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(sim)
		defer server.Close()
		client, err := chat7.New(chat7.Options{BaseURL: server.URL, Token: func(context.Context) (string, error) { return "t", nil }})
		if err != nil {
			t.Fatal(err)
		}
		list, err := client.ActivityCodes(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var told []codes.Code
		for _, a := range list {
			c, ok := codes.New(codes.Raw(a))
			if !ok {
				t.Fatalf("%s: a code without one", name)
			}
			told = append(told, c)
		}
		known, _ := codes.Merge(nil, told, noon)

		from, err := window.ParseLocal("2026-11-01T00:00:00")
		if err != nil {
			t.Fatal(err)
		}
		answer, err := client.Rows(t.Context(), window.Range{From: from, To: from + 24*3600})
		if err != nil {
			t.Fatal(err)
		}
		found, missing := 0, map[string]bool{}
		for _, row := range transform.Window(answer.Rows, transform.Options{}).Rows {
			if codes.Has(known, row.Code) {
				found++
			} else {
				missing[row.Code] = true
			}
		}
		delete(missing, "")
		delete(missing, "-")
		if found == 0 || len(missing) > 0 || len(codes.Labels(known)) == 0 {
			t.Errorf("%s: %d rows have a code of %s, and these are not among them: %v", name, found, text(t, known), missing)
		}
	}
}
