package schemas

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// described are the types with the struct that each event's data comes from.
var described = map[string]reflect.Type{
	TypeRow:        reflect.TypeFor[RowData](),
	TypeWindow:     reflect.TypeFor[WindowData](),
	TypeDay:        reflect.TypeFor[DayData](),
	TypeQuarantine: reflect.TypeFor[QuarantineRow](),
}

// drafts are those that a schema must mean the same in.
var drafts = []string{"https://json-schema.org/draft/2020-12/schema", "http://json-schema.org/draft-07/schema#"}

func schemaOf(t testing.TB, typ string) map[string]any {
	t.Helper()
	data, ok := JSONSchema(typ)
	if !ok {
		t.Fatalf("%s has no schema", typ)
	}
	return parse(t, data).(map[string]any)
}

func parse(t testing.TB, data []byte) any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// compile compiles a type's schema by a draft. Formats are asserted where a
// validator is told to; by 2020-12 they are else mere annotations.
func compile(t testing.TB, typ, draft string, formats bool) *jsonschema.Schema {
	t.Helper()
	schema := schemaOf(t, typ)
	schema["$schema"] = draft
	c := jsonschema.NewCompiler()
	if formats {
		c.AssertFormat()
	} else {
		for _, name := range []string{"date", "date-time"} { // draft-07 asserts them unasked
			c.RegisterFormat(&jsonschema.Format{Name: name, Validate: func(any) error { return nil }})
		}
	}
	id := schema["$id"].(string)
	if err := c.AddResource(id, schema); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile(id)
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// goldens are the events of testdata by their type.
func goldens(t testing.TB) map[string][]any {
	t.Helper()
	all := map[string][]any{}
	for file, typ := range map[string]string{
		"row": TypeRow, "row_vanished": TypeRow, "window": TypeWindow, "window_empty": TypeWindow, "day": TypeDay, "quarantine": TypeQuarantine,
	} {
		data, err := os.ReadFile("testdata/" + file + ".json")
		if err != nil {
			t.Fatal(err)
		}
		all[typ] = append(all[typ], parse(t, data))
	}
	return all
}

func TestJSONSchemaIsKeyedByType(t *testing.T) {
	for typ := range described {
		if got, want := schemaOf(t, typ)["$id"], "urn:wolkpipe:schema:"+strings.TrimPrefix(typ, "wolkpipe."); got != want {
			t.Errorf("the schema of %s has the $id %v, want %s", typ, got, want)
		}
		if schemaOf(t, typ)["$schema"] != drafts[0] {
			t.Errorf("the schema of %s is of the draft %v", typ, schemaOf(t, typ)["$schema"])
		}
	}
	for _, typ := range []string{"", "row", "wolkpipe.chat_7.row.v2", "wolkpipe.chat_7.row", "wolkpipe.chat_7.row.v1.v1", "wolkpipe.chat_7.none.v1",
		"wolkpipe.chat_7.../json/row.v1", "wolkpipe.chat_7.row.json.v1"} {
		if _, ok := JSONSchema(typ); ok {
			t.Errorf("%q has a schema", typ)
		}
	}
}

// TestSchemaNamesEveryField: what a struct has, its schema requires, and the
// other way round.
func TestSchemaNamesEveryField(t *testing.T) {
	same := func(typ, where string, schema map[string]any, of reflect.Type) {
		t.Helper()
		var fields []string
		for f := range of.Fields() {
			fields = append(fields, f.Tag.Get("json"))
		}
		slices.Sort(fields)
		var required []string
		for _, name := range schema["required"].([]any) {
			required = append(required, name.(string))
		}
		slices.Sort(required)
		named := slices.Sorted(maps.Keys(schema["properties"].(map[string]any)))
		if !slices.Equal(required, fields) || !slices.Equal(named, fields) {
			t.Errorf("%s, %s: the fields are %q; named are %q, required %q", typ, where, fields, named, required)
		}
		if more, ok := schema["additionalProperties"]; ok && more != true {
			t.Errorf("%s, %s: consumers are told to ignore what they do not know; additionalProperties is %v", typ, where, more)
		}
	}
	at := func(schema map[string]any, names ...string) map[string]any {
		for _, name := range names {
			schema = schema[name].(map[string]any)
		}
		return schema
	}
	for typ, of := range described {
		schema := schemaOf(t, typ)
		if typ == TypeQuarantine {
			same(typ, "the message", schema, of)
			continue
		}
		same(typ, "the envelope", schema, reflect.TypeFor[Event[any]]())
		same(typ, "data", at(schema, "properties", "data"), of)
	}
	same(TypeWindow, "a row", at(schemaOf(t, TypeWindow), "properties", "data", "properties", "rows", "items"), reflect.TypeFor[Row]())
}

func TestGoldensAreValid(t *testing.T) {
	for _, draft := range drafts {
		for typ, events := range goldens(t) {
			schema := compile(t, typ, draft, true)
			for _, e := range events {
				if err := schema.Validate(e); err != nil {
					t.Errorf("%s by %s: %v", typ, draft, err)
				}
				e.(map[string]any)["field_of_tomorrow"] = true
				if data, ok := e.(map[string]any)["data"].(map[string]any); ok {
					data["field_of_tomorrow"] = []any{}
				}
				if err := schema.Validate(e); err != nil {
					t.Errorf("%s with a field more, by %s: %v", typ, draft, err)
				}
			}
		}
	}
}

// wrong are values that a field does not take, beside those of other types.
var wrong = map[string][]string{
	"specversion": {"0.3", ""}, "id": {"", "a b", "a\n"}, "source": {"", "/wolkpipe/Ventas/chat_7", "/wolkpipe/ventas/chat_8", "x/wolkpipe/ventas/chat_7"},
	"type": {"wolkpipe.chat_7.row.v2", ""}, "subject": {"", "2026-11-01T10:00", "2026-11-01 10:00:00"}, "time": {"2026-11-01", "yesterday", "2026-11-01T10:00:00-05:00"},
	"datacontenttype": {"text/json"}, "dataschema": {"urn:wolkpipe:schema:chat_7.row.v2"},
	"operation": {"", "Ventas", "a.b", "1a", strings.Repeat("a", 64)}, "day": {"20261101", "2026-11-1"},
	"window_start": {"2026-11-01T10:00:00", "2026-11-01"}, "window_end": {"2026-11-01 10:00:00Z"}, "observed_at": {"2026-11-01T10:00:00", ""},
	"window_local": {"2026-11-01T10:00:00Z", "2026-11-01T10:00", "10:00:00"},
	"method":       {"guessed", ""}, "cause": {"manual", ""}, "state": {"open", ""}, "timezone": {""},
}

// impossible are values that only the assertion of formats refuses.
var impossible = map[string]string{
	"time": "2026-11-31T10:00:00Z", "window_start": "2026-11-01T24:30:00-05:00", "window_end": "2026-13-01T10:00:00Z",
	"observed_at": "2026-02-29T10:00:00Z", "day": "2026-02-30",
}

// leastOf are the least values of the counts that have one.
var leastOf = map[string]int{
	"interactions": 0, "revision": 1, "row_count": 0, "rejected_rows": 0, "dropped_rows": 0, "part": 1, "parts": 1, "windows_expected": 0, "windows_observed": 0,
}

// TestSchemasCanFail: each field left out, of another type or of a wrong
// value makes an event invalid.
func TestSchemasCanFail(t *testing.T) {
	for _, draft := range drafts {
		tried := map[string]bool{}
		for typ, events := range goldens(t) {
			for _, formats := range []bool{true, false} {
				schema := compile(t, typ, draft, formats)
				for _, other := range []any{nil, "text", json.Number("7"), []any{}, map[string]any{}} {
					if schema.Validate(other) == nil {
						t.Errorf("by %s, %v is a valid %s", draft, other, typ)
					}
				}
				for _, e := range events {
					each(e, typ, func(where, name string, object map[string]any) {
						tried[name] = true
						spoil(t, schema, e, draft+", "+where, name, object, formats)
					})
					if err := schema.Validate(e); err != nil {
						t.Fatalf("the test spoilt its event: %v", err)
					}
				}
			}
		}
		for _, of := range append(slices.Collect(maps.Values(described)), reflect.TypeFor[Event[any]]()) {
			for f := range of.Fields() {
				if name := f.Tag.Get("json"); !tried[name] {
					t.Errorf("%s was not tried", name)
				}
			}
		}
	}
}

// spoil tries everything wrong with one field of an event.
func spoil(t *testing.T, schema *jsonschema.Schema, event any, where, name string, object map[string]any, formats bool) {
	was := object[name]
	refuses := func(v any) {
		t.Helper()
		if object[name] = v; schema.Validate(event) == nil {
			t.Errorf("by %s may be %#v", where, v)
		}
	}
	delete(object, name)
	if schema.Validate(event) == nil {
		t.Errorf("by %s may be left out", where)
	}
	for _, v := range []any{nil, true, json.Number("7.5"), json.Number("7"), "seven", []any{}, map[string]any{}, []any{"seven"}} {
		if name != "raw" && !fits(name, was, v) { // raw is any JSON
			refuses(v)
		}
	}
	for _, v := range wrong[name] {
		refuses(v)
	}
	if v, ok := impossible[name]; ok && formats {
		refuses(v)
	}
	if least, ok := leastOf[name]; ok {
		if strings.Contains(where, "rows.") {
			least = 1 // a row of a window is there
		}
		refuses(json.Number(fmt.Sprint(least - 1)))
	}
	object[name] = was
}

// each gives every field of an event, those of data and of rows included, but
// for what a quarantine message quotes.
func each(v any, where string, f func(where, name string, object map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if name != "raw" {
				each(v[name], where+"."+name, f)
			}
			f(where+"."+name, name, v)
		}
	case []any:
		for _, e := range v {
			each(e, where, f)
		}
	}
}

// fits reports whether a field that is was may as well be v.
func fits(name string, was, v any) bool {
	if name == "description_cod_act" {
		return v == nil || v == "seven"
	}
	switch v := v.(type) {
	case string:
		_, text := was.(string)
		return text && len(wrong[name]) == 0 || text && (name == "id" || name == "timezone" || name == "operation")
	case json.Number:
		_, number := was.(json.Number)
		return number && v == json.Number("7")
	case []any:
		return name == "rows" && len(v) == 0
	}
	return false
}
