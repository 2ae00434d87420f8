package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func none(string) (string, bool) { return "", false }

func TestFromFlags(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	c, err := FromFlags("0042", "env:WOLKVOX_TOKEN", "America/Bogota", lookup(map[string]string{
		"WOLKPIPE_STATUS_LISTEN": ":80",
		"WOLKPIPE_SERVER":        "7", "WOLKPIPE_TOKEN": secret, "WOLKPIPE_NAME": "other", // of operations: no scalars outside lists
	}))
	if err != nil {
		t.Fatal(err)
	}
	o := c.Operations[0]
	if o.Name != "wv0042" || o.Server != "0042" || o.Token != (Secret{EnvSecret, "WOLKVOX_TOKEN"}) || o.Timezone.String() != "America/Bogota" ||
		time.Duration(o.Window) != 5*time.Minute || len(o.Settle) != 3 {
		t.Errorf("operation %+v", o)
	}
	if c.Data != filepath.Join(dir, "data") || len(c.Sinks) != 2 || c.Sinks[1].Bucket != "file://"+dir+"/data/lake" {
		t.Errorf("data %s, sinks %+v", c.Data, c.Sinks)
	}
	if c.Status.Listen != ":80" {
		t.Errorf("variables do not count without a file: status.listen is %s", c.Status.Listen)
	}
	err = c.CheckReferences(none)
	if want := "--token: token: the environment variable WOLKVOX_TOKEN is not set: provide it, or name another"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestFromFlagsProblems(t *testing.T) {
	_, err := FromFlags("wv42", secret, "", lookup(map[string]string{"WOLKPIPE_NATS_REPLICAS": "3"}))
	want := `--server: server "wv42" is not the number of a server: write the digits of https://wv<server>.wolkvox.com
--token: token is written out, or is not a reference to a secret: keep it in a variable and write env:WOLKVOX_TOKEN, or in a file and write file:PATH
--timezone: timezone "" is not a known time zone: write an IANA name such as America/Bogota
$WOLKPIPE_NATS_REPLICAS: nats.replicas is 3, but the embedded server is alone: give nats.url of a cluster, or write 1`
	if err == nil || err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
}

func TestLoadUnreadable(t *testing.T) {
	t.Chdir(t.TempDir())
	large := strings.Repeat("#", maxFile+1)
	if err := os.WriteFile("large.yaml", []byte(large), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"none.yaml":  "none.yaml: the configuration cannot be read: no such file or directory: name another with -c FILE or WOLKPIPE_CONFIG",
		".":          ".: the configuration cannot be read: is a directory: name another with -c FILE or WOLKPIPE_CONFIG",
		"large.yaml": "large.yaml: the configuration cannot be read: it is over 1048576 bytes long: name another with -c FILE or WOLKPIPE_CONFIG",
	} {
		_, err := Load(path, none)
		var problems Errors
		if !errors.As(err, &problems) || err.Error() != want {
			t.Errorf("got:\n%v\nwant:\n%s", err, want)
		}
	}
}

// FuzzParse holds reading to: no panic; a configuration or problems, never
// both; every problem on a line of the file, and on one line itself.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/bad/*.yaml", "testdata/good/*.yaml"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			f.Fatalf("no seeds: %v", err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := parse("pipe.yaml", "/etc/wolkpipe", text, none)
		if err == nil {
			if len(c.Operations) == 0 || !filepath.IsAbs(c.Data) {
				t.Errorf("incomplete: %+v", c)
			}
			return
		}
		var problems Errors
		if c != nil || !errors.As(err, &problems) || len(problems) == 0 {
			t.Fatalf("configuration %v with error %v", c, err)
		}
		for i, p := range problems {
			if p.File != "pipe.yaml" || p.Line < 1 || p.Line > lines(text) || i > 0 && p.Line < problems[i-1].Line {
				t.Errorf("line %d of %d: %#v", p.Line, lines(text), p)
			}
			if strings.ContainsAny(p.Error(), "\n\r") {
				t.Errorf("over several lines: %q", p.Error())
			}
		}
	})
}
