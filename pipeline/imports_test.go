package pipeline_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "wolkpipe"

// allowed says what each package may import of this module, tests aside:
// "a/b" is that package, "a/..." is a and all below it. Arrows point one way,
// from the command down to windows and schemas, so that each package can be
// read, tested and replaced without those above it.
var allowed = map[string][]string{
	"schemas":         {},
	"schemas/consume": {"schemas"},
	"schemas/sql":     {},
	"deploy":          {},

	"pipeline/window":            {},
	"pipeline/chat7":             {"pipeline/window", "schemas"},
	"pipeline/chat7/chat7sim":    {"pipeline/window"}, // not the client: it is the truth that all else is held against
	"pipeline/plan":              {"pipeline/window", "schemas"},
	"pipeline/descend":           {"pipeline/window"},
	"pipeline/compare":           {"pipeline/window"},
	"pipeline/watch":             {},
	"pipeline/backfill":          {"pipeline/watch", "pipeline/window"},
	"pipeline/lease":             {"pipeline/window"},
	"pipeline/trace":             {},
	"pipeline/journal":           {"pipeline/trace", "pipeline/window", "schemas"},
	"pipeline/transform":         {"schemas"},
	"pipeline/codes":             {"pipeline/watch", "pipeline/transform", "schemas"},
	"pipeline/erase":             {"pipeline/watch", "pipeline/transform"},
	"pipeline/notice":            {"pipeline/watch"},
	"pipeline/broker":            {"schemas"},
	"pipeline/broker/brokertest": {"pipeline/broker"},
	"pipeline/status":            {},
	"pipeline/doctor":            {"pipeline/chat7", "pipeline/transform", "pipeline/window", "schemas"},
	"pipeline/extract": {
		"pipeline/backfill", "pipeline/chat7", "pipeline/codes", "pipeline/compare", "pipeline/descend", "pipeline/erase", "pipeline/journal",
		"pipeline/lease", "pipeline/notice", "pipeline/plan", "pipeline/trace", "pipeline/transform", "pipeline/window", "schemas",
	},
	"pipeline": { // what runs drives sinks, and knows none of them
		"pipeline/backfill", "pipeline/broker", "pipeline/chat7", "pipeline/codes", "pipeline/descend", "pipeline/doctor", "pipeline/erase",
		"pipeline/extract", "pipeline/journal", "pipeline/lease", "pipeline/notice", "pipeline/plan", "pipeline/status", "pipeline/trace", "pipeline/transform", "pipeline/window",
		"schemas", "sinks", "sinks/pubsub",
	},

	"sinks":                  {"schemas"},
	"sinks/pubsub":           {},
	"sinks/sinktest":         {"schemas", "sinks"},
	"sinks/sinktest/servers": {},
	"sinks/events":           {"schemas", "sinks", "sinks/pubsub"},
	"sinks/lake":             {"schemas", "sinks"},
	"sinks/objectstore":      {},
	"sinks/parquet":          {"schemas", "sinks", "sinks/lake", "sinks/objectstore"},
	"sinks/iceberg":          {"schemas", "sinks", "sinks/lake", "sinks/objectstore"},
	"sinks/ndjson":           {"sinks", "sinks/lake"},
	"sinks/quarantine":       {"schemas", "sinks", "sinks/pubsub"},

	"cmd/wolkpipe":         {"cmd/...", "pipeline/...", "schemas", "sinks/..."},
	"cmd/wolkpipe/config":  {"pipeline/window"},
	"cmd/wolkpipe/powerfs": {},
}

// outside are packages from elsewhere that not everyone may import, tests
// aside; the first rule that matches holds.
var outside = []struct {
	match string // as in allowed
	by    []string
	why   string
}{
	{"gocloud.dev/blob/s3blob", []string{"cmd/wolkpipe"}, "the program links the drivers of object stores"},
	{"gocloud.dev/blob/gcsblob", []string{"cmd/wolkpipe"}, "the program links the drivers of object stores"},
	{"gocloud.dev/blob/azureblob", []string{"cmd/wolkpipe"}, "the program links the drivers of object stores"},
	{"gocloud.dev/blob/memblob", []string{"cmd/wolkpipe"}, "the program links the drivers of object stores"},
	{"gocloud.dev/blob/fileblob", nil, "it is neither atomic nor durable; sinks/parquet keeps its own files"},
	{"gocloud.dev/runtimevar/...", []string{"cmd/wolkpipe"}, "secrets are opened by the program and passed in"},
	{"github.com/spf13/...", []string{"cmd/wolkpipe"}, "flags are the program's"},
	{"github.com/nats-io/nats-server/...", []string{"pipeline/broker"}, "the embedded server is the broker's"},
	{"go.opentelemetry.io/otel/sdk/...", []string{"cmd/wolkpipe"}, "the program says where spans go"},
	{"go.opentelemetry.io/otel/exporters/...", []string{"cmd/wolkpipe"}, "the program says where spans go"},
	{"go.opentelemetry.io/...", []string{"cmd/wolkpipe", "pipeline/trace"}, "what a span may hold is decided in pipeline/trace"},
	{"github.com/go-logr/...", []string{"cmd/wolkpipe"}, "the log is log/slog"},
	{"github.com/hanwen/go-fuse/...", []string{"cmd/wolkpipe/powerfs"}, "it is for tests of power loss"},
	{"github.com/duckdb/...", nil, "DuckDB is the independent reader of tests, and needs cgo"},
	{"pgregory.net/rapid", []string{"sinks/sinktest"}, "it is for tests"},
	{"testing", []string{"pipeline/broker/brokertest", "sinks/sinktest", "sinks/sinktest/servers"}, "it is for tests"},
}

