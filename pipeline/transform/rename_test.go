package transform

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"wolkpipe/schemas"
)

// ana renames those who are called Ana, and tells their spellings apart.
func ana(name string, written []byte) (Renamed, bool) {
	return Renamed{Name: "erased:0", Variant: fmt.Sprintf("%x", written)}, name == "Ana"
}

func TestRename(t *testing.T) {
	for name, c := range map[string]struct{ raw, want string }{
		"plain":           {`{"interactions":"3","agent_name":"Ana","cod_act":"1"}`, `{"interactions":"3","agent_name":"erased:0","erased_variant":"22416e6122","cod_act":"1"}`},
		"odd spelling":    {"{\"agent_name\" : \" A\\u006ea\\t\" } ", "{\"agent_name\" : \"erased:0\",\"erased_variant\":\"222041\\u0030\" } "},
		"another":         {`{"agent_name":"Ana B","cod_act":"Ana"}`, ""},
		"nobody":          {`{"cod_act":"1"}`, ""},
		"no text":         {`{"agent_name":["Ana"]}`, ""},
		"null":            {`{"agent_name":null}`, ""},
		"another key":     {`{"Agent_Name":"Ana","x":{"agent_name":"Ana"}}`, ""},
		"no object":       {`"Ana"`, ""},
		"no JSON":         {`{"agent_name":"Ana"`, ""},
		"cannot count":    {`{"agent_name":"Ana","interactions":-1}`, `{"agent_name":"erased:0","erased_variant":"22416e6122","interactions":-1}`},
		"named twice":     {`{"agent_name":"Ana","agent_name":"Ana"}`, `{"agent_name":"erased:0","erased_variant":"22416e6122","agent_name":"erased:0","erased_variant":"22416e6122"}`},
		"named otherwise": {`{"agent_name":"Bo","agent_name":"Ana"}`, `{"agent_name":"Bo","agent_name":"erased:0","erased_variant":"22416e6122"}`},
		"key in escapes":  {`{"agent\u005fname":"Ana"}`, `{"agent\u005fname":"erased:0","erased_variant":"22416e6122"}`},
		"empty":           {`{}`, ""},
	} {
		got, renamed := Rename(json.RawMessage(c.raw), ana)
		if name == "odd spelling" { // the spelling's bytes, in hexadecimal
			c.want = "{\"agent_name\" : \"erased:0\",\"erased_variant\":\"" + fmt.Sprintf("%x", `" A\u006ea\t"`) + "\" } "
		}
		if c.want == "" {
			c.want = c.raw
		}
		if string(got) != c.want || renamed != (c.want != c.raw) {
			t.Errorf("%s: %s became %s (%v), want %s", name, c.raw, got, renamed, c.want)
		}
	}
}

// TestRenamedRowsCountAlike: what a window counts does not change with a name.
func TestRenamedRowsCountAlike(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var rows, renamed []json.RawMessage
		for range rapid.IntRange(0, 8).Draw(r, "rows") {
			raw := json.RawMessage(fmt.Sprintf(`{"interactions":%s,"agent_name":%s,"cod_act":%s}%s`,
				rapid.SampledFrom([]string{`1`, `"2"`, `-1`, `0`, `"x"`}).Draw(r, "count"),
				rapid.SampledFrom([]string{`"Ana"`, `" Ana"`, `"A\u006ea"`, `"&#65;na"`, `"Bo"`, `"Zoe"`, `7`, `null`, `[1]`, `"\ud800"`}).Draw(r, "agent"),
				rapid.SampledFrom([]string{`"1"`, `1`, `"2"`}).Draw(r, "code"),
				rapid.SampledFrom([]string{"", " "}).Draw(r, "behind")))
			rows = append(rows, raw)
			other, _ := Rename(raw, ana)
			renamed = append(renamed, other)
		}
		for _, o := range []Options{{}, {Sum: true}} {
			was, is := Window(rows, o), Window(renamed, o)
			for i := range was.Rows {
				if was.Rows[i].Agent == "Ana" {
					was.Rows[i].Agent = "erased:0"
				}
			}
			slices.SortFunc(was.Rows, schemas.Row.Compare)
			if !reflect.DeepEqual(was.Rows, is.Rows) || len(was.Rejects) != len(is.Rejects) || was.Dropped != is.Dropped || was.Zero != is.Zero || was.Merged != is.Merged {
				r.Fatalf("%s counted\n%+v, renamed\n%+v", rows, was, is)
			}
			if again := Compare(renamed, o); len(again.Unsure) != len(Compare(rows, o).Unsure) || again.Blind != Compare(rows, o).Blind {
				r.Fatalf("%s: what cannot be relied upon is %+v, renamed %+v", rows, Compare(rows, o), again)
			}
		}
	})
}

func FuzzRename(f *testing.F) {
	f.Add([]byte(`{"interactions":"3","agent_name":"Ana","cod_act":"0012"}`))
	f.Add([]byte("{\"agent_name\":\"\\ud83d\",\"agent_name\":1}"))
	f.Add([]byte(`[{"agent_name":"Ana"}]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var names []string
		all := func(name string, _ []byte) (Renamed, bool) {
			names = append(names, name)
			return Renamed{"other", "v"}, true
		}
		out, renamed := Rename(raw, all)
		if renamed != (len(names) > 0) || json.Valid(raw) != json.Valid(out) {
			t.Fatalf("%s became %s", raw, out)
		}
		names = nil
		if Rename(out, all); slices.ContainsFunc(names, func(n string) bool { return n != "other" }) {
			t.Fatalf("%s became %s, which names %q", raw, out, names)
		}
	})
}
