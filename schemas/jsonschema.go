package schemas

import (
	"embed"
	"strings"
)

// TypeQuarantine names the schema of the messages of CHAT7_QUARANTINE. They
// are no events, and bear no type themselves.
const TypeQuarantine = "wolkpipe.chat_7.quarantine.v1"

//go:embed json/*.json
var jsonSchemas embed.FS

// JSONSchema gives the JSON Schema (2020-12) of the events of a type, the
// envelope included, or of quarantine messages; ok is false where the type is
// not known. Its $id is the events' dataschema. It names what consumers may
// rely on, and allows fields beside. Its keywords mean the same in draft-07,
// which many tools still read.
func JSONSchema(typ string) (schema []byte, ok bool) {
	kind, after, _ := strings.Cut(strings.TrimPrefix(typ, "wolkpipe.chat_7."), ".")
	if typ != "wolkpipe.chat_7."+kind+".v1" || after != "v1" {
		return nil, false
	}
	schema, err := jsonSchemas.ReadFile("json/" + kind + ".json")
	return schema, err == nil
}
