package transform

import (
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"wolkpipe/schemas"
)

func raws(rows ...string) []json.RawMessage {
	out := make([]json.RawMessage, len(rows))
	for i, r := range rows {
		out[i] = json.RawMessage(r)
	}
	return out
}

// show writes a snapshot's rows and the counts that are not zero.
func show(s Snapshot) string {
	var b strings.Builder
	for _, r := range s.Rows {
		fmt.Fprintf(&b, "%s|%s|", r.Agent, r.Code)
		if r.Description != nil {
			fmt.Fprintf(&b, "%s", *r.Description)
		} else {
			b.WriteString("none")
		}
		fmt.Fprintf(&b, "|%d\n", r.Interactions)
	}
	for _, r := range s.Rejects {
		fmt.Fprintf(&b, "reject: %s: %s\n", r.Reason, r.Raw)
	}
	for _, n := range []struct {
		name string
		n    int64
	}{{"merged", s.Merged}, {"dropped", s.Dropped}, {"zero", s.Zero}} {
		if n.n != 0 {
			fmt.Fprintf(&b, "%s %d\n", n.name, n.n)
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func TestWindow(t *testing.T) {
	const huge = "9223372036854775807"
	for _, c := range []struct {
		name string
		o    Options
		rows []string
		want string
	}{
		{name: "nothing"},
		{name: "the documented shape", rows: []string{`{"interactions": "3", "agent_name": "COM-Ana", "cod_act": "0012", "description_cod_act": "Pago"}`},
			want: "COM-Ana|0012|Pago|3"},
		{name: "sorted", rows: []string{`{"interactions":1,"agent_name":"b"}`, `{"interactions":1,"agent_name":"B"}`, `{"interactions":1,"agent_name":"a","cod_act":"2"}`, `{"interactions":1,"agent_name":"a","cod_act":"10"}`},
			want: "B||none|1\na|10|none|1\na|2|none|1\nb||none|1"},
		{name: "names missing", rows: []string{`{"interactions":1}`}, want: "||none|1"},
		{name: "names null or empty", rows: []string{`{"interactions":1,"agent_name":null,"cod_act":""}`}, want: "||none|1"},
		{name: "description null", rows: []string{`{"interactions":1,"description_cod_act":null}`}, want: "||none|1"},
		{name: "description empty", rows: []string{`{"interactions":1,"description_cod_act":" &nbsp;"}`}, want: "||none|1"},
		{name: "description no text", rows: []string{`{"interactions":1,"description_cod_act":false}`}, want: "||none|1"},
		{name: "description a number", rows: []string{`{"interactions":1,"description_cod_act":12}`}, want: "||12|1"},
		{name: "numbers as names", rows: []string{`{"interactions":1,"agent_name":12,"cod_act":1.50e3}`, `{"interactions":1,"agent_name":-0}`},
			want: "-0||none|1\n12|1.50e3|none|1"},
		{name: "sentinels and case variants", rows: []string{`{"interactions":1,"cod_act":"-"}`, `{"interactions":2,"cod_act":"TIMEOUTCHAT"}`, `{"interactions":3,"cod_act":"Timeoutchat"}`, `{"interactions":4,"cod_act":"AGENT-INITIATED"}`, `{"interactions":5,"cod_act":"TIMEOUTACW"}`},
			want: "|-|none|1\n|AGENT-INITIATED|none|4\n|TIMEOUTACW|none|5\n|TIMEOUTCHAT|none|2\n|Timeoutchat|none|3"},
		{name: "codes told apart by zeros", rows: []string{`{"interactions":1,"cod_act":"0012"}`, `{"interactions":2,"cod_act":"12"}`, `{"interactions":4,"cod_act":12}`},
			want: "|0012|none|1\n|12|none|6\nmerged 1"},
		{name: "unknown keys", rows: []string{`{"interactions":1,"Interactions":{"interactions":7},"AGENT_NAME":["x"],"more":null}`}, want: "||none|1"},
		{name: "unknown keys in escapes", rows: []string{`{"\u0078":1,"interactions":1,"\u0079":1,"\u007a":1}`}, want: "||none|1"},
		{name: "keys in escapes", rows: []string{`{"interaction\u0073":1,"agent\u005fname":"A\/\u00f1\ud83d\ude00"}`}, want: "A/ñ😀||none|1"},

		{name: "alike to the byte", rows: []string{`{"interactions":2}`, `{"interactions":2}`, `{"interactions":2}`}, want: "||none|2\ndropped 2"},
		{name: "alike, summed", o: Options{Sum: true}, rows: []string{`{"interactions":2}`, `{"interactions":2}`, `{"interactions":2}`}, want: "||none|6\nmerged 2"},
		{name: "not quite alike", rows: []string{`{"interactions":2}`, `{"interactions": 2}`}, want: "||none|4\nmerged 1"},
		{name: "one key in two forms", rows: []string{`{"interactions":2,"agent_name":"Jose\u0301"}`, `{"interactions":3,"agent_name":"Jos&eacute;"}`}, want: "José||none|5\nmerged 1"},
		{name: "the first description stays", rows: []string{`{"interactions":1}`, `{"interactions":1,"description_cod_act":"b"}`, `{"interactions":9,"description_cod_act":"a"}`}, want: "||a|11\nmerged 2"},
		{name: "duplicates and others of one key", rows: []string{`{"interactions":2}`, `{"interactions":"2"}`, `{"interactions":2}`}, want: "||none|4\nmerged 1\ndropped 1"},
		{name: "zeros", rows: []string{`{"interactions":0}`, `{"interactions":"0"}`, `{"interactions":"0"}`, `{"interactions":1,"cod_act":"a"}`, `{"interactions":0,"cod_act":"a","description_cod_act":"x"}`},
			want: "|a|none|1\ndropped 1\nzero 3"},
		{name: "zeros summed", o: Options{Sum: true}, rows: []string{`{"interactions":0}`, `{"interactions":0}`}, want: "zero 2"},

		{name: "no object", rows: []string{`[1]`, `null`, `"x"`, `7`, `true`},
			want: "reject: row is text, not an object: \"x\"\nreject: row is a number, not an object: 7\nreject: row is an array, not an object: [1]\nreject: row is null, not an object: null\nreject: row is a boolean, not an object: true"},
		{name: "no JSON", rows: []string{``, `{"interactions":1`, "\xff"},
			want: `reject: row is not JSON: ""` + "\n" + `reject: row is not JSON: "{\"interactions\":1"` + "\n" + `reject: row is not JSON: "\ufffd"`},
		{name: "no count", rows: []string{`{}`}, want: "reject: interactions is missing: {}"},
		{name: "a count refused", rows: []string{`{"interactions":"1.5"}`}, want: `reject: interactions is "1.5": only digits are read, or groups of three of them parted by commas: {"interactions":"1.5"}`},
		{name: "names refused", rows: []string{`{"interactions":1,"agent_name":{}}`, `{"interactions":1,"cod_act":[]}`, `{"interactions":1,"cod_act":true}`},
			want: `reject: agent_name is an object, not text: {"interactions":1,"agent_name":{}}` + "\n" + `reject: cod_act is an array, not text: {"interactions":1,"cod_act":[]}` + "\n" + `reject: cod_act is a boolean, not text: {"interactions":1,"cod_act":true}`},
		{name: "half a character", rows: []string{`{"interactions":1,"agent_name":"\ud83d"}`}, want: `reject: agent_name is not valid Unicode: {"interactions":1,"agent_name":"\ud83d"}`},
		{name: "two halves of none", rows: []string{`{"interactions":1,"agent_name":"\ud83d\u0041"}`}, want: `reject: agent_name is not valid Unicode: {"interactions":1,"agent_name":"\ud83d\u0041"}`},
		{name: "broken UTF-8", rows: []string{"{\"interactions\":1,\"cod_act\":\"a\xf1o\"}"}, want: "reject: cod_act is not valid Unicode: {\"interactions\":1,\"cod_act\":\"a\xf1o\"}"},
		{name: "broken description", rows: []string{"{\"interactions\":1,\"description_cod_act\":\"a\xf1o\"}"}, want: "||none|1"},
		{name: "a key twice", rows: []string{`{"interactions":1,"interactions":1}`}, want: `reject: "interactions" stands twice in the row: {"interactions":1,"interactions":1}`},
		{name: "a key twice, once in escapes", rows: []string{`{"interactions":1,"cod_act":null,"cod_\u0061ct":"1"}`}, want: `reject: "cod_act" stands twice in the row: {"interactions":1,"cod_act":null,"cod_\u0061ct":"1"}`},
		{name: "an unknown key twice", rows: []string{`{"x":1,"interactions":1,"y":1,"\u0078":2}`}, want: `reject: "x" stands twice in the row: {"x":1,"interactions":1,"y":1,"\u0078":2}`},
		{name: "rejects alike", rows: []string{`7`, `7`}, want: "reject: row is a number, not an object: 7\ndropped 1"},
		{name: "rejects alike, summed", o: Options{Sum: true}, rows: []string{`7`, `7`}, want: "reject: row is a number, not an object: 7\nreject: row is a number, not an object: 7"},

		{name: "a key's sum too large", rows: []string{`{"interactions":` + huge + `}`, `{"interactions":1}`, `{"interactions":0}`, `{"interactions":5,"cod_act":"a"}`},
			want: "|a|none|5\nreject: interactions add up to more than " + huge + " with the window's other rows: {\"interactions\":1}\nreject: interactions add up to more than " + huge + " with the window's other rows: {\"interactions\":" + huge + "}\nzero 1"},
		{name: "one key's sum too large by one", rows: []string{`{"interactions":` + huge + `}`, `{"interactions":1}`},
			want: "reject: interactions add up to more than " + huge + " with the window's other rows: {\"interactions\":1}\nreject: interactions add up to more than " + huge + " with the window's other rows: {\"interactions\":" + huge + "}"},
		{name: "the total too large", rows: []string{`{"interactions":` + huge + `}`, `{"interactions":5,"cod_act":"a"}`, `{"interactions":4,"cod_act":"a"}`},
			want: "|a|none|9\nreject: interactions add up to more than " + huge + " with the window's other rows: {\"interactions\":" + huge + "}\nmerged 1"},
		{name: "the total just fits", rows: []string{`{"interactions":9223372036854775806}`, `{"interactions":1,"cod_act":"a"}`},
			want: "||none|9223372036854775806\n|a|none|1"},
		{name: "the largest of three goes", rows: []string{`{"interactions":4611686018427387905}`, `{"interactions":4611686018427387904,"cod_act":"b"}`, `{"interactions":2,"cod_act":"c"}`},
			want: "|b|none|4611686018427387904\n|c|none|2\nreject: interactions add up to more than " + huge + " with the window's other rows: {\"interactions\":4611686018427387905}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rows := raws(c.rows...)
			s := Window(rows, c.o)
			if got := show(s); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			checkSnapshot(t, rows, s, c.o)
		})
	}
}

// sourceRow draws a row as the source may send it: few keys and counts, so
// that they meet, in many forms.
func sourceRow() *rapid.Generator[json.RawMessage] {
	agents := rapid.SampledFrom([]string{`"Ana"`, `" Ana"`, `"A\u200bna"`, `"José"`, `"Jose\u0301"`, `"Jos&eacute;"`, `"A &amp; B"`, `"A & B"`, `null`, `""`, `"\t"`, `7`, `"7"`, `{}`})
	codes := rapid.SampledFrom([]string{`"0012"`, `"12"`, `12`, `"-"`, `""`, `"TIMEOUTCHAT"`, `"Acuerdo_de_Pago"`, `"acci\u00f3n"`, `"accio\u0301n"`, `[1]`})
	counts := rapid.SampledFrom([]string{`"3"`, `3`, `" 3 "`, `"1,234"`, `0`, `"0"`, `""`, `null`, `-1`, `1.5`, `"1e3"`, `7`, `1`})
	descriptions := rapid.SampledFrom([]string{`"Pago"`, `"pago  hoy"`, `null`, `""`, `"Otro"`})
	return rapid.Custom(func(t *rapid.T) json.RawMessage {
		members := []string{
			`"interactions":` + counts.Draw(t, "count"), `"agent_name":` + agents.Draw(t, "agent"),
			`"cod_act":` + codes.Draw(t, "code"), `"description_cod_act":` + descriptions.Draw(t, "description"), `"extra":1`,
		}
		n := rapid.IntRange(0, len(members)).Draw(t, "members")
		if rapid.Bool().Draw(t, "whole") {
			n = len(members)
		}
		return json.RawMessage("{" + strings.Join(members[:n], ",") + "}")
	})
}

// model is Window in the obvious way: maps, one pass after the other.
func model(rows []json.RawMessage, sum bool) (counts map[[2]string]int64, descriptions map[[2]string]string, rejects int) {
	counts, descriptions = map[[2]string]int64{}, map[[2]string]string{}
	seen := map[string]bool{}
	for _, raw := range rows {
		if seen[string(raw)] && !sum {
			continue
		}
		seen[string(raw)] = true
		members, err := fieldsByTokens(raw)
		if err != nil {
			rejects++
			continue
		}
		agent, ok1 := nameByModel(members["agent_name"])
		code, ok2 := nameByModel(members["cod_act"])
		n, ok3 := countByPattern(strings.Trim(string(members["interactions"]), `"`))
		if !ok1 || !ok2 || !ok3 {
			rejects++
			continue
		}
		if n == 0 {
			continue
		}
		key := [2]string{agent, code}
		counts[key] += n
		if d, _ := nameByModel(members["description_cod_act"]); d != "" && (descriptions[key] == "" || d < descriptions[key]) {
			descriptions[key] = d
		}
	}
	return counts, descriptions, rejects
}

func nameByModel(value json.RawMessage) (string, bool) {
	var s string
	switch {
	case len(value) == 0:
		return "", true
	case value[0] == '{' || value[0] == '[':
		return "", false
	case json.Unmarshal(value, &s) != nil:
		s = string(value)
	}
	s = strings.ReplaceAll(norm.NFC.String(html.UnescapeString(s)), "\u200b", "")
	return strings.Join(strings.Fields(s), " "), true
}

func TestWindowAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOfN(sourceRow(), 0, 40).Draw(t, "rows")
		for range rapid.IntRange(0, 10).Draw(t, "repeats") {
			if len(rows) > 0 {
				rows = append(rows, rapid.SampledFrom(rows).Draw(t, "repeat"))
			}
		}
		o := Options{Sum: rapid.Bool().Draw(t, "sum")}
		s := Window(rows, o)
		checkSnapshot(t, rows, s, o)

		counts, descriptions, rejects := model(rows, o.Sum)
		got, gotDescriptions := map[[2]string]int64{}, map[[2]string]string{}
		for _, r := range s.Rows {
			key := [2]string{r.Agent, r.Code}
			got[key] = r.Interactions
			if r.Description != nil {
				gotDescriptions[key] = *r.Description
			}
		}
		if !maps.Equal(got, counts) || !maps.Equal(gotDescriptions, descriptions) || len(s.Rejects) != rejects {
			t.Fatalf("got\n%s\nwant %v, %v, %d rejects", show(s), counts, descriptions, rejects)
		}

		shuffled := rapid.Permutation(rows).Draw(t, "shuffled")
		if again := Window(shuffled, o); !reflect.DeepEqual(again, s) {
			t.Fatalf("the order of the rows matters:\n%s\nand\n%s", show(s), show(again))
		}
		again := Window(written(t, s.Rows), o)
		if !reflect.DeepEqual(again.Rows, s.Rows) || again.Merged+again.Dropped+again.Zero+int64(len(again.Rejects)) != 0 {
			t.Fatalf("not normal:\n%s\nbecame\n%s", show(s), show(again))
		}

		hashed := Window(rows, Options{Sum: o.Sum, AgentKey: []byte("k")})
		if len(hashed.Rows) != len(s.Rows) || hashed.Merged != s.Merged || !slices.IsSortedFunc(hashed.Rows, schemas.Row.Compare) {
			t.Fatalf("hashing changes more than names:\n%s\nand\n%s", show(s), show(hashed))
		}
	})
}
