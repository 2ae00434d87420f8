package schemas

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// asyncAPI reads asyncapi.yaml, as JSON values with every $ref replaced by
// what it names. A schema's own references are left to the schema.
func asyncAPI(t testing.TB) map[string]any {
	t.Helper()
	text, err := os.ReadFile("asyncapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var fromYAML any
	if err := yaml.Unmarshal(text, &fromYAML); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(fromYAML)
	if err != nil {
		t.Fatal(err)
	}
	root := parse(t, data)
	var resolve func(v any, depth int) any
	resolve = func(v any, depth int) any {
		if depth > 40 {
			t.Fatal("asyncapi.yaml refers to itself")
		}
		switch v := v.(type) {
		case []any:
			for i := range v {
				v[i] = resolve(v[i], depth+1)
			}
		case map[string]any:
			if v["$schema"] != nil {
				return v
			}
			if ref, ok := v["$ref"].(string); ok {
				if len(v) > 1 {
					t.Errorf("beside $ref %s there is more, which is ignored", ref)
				}
				if pointer, ok := strings.CutPrefix(ref, "#/"); ok {
					return resolve(lookUp(t, root, pointer), depth+1)
				}
				file, err := os.ReadFile(filepath.FromSlash(ref))
				if err != nil {
					t.Fatal(err)
				}
				return parse(t, file)
			}
			for name := range v {
				v[name] = resolve(v[name], depth+1)
			}
		}
		return v
	}
	return resolve(root, 0).(map[string]any)
}

func lookUp(t testing.TB, v any, pointer string) any {
	t.Helper()
	for name := range strings.SplitSeq(pointer, "/") {
		object, _ := v.(map[string]any)
		next, ok := object[name]
		if !ok {
			t.Fatalf("$ref #/%s: there is no %s", pointer, name)
		}
		v = next
	}
	return v
}

func get[T any](t testing.TB, v any, path ...string) T {
	t.Helper()
	found, ok := lookUp(t, v, strings.Join(path, "/")).(T)
	if !ok {
		t.Fatalf("%s is no %T", strings.Join(path, "."), found)
	}
	return found
}

// TestAsyncAPI holds what the document says against what this package does:
// the subjects, the streams, the headers, the schemas, the events.
func TestAsyncAPI(t *testing.T) {
	document := asyncAPI(t)
	channels := get[map[string]any](t, document, "channels")
	messages := get[map[string]any](t, document, "components", "messages")
	of := map[string]struct {
		message, typ, stream, subjects, content string
		examples                                []string
		subject                                 func(operation, code, day string) string
	}{
		"rows": {"row", TypeRow, EventsStream, EventsSubjects, ContentType, []string{"row"},
			func(operation, code, _ string) string { return RowSubject(operation, code) }},
		"windows": {"window", TypeWindow, EventsStream, EventsSubjects, ContentType, []string{"window", "window_empty"},
			func(operation, _, day string) string { return WindowSubject(operation, day) }},
		"days": {"day", TypeDay, EventsStream, EventsSubjects, ContentType, []string{"day"},
			func(operation, _, day string) string { return DaySubject(operation, day) }},
		"quarantine": {"quarantine", TypeQuarantine, QuarantineStream, QuarantineSubjects, "application/json", []string{"quarantine"},
			func(operation, _, day string) string { return QuarantineSubject(operation, day) }},
	}
	if len(channels) != len(of) || len(messages) != len(of) {
		t.Errorf("%d channels and %d messages are described, want %d", len(channels), len(messages), len(of))
	}
	for name, want := range of {
		channel := get[map[string]any](t, channels, name)
		message := get[map[string]any](t, channel, "messages", want.message)
		if !reflect.DeepEqual(message, messages[want.message]) || len(channel["messages"].(map[string]any)) != 1 {
			t.Errorf("channel %s has other messages than %s", name, want.message)
		}
		fill := strings.NewReplacer("{operation}", "ventas", "{code}", EncodeCode("Acuerdo de Pago"), "{day}", "20261101")
		address := get[string](t, channel, "address")
		if got, wanted := fill.Replace(address), want.subject("ventas", "Acuerdo de Pago", "2026-11-01"); got != wanted {
			t.Errorf("channel %s has the address %s, of which a subject is %s, want %s", name, address, got, wanted)
		}
		var inAddress []string
		for _, m := range regexp.MustCompile(`{(\w+)}`).FindAllStringSubmatch(address, -1) {
			inAddress = append(inAddress, m[1])
		}
		parameters := get[map[string]any](t, channel, "parameters")
		for _, p := range inAddress {
			if parameters[p] == nil {
				t.Errorf("channel %s: the parameter %s is not described", name, p)
			}
		}
		if len(parameters) != len(inAddress) {
			t.Errorf("channel %s describes the parameters %v, its address has %q", name, parameters, inAddress)
		}
		if stream, subjects := get[string](t, channel, "x-jetstream", "stream"), get[[]any](t, channel, "x-jetstream", "subjects"); stream != want.stream ||
			!slices.Equal(subjects, []any{want.subjects}) {
			t.Errorf("channel %s is kept by %s %v, want %s %s", name, stream, subjects, want.stream, want.subjects)
		}
		if message["name"] != want.typ || !reflect.DeepEqual(message["payload"], any(schemaOf(t, want.typ))) {
			t.Errorf("message %s is %v, and its payload is not the schema of %s", want.message, message["name"], want.typ)
		}
		if traits, ok := message["traits"].([]any); ok {
			message["headers"], message["contentType"] = get[any](t, traits[0], "headers"), get[any](t, traits[0], "contentType")
		}
		if message["contentType"] != want.content || get[string](t, message, "headers", "properties", "Content-Type", "const") != want.content {
			t.Errorf("message %s has the content type %v, want %s", want.message, message["contentType"], want.content)
		}
		examples(t, want.typ, message, want.examples)
	}
	for _, o := range get[map[string]any](t, document, "operations") {
		channel := get[map[string]any](t, o, "channel")
		if of := get[[]any](t, o, "messages"); len(of) != 1 || !reflect.DeepEqual(of[0], slices.Collect(maps.Values(channel["messages"].(map[string]any)))[0]) {
			t.Errorf("an operation on %v receives %v", channel["address"], of)
		}
	}
	for _, code := range get[[]any](t, document, "components", "parameters", "code", "examples") {
		plain := strings.NewReplacer("%20", " ").Replace(code.(string))
		if plain == "%" {
			plain = ""
		}
		if EncodeCode(plain) != code {
			t.Errorf("the example %q is no code in a subject", code)
		}
	}
}

// examples holds a message's examples against its schemas, and against the
// events that really go out.
func examples(t *testing.T, typ string, message map[string]any, files []string) {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("headers", message["headers"]); err != nil {
		t.Fatal(err)
	}
	headers, err := compiler.Compile("headers")
	if err != nil {
		t.Fatal(err)
	}
	all := message["examples"].([]any)
	if len(all) != len(files) {
		t.Fatalf("%s has %d examples, want %d", typ, len(all), len(files))
	}
	for i, example := range all {
		payload := get[map[string]any](t, example, "payload")
		if err := compile(t, typ, drafts[0], true).Validate(payload); err != nil {
			t.Errorf("an example of %s: %v", typ, err)
		}
		golden, err := os.ReadFile("testdata/" + files[i] + ".json")
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(any(payload), parse(t, golden)) {
			t.Errorf("example %d of %s is not testdata/%s.json", i, typ, files[i])
		}
		if err := headers.Validate(get[any](t, example, "headers")); err != nil {
			t.Errorf("an example of %s: %v", typ, err)
		}
		if id, ok := payload["id"]; ok && get[string](t, example, "headers", "Nats-Msg-Id") != id {
			t.Errorf("an example of %s has another id in its headers than %v", typ, id)
		}
	}
}
