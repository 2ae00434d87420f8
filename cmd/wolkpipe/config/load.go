package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds what is read of a configuration; none comes near it.
const maxFile = 1 << 20

// Load reads the file at path. Variables named WOLKPIPE_<SECTION>_<KEY>
// override scalars outside lists, as if they stood in the file; empty ones and
// all others are left alone. The error is [Errors].
func Load(path string, env LookupEnv) (*Config, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, Errors{{File: path, What: "the configuration cannot be read: " + err.Error(), Mend: "name another with -c FILE or WOLKPIPE_CONFIG"}}
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, Errors{{File: path, What: "its folder cannot be found: " + err.Error(), Mend: "give an absolute path"}}
	}
	return parse(path, dir, text, env)
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, bare(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, bare(err)
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("it is over %d bytes long", maxFile)
	}
	return text, nil
}

// bare takes the path, which a Problem already tells, out of an error.
func bare(err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}

// FromFlags is the configuration of a run without a file: one operation,
// wv<server>, everything else by default or by variables as for [Load]. Paths
// are relative to the working directory. The error is [Errors].
func FromFlags(server, token, timezone string, env LookupEnv) (*Config, error) {
	dir, err := filepath.Abs(".")
	if err != nil {
		return nil, Errors{{File: "--server", What: "the working directory cannot be found: " + err.Error(), Mend: "start in another"}}
	}
	r := &reader{dir: dir, env: env}
	flags := r.section(nil, place{file: "--server"}, "", false)
	flags.flags = map[string]value{
		"name":     {at: place{file: "--server"}, text: "wv" + server},
		"server":   {at: place{file: "--server"}, text: server},
		"token":    {at: place{file: "--token"}, text: token},
		"timezone": {at: place{file: "--timezone"}, text: timezone},
	}
	if !serverPattern.MatchString(server) {
		flags.bad["name"] = true // the server's problem is told, its consequence is not
	}
	operation := r.operation(flags)
	c := r.config(r.section(nil, place{}, "", true))
	c.Operations = []Operation{operation}
	return r.done(c)
}

// parse reads a file's text.
func parse(file, dir string, text []byte, env LookupEnv) (*Config, error) {
	r := &reader{file: file, lines: lines(text), dir: dir, env: env}
	root, err := document(text)
	if err != nil {
		r.syntax(text, err)
		return nil, r.problems.sorted()
	}
	s := r.section(root, place{file, 1}, "", true,
		"operations", "agent_names", "agent_key", "nats", "data", "sinks", "status", "log", "traces")
	c := r.config(s)
	c.Operations = r.operations(s)
	return r.done(c)
}

func (r *reader) done(c *Config) (*Config, error) {
	if err := r.problems.sorted(); err != nil {
		return nil, err
	}
	c.references = r.references
	return c, nil
}

// errDocuments is a second YAML document in the file.
type errDocuments struct{ line int }

func (errDocuments) Error() string { return "a second document begins" }

// document is the only YAML document of a text; nil if it has none.
func document(text []byte) (*yaml.Node, error) {
	var first, second yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&first); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	switch err := decoder.Decode(&second); {
	case err == nil:
		return nil, errDocuments{second.Line}
	case !errors.Is(err, io.EOF):
		return nil, err
	}
	if len(first.Content) == 0 {
		return nil, nil
	}
	return follow(first.Content[0]), nil
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// syntax reports a text that is not one YAML document.
func (r *reader) syntax(text []byte, err error) {
	var second errDocuments
	if errors.As(err, &second) {
		r.report(place{r.file, second.line}, "", "keep one, without --- between", "%s", err)
		return
	}
	message := err.Error()
	prefix := yamlLine.FindStringSubmatch(message)
	line, ok := brokenLine(text)
	if prefix != nil {
		message = strings.TrimPrefix(message, prefix[0])
		if !ok {
			line, _ = strconv.Atoi(prefix[1]) // none is 0, and then the first
		}
	}
	mend := "see to the indentation, colons and quotes of this line"
	switch {
	case strings.Contains(message, "cannot start any token"):
		mend = "indent with spaces, and put a value that begins with a special character in quotes"
	case strings.Contains(message, "unknown anchor"):
		// The parser shows the name, which may be a token that begins with *.
		message, mend = "a value that begins with * stands for another, which is not there", "put it in quotes"
	}
	r.report(place{r.file, max(1, line)}, "", mend, "the file is not YAML: %s", strings.Join(strings.Fields(message), " "))
}

// brokenLine is the first line of what is no YAML in a text: the one after the
// longest run of lines that is. The line that the parser tells may be that of
// a list's or mapping's beginning, far above. It tries a text again and again,
// so ok is false for one that is longer than a configuration gets.
func brokenLine(text []byte) (line int, ok bool) {
	all := bytes.SplitAfter(text, []byte("\n"))
	if len(all) > 1000 || len(text) > 64<<10 {
		return 0, false
	}
	for n := len(all) - 1; n > 0; n-- {
		if _, err := document(bytes.Join(all[:n], nil)); err == nil {
			return n + 1, true
		}
	}
	return 1, true
}

// lines is how many lines an editor shows of a text.
func lines(text []byte) int {
	return 1 + bytes.Count(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
}
