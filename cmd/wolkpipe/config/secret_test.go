package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSecretRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := lookup(map[string]string{"TOKEN": " abc\n", "BLANK": " \n"})
	file := Secret{FileSecret, path}

	got := func(s Secret) string {
		text, err := s.Read(env)
		if err != nil {
			return "error: " + strings.ReplaceAll(err.Error(), path, "PATH")
		}
		return text
	}
	expect := func(s Secret, want string) {
		t.Helper()
		if got := got(s); got != want {
			t.Errorf("%v gives %q, want %q", s, got, want)
		}
	}
	expect(Secret{EnvSecret, "TOKEN"}, "abc")
	expect(Secret{EnvSecret, "BLANK"}, "error: the environment variable BLANK is empty")
	expect(Secret{EnvSecret, "NONE"}, "error: the environment variable NONE is not set")
	expect(Secret{}, "error: no secret is configured")
	expect(Secret{URLSecret, "awsparamstore://x?y=" + secret}, "error: awsparamstore://x is not read from here")
	expect(file, "error: the file cannot be opened: open PATH: no such file or directory")
	write("\tfirst \r\n")
	expect(file, "first")
	write("second") // replaced while the process runs
	expect(file, "second")
	write("\n")
	expect(file, "error: the file PATH is empty")
	write(strings.Repeat("x", maxSecret+1))
	expect(file, fmt.Sprintf("error: the file PATH is over %d bytes long", maxSecret))
}

func TestSecretIsNotShown(t *testing.T) {
	c := Config{Operations: []Operation{{Token: Secret{URLSecret, "constant://?val=" + secret}}}}
	asJSON, err := json.Marshal(c.Operations[0].Token)
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{fmt.Sprintf("%v %+v %#v %s", c, c, c, c.Operations[0].Token), string(asJSON)} {
		if strings.Contains(shown, secret) {
			t.Errorf("shown: %s", shown)
		}
	}
}

func TestCheckReferences(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	text := `operations:
  - name: ventas
    server: "0042"
    token: env:WOLKVOX_TOKEN
    timezone: America/Bogota
  - name: soporte
    server: "0043"
    token: file:token
    timezone: America/Bogota
  - name: otra
    server: "0044"
    token: awsparamstore://somewhere
    timezone: America/Bogota
agent_key: env:AGENT_KEY
nats:
  listen: 0.0.0.0:4222
  tls: {cert: cert.pem, key: key.pem}
`
	for name, content := range map[string]string{"pipe.yaml": text, "key.pem": "key"} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := map[string]string{}
	c, err := Load("pipe.yaml", lookup(env))
	if err != nil {
		t.Fatal(err)
	}
	var problems Errors
	if err := c.CheckReferences(lookup(env)); !errors.As(err, &problems) {
		t.Fatalf("got %v", err)
	}
	want := `pipe.yaml:4: token: the environment variable WOLKVOX_TOKEN is not set: provide it, or name another
pipe.yaml:8: token: the file cannot be opened: open DIR/token: no such file or directory: provide it, or name another
pipe.yaml:14: agent_key: the environment variable AGENT_KEY is not set: provide it, or name another
pipe.yaml:17: nats.tls.cert: the file cannot be opened: open DIR/cert.pem: no such file or directory: provide it, or name another`
	if got := strings.ReplaceAll(problems.Error(), dir, "DIR"); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}

	env["WOLKVOX_TOKEN"], env["AGENT_KEY"] = "a", "b"
	for _, name := range []string{"token", "cert.pem"} {
		if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.CheckReferences(lookup(env)); err != nil {
		t.Errorf("all is there, but: %v", err)
	}
}
