package deploy_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// inside are paths of a container or a unit, which are not on this machine.
var inside = regexp.MustCompile(`(file:|: )(/secrets|/run/credentials/wolkpipe\.service|/run/secrets)/`)

// check has wolkpipe read a configuration as it would be read in its place:
// files that it names are there, and so are variables. More of them, as NAME=value,
// may be given.
func check(t *testing.T, text string, variables ...string) {
	t.Helper()
	dir := t.TempDir()
	text = inside.ReplaceAllString(text, "${1}"+dir+"/secrets/")
	for _, m := range regexp.MustCompile(regexp.QuoteMeta(dir)+`/secrets/[\w.-]+`).FindAllString(text, -1) {
		write(t, m, "something\n")
	}
	env := append(os.Environ(), variables...)
	for _, m := range regexp.MustCompile(`env:(\w+)`).FindAllStringSubmatch(text, -1) {
		env = append(env, m[1]+"=something")
	}
	file := write(t, filepath.Join(dir, "wolkpipe.yaml"), text)
	cmd := exec.CommandContext(t.Context(), wolkpipe(t), "check", "-c", file)
	cmd.Env = env
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("wolkpipe check: %v\n%s\n%s", err, out, text)
	}
}

// TestEveryKey: each key of the configuration can be given as the chart's values,
// and comes out as it went in, but for those that the chart decides.
func TestEveryKey(t *testing.T) {
	text := read(t, "../cmd/wolkpipe/config/testdata/good/full.yaml")
	text = regexp.MustCompile(`(?m)^(data|status):.*\n(  .*\n)*|^  listen:.*\n`).ReplaceAllString(text, "")
	full := map[string]any{}
	if err := yaml.Unmarshal([]byte(text), &full); err != nil {
		t.Fatal(err)
	}
	values := "config:\n"
	for line := range strings.Lines(text) {
		values += "  " + line
	}
	_, objects := render(t, "--values", write(t, filepath.Join(t.TempDir(), "values.yaml"), values))
	text = objects["ConfigMap/wolkpipe"].at("data", "wolkpipe.yaml").(string)
	check(t, text)
	rendered := map[string]any{}
	if err := yaml.Unmarshal([]byte(text), &rendered); err != nil {
		t.Fatal(err)
	}
	delete(rendered, "data")
	delete(rendered, "status")
	if have, want := plain(rendered), plain(full); have != want {
		t.Errorf("the chart makes of\n%s\nthis:\n%s", want, have)
	}
}

// plain is a value as text, days as the chart writes them.
func plain(v any) string {
	return strings.ReplaceAll(fmt.Sprint(v), " 00:00:00 +0000 UTC", "")
}