// standard names the packages that import the standard library alone.
var standard = []string{
	"schemas", "schemas/consume", "sinks", "pipeline/window", "pipeline/chat7", "pipeline/plan", "pipeline/descend", "pipeline/compare",
}

// pure names the packages that reach neither files nor the network.
var pure = []string{"schemas", "pipeline/window", "pipeline/plan", "pipeline/descend", "pipeline/compare", "pipeline/transform"}

// vague are names that say nothing of what a package owns.
var vague = []string{"util", "utils", "common", "model", "models", "types", "helper", "helpers", "misc", "base"}

type listed struct {
	path    string // below the module: "pipeline/window"
	name    string
	imports []string
}

// TestDependenciesAreExplained: go.mod is the list of dependencies, and says
// behind each of ours what it is for.
func TestDependenciesAreExplained(t *testing.T) {
	data, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	ours := 0
	for line := range strings.Lines(string(data)) {
		path, what, _ := strings.Cut(strings.TrimSpace(line), " // ")
		if !strings.HasPrefix(line, "\t") || what == "indirect" {
			continue
		}
		if ours++; what == "" {
			t.Errorf("go.mod does not say what %s is for", path)
		}
	}
	if ours < 10 {
		t.Errorf("go.mod has %d dependencies of ours: it was not read", ours)
	}
}

func TestImports(t *testing.T) {
	for _, flaw := range flaws(list(t)) {
		t.Error(flaw)
	}
}

// list asks the go command for the packages of the module.
func list(t *testing.T) (all []listed) {
	t.Helper()
	// What the go command reads is not seen by the cache of test results; the
	// folders read here are.
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && path != ".." && strings.HasPrefix(d.Name(), ".") {
			return filepath.SkipDir
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "list", "-f", `{{.ImportPath}} {{.Name}} {{join .Imports " "}}`, module+"/...")
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, complaint.String())
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		all = append(all, listed{strings.TrimPrefix(fields[0], module+"/"), fields[1], fields[2:]})
	}
	if len(all) < 15 {
		t.Fatalf("go list knows %d packages only:\n%s", len(all), out)
	}
	return all
}

// flaws tells what is wrong with packages, and the mend.
func flaws(packages []listed) (all []string) {
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	for _, p := range packages {
		if slices.Contains(vague, p.name) || slices.Contains(vague, path.Base(p.path)) {
			add("package %s (%s): name it for what it owns", p.path, p.name)
		}
		may, known := allowed[p.path]
		if !known {
			add("package %s is new: say in `allowed` (pipeline/imports_test.go) what it may import, and add it to the table in README.md", p.path)
			continue
		}
		for _, imported := range p.imports {
			if own, ok := strings.CutPrefix(imported, module+"/"); ok {
				if !matches(own, may...) {
					add("%s imports %s: it may import %s; pass in what it needs, or move the code", p.path, own, orNone(may))
				}
				continue
			}
			if why, ok := forbidden(p.path, imported); ok {
				add("%s imports %s: %s", p.path, imported, why)
			}
		}
	}
	return all
}

// forbidden tells why a package must not import one from elsewhere.
func forbidden(p, imported string) (why string, ok bool) {
	if slices.Contains(standard, p) && strings.Contains(strings.Split(imported, "/")[0], ".") {
		return "it imports the standard library alone", true
	}
	if slices.Contains(pure, p) && matches(imported, "os/...", "net/...", "syscall", "log/...") {
		return "it is pure: what it needs is passed in", true
	}
	for _, rule := range outside {
		if matches(imported, rule.match) {
			return rule.why + "; it may be imported by " + orNone(rule.by), !slices.Contains(rule.by, p)
		}
	}
	return "", false
}

func matches(p string, patterns ...string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		folder, all := strings.CutSuffix(pattern, "/...")
		return p == folder || all && strings.HasPrefix(p, folder+"/")
	})
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// TestConsumerBuilds: the consumer that README.md names is a program.
func TestConsumerBuilds(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(t.TempDir(), "totals"), "../testdata/consumers/totals").CombinedOutput()
	if err != nil {
		t.Errorf("go build: %v\n%s", err, out)
	}
}
