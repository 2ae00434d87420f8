package config

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what is read beside the fixtures")

// secret stands in the fixtures wherever somebody might put one by mistake.
const secret = "hunter2"

// TestBad holds every bad configuration to the exact message beside it.
func TestBad(t *testing.T) {
	eachFixture(t, "bad", ".err", func(t *testing.T, name string, env LookupEnv) string {
		c, err := Load(name, env)
		if err == nil {
			t.Fatalf("no problem was found; read %+v", c)
		}
		var problems Errors
		if !errors.As(err, &problems) || len(problems) == 0 {
			t.Fatalf("the error is a %T, not Errors", err)
		}
		for _, p := range problems {
			if p.File == "" || p.What == "" || p.Mend == "" || strings.Contains(p.Error(), "\n") {
				t.Errorf("incomplete: %#v", p)
			}
		}
		if strings.Contains(fmt.Sprintf("%+v", err), secret) {
			t.Errorf("a secret is shown: %v", err)
		}
		return err.Error() + "\n"
	})
}

// TestGood holds what is read of good ones to the dump beside them.
func TestGood(t *testing.T) {
	eachFixture(t, "good", ".golden", func(t *testing.T, name string, env LookupEnv) string {
		c, err := Load(name, env)
		if err != nil {
			t.Fatal(err)
		}
		dir, err := filepath.Abs("..")
		if err != nil {
			t.Fatal(err)
		}
		return strings.ReplaceAll(dump(c), dir, "TESTDATA")
	})
}

// eachFixture runs read on every YAML file of a folder, from within it, with
// the variables that its "# env: NAME=VALUE" lines give.
func eachFixture(t *testing.T, folder, ext string, read func(t *testing.T, name string, env LookupEnv) string) {
	t.Chdir(filepath.Join("testdata", folder))
	names, err := filepath.Glob("*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(name, ".yaml"), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got := read(t, name, variables(string(text)))
			golden := strings.TrimSuffix(name, ".yaml") + ext
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got:\n%swant:\n%s", got, want)
			}
		})
	}
}

func variables(text string) LookupEnv {
	set := map[string]string{}
	for line := range strings.Lines(text) {
		if assignment, ok := strings.CutPrefix(line, "# env: "); ok {
			name, value, _ := strings.Cut(strings.TrimSuffix(assignment, "\n"), "=")
			set[name] = value
		}
	}
	return lookup(set)
}

func lookup(set map[string]string) LookupEnv {
	return func(name string) (string, bool) {
		value, ok := set[name]
		return value, ok
	}
}

// dump shows c one exported field a line.
func dump(c *Config) string {
	var b strings.Builder
	var walk func(path string, v reflect.Value)
	walk = func(path string, v reflect.Value) {
		_, text := v.Interface().(fmt.Stringer)
		switch {
		case text:
			fmt.Fprintf(&b, "%s: %v\n", path, v)
		case v.Kind() == reflect.Struct:
			for i := range v.NumField() {
				if f := v.Type().Field(i); f.IsExported() {
					walk(strings.TrimPrefix(path+"."+f.Name, "."), v.Field(i))
				}
			}
		case v.Kind() == reflect.Slice:
			fmt.Fprintf(&b, "%s: %d\n", path, v.Len())
			for i := range v.Len() {
				walk(fmt.Sprintf("%s[%d]", path, i), v.Index(i))
			}
		default:
			fmt.Fprintf(&b, "%s: %v\n", path, v)
		}
	}
	walk("", reflect.ValueOf(*c))
	return b.String()
}
