package config

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// SecretKind says where a secret is kept.
type SecretKind string

// Kinds of secret. The empty kind is a secret that is not configured.
const (
	EnvSecret  SecretKind = "env"  // Ref is the name of an environment variable
	FileSecret SecretKind = "file" // Ref is the absolute path of a file
	URLSecret  SecretKind = "url"  // Ref is a gocloud.dev/runtimevar URL
)

// Secret refers to a secret; it never holds one, with one exception: a
// runtimevar URL may (constant://), so only its scheme and place are shown.
type Secret struct {
	Kind SecretKind
	Ref  string
}

// String shows the reference: "env:NAME", "file:/path", "awsparamstore://name".
func (s Secret) String() string {
	switch s.Kind {
	case "":
		return ""
	case URLSecret:
		u, err := url.Parse(s.Ref)
		if err != nil {
			return "url"
		}
		return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
	}
	return string(s.Kind) + ":" + s.Ref
}

// GoString is String, so that %#v shows no more than %v does.
func (s Secret) GoString() string { return s.String() }

// MarshalText is String, so that JSON and logs show no more than %v does.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// maxSecret bounds what is read of a file: certificates included, none comes
// near it.
const maxSecret = 1 << 20

// Read gives the secret as it now is, white space around it trimmed, never
// empty. A file is read anew at each call, so that it can be replaced while
// the process runs. A [URLSecret] is for gocloud.dev/runtimevar to read: here
// it is an error, as is a secret that is not configured.
func (s Secret) Read(env LookupEnv) (string, error) {
	switch s.Kind {
	case EnvSecret:
		text, ok := env(s.Ref)
		if !ok {
			return "", fmt.Errorf("the environment variable %s is not set", s.Ref)
		}
		if text = strings.TrimSpace(text); text == "" {
			return "", fmt.Errorf("the environment variable %s is empty", s.Ref)
		}
		return text, nil
	case FileSecret:
		return readSecretFile(s.Ref)
	case URLSecret:
		return "", fmt.Errorf("%s is not read from here", s)
	}
	return "", errors.New("no secret is configured")
}

func readSecretFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("the file cannot be opened: %w", err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", fmt.Errorf("the file cannot be read: %w", err)
	}
	if len(content) > maxSecret {
		return "", fmt.Errorf("the file %s is over %d bytes long", path, maxSecret)
	}
	text := strings.TrimSpace(string(content))
	if text == "" {
		return "", fmt.Errorf("the file %s is empty", path)
	}
	return text, nil
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// parseSecret reads a reference; paths are relative to dir. Its flaws never
// show the value, which may be the secret itself, put there by mistake.
func parseSecret(v value, dir, example string, urls bool) (Secret, *flaw) {
	mend := "keep it in a variable and write env:" + example + ", or in a file and write file:PATH"
	if v.wantText() != nil {
		return Secret{}, wrong(mend, "is not a reference to a secret")
	}
	text := strings.TrimSpace(v.text)
	switch {
	case text == "":
		return Secret{}, wrong(mend, "is empty")
	case strings.HasPrefix(text, "env:"):
		name := strings.TrimPrefix(text, "env:")
		if !variableName.MatchString(name) {
			return Secret{}, wrong("write env:"+example+", a name of letters, digits and _", "has env: before something that is no name of a variable")
		}
		return Secret{EnvSecret, name}, nil
	case strings.HasPrefix(text, "file:") && !strings.HasPrefix(text, "file://"):
		path := strings.TrimPrefix(text, "file:")
		if path == "" {
			return Secret{}, wrong("write file:PATH", "has file: with no path after it")
		}
		return Secret{FileSecret, absolute(dir, path)}, nil
	case strings.Contains(text, "://"):
		u, err := url.Parse(text)
		if err != nil || u.Scheme == "" {
			return Secret{}, wrong(mend, "is not a URL that can be read")
		}
		if !urls {
			return Secret{}, wrong(mend, "is a URL, which is not read here")
		}
		return Secret{URLSecret, text}, nil
	}
	return Secret{}, wrong(mend, "is written out, or is not a reference to a secret")
}

// absolute is path, taken from dir if it is relative.
func absolute(dir, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, path)
}
