package config

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// place is where a value was written.
type place struct {
	file string
	line int // 0 for variables and flags
}

// value is a scalar as written.
type value struct {
	at   place
	text string
	tag  string // YAML's reading: "!!str", "!!int", …; "" for variables and flags, which are text
}

// wantText refuses what YAML does not read as text.
func (v value) wantText() *flaw {
	switch v.tag {
	case "", "!!str":
		return nil
	}
	kind := map[string]string{"!!int": "number", "!!float": "number", "!!bool": "boolean", "!!timestamp": "date"}[v.tag]
	if kind == "" {
		return wrong("write plain text", "has the tag %s", quote(v.tag))
	}
	return wrong("put it in quotes", "is the %s %s in YAML, where text belongs", kind, v.text)
}

// reader collects the problems of one configuration.
type reader struct {
	file       string
	lines      int    // of the file
	dir        string // absolute: what relative paths are relative to
	env        LookupEnv
	problems   Errors
	references []reference
}

func (r *reader) report(at place, key, mend, format string, args ...any) {
	// YAML breaks lines where editors do not: at a lone CR, at U+2028.
	line := min(at.line, r.lines)
	r.problems = append(r.problems, Problem{
		File: at.file, Line: line, Key: key, What: fmt.Sprintf(format, args...), Mend: mend,
	})
}

// section is a mapping whose keys are known.
type section struct {
	*reader
	at          place
	prefix      string // "nats.tls", "operations[0]"; "" for the whole file
	overridable bool   // by variables: not within a list
	nodes       map[string]*yaml.Node
	flags       map[string]value // in place of nodes, for a run without a file
	bad         map[string]bool  // keys whose problem has been reported
}

// section reads the keys of a mapping. A nil or null node is an empty one.
func (r *reader) section(n *yaml.Node, at place, prefix string, overridable bool, known ...string) section {
	s := section{
		reader: r, at: at, prefix: prefix, overridable: overridable,
		nodes: map[string]*yaml.Node{}, bad: map[string]bool{},
	}
	if n == nil || n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		return s
	}
	s.at.line = n.Line
	if n.Kind != yaml.MappingNode {
		r.report(s.at, prefix, "write keys and values: "+strings.Join(known, ", "), "%s is %s, where keys and values belong", s.name(), kindOf(n))
		s.excuse(known...)
		return s
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		s.add(n.Content[i], follow(n.Content[i+1]), known)
	}
	for i := 0; i < len(n.Content); i += 2 {
		if key := n.Content[i].Value; key == "<<" {
			s.excuse(known...)
		} else if !slices.Contains(known, key) {
			s.excuse(Nearest(key, known))
		}
	}
	return s
}

// excuse lets keys be missing whose place something else has taken, which has
// been reported.
func (s section) excuse(names ...string) {
	for _, name := range names {
		if s.nodes[name] == nil {
			s.bad[name] = true
		}
	}
}

// add takes in one key of the file.
func (s section) add(key, n *yaml.Node, known []string) {
	at := place{s.file, key.Line}
	switch {
	case key.Kind != yaml.ScalarNode:
		s.report(at, s.prefix, "write one of "+strings.Join(known, ", "), "a key of %s is %s, where a name belongs", s.name(), kindOf(follow(key)))
	case key.Value == "<<":
		s.report(at, s.prefix, "repeat the values here", "merge keys (<<) are not read")
	case !slices.Contains(known, key.Value):
		mend := "known here are " + strings.Join(known, ", ")
		if near := Nearest(key.Value, known); near != "" {
			mend = fmt.Sprintf("did you mean %s?", near)
		}
		s.report(at, s.key(key.Value), mend, "unknown key %s in %s", quote(key.Value), s.name())
	case s.nodes[key.Value] != nil:
		s.report(at, s.key(key.Value), "keep one of them", "%s stands here a second time, first on line %d", label(s.key(key.Value)), s.nodes[key.Value].Line)
	default:
		s.nodes[key.Value] = n
	}
}

// name is how a message calls the section.
func (s section) name() string {
	if s.prefix == "" {
		return "the configuration"
	}
	return s.prefix
}

func (s section) key(name string) string {
	if s.prefix == "" {
		return name
	}
	return s.prefix + "." + name
}

// problem reports what is wrong with a key, once: later ones are most often
// a consequence.
func (s section) problem(name, mend, format string, args ...any) {
	s.problemAt(s.placeOf(name), name, mend, format, args...)
}

// problemAt is problem for a part of a key's value, on a line of its own.
func (s section) problemAt(at place, name, mend, format string, args ...any) {
	if s.bad[name] {
		return
	}
	s.bad[name] = true
	s.report(at, s.key(name), mend, label(s.key(name))+" "+format, args...)
}

// fine reports whether none of the keys has a problem, so that comparing
// their values makes sense.
func (s section) fine(names ...string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { return s.bad[name] })
}

// variable is the name of the variable that overrides a key.
func (s section) variable(name string) string {
	return "WOLKPIPE_" + strings.ToUpper(strings.ReplaceAll(s.key(name), ".", "_"))
}

// override is the variable that counts in place of a key. An empty one does
// not: that is how deployment files write one that is not set.
func (s section) override(name string) (value, bool) {
	if !s.overridable {
		return value{}, false
	}
	text, ok := s.env(s.variable(name))
	if !ok || text == "" {
		return value{}, false
	}
	return value{at: place{file: "$" + s.variable(name)}, text: text}, true
}

func (s section) placeOf(name string) place {
	if v, ok := s.override(name); ok {
		return v.at
	}
	if v, ok := s.flags[name]; ok {
		return v.at
	}
	if n := s.nodes[name]; n != nil {
		return place{s.file, n.Line}
	}
	return s.at
}

// has reports whether the key was given, well or badly.
func (s section) has(name string) bool {
	_, overridden := s.override(name)
	_, flag := s.flags[name]
	return overridden || flag || s.nodes[name] != nil
}

// scalar is the value of a key, from wherever it comes.
func (s section) scalar(name string) (value, bool) {
	if v, ok := s.override(name); ok {
		return v, true
	}
	if v, ok := s.flags[name]; ok {
		return v, true
	}
	n := s.nodes[name]
	switch {
	case n == nil:
		return value{}, false
	case n.Kind != yaml.ScalarNode:
		s.problem(name, "write a single value", "is %s, where a single value belongs", kindOf(n))
		return value{}, false
	case n.ShortTag() == "!!null":
		s.problem(name, "write one, or leave the key out", "has no value")
		return value{}, false
	}
	return value{place{s.file, n.Line}, n.Value, n.ShortTag()}, true
}

// items are the elements of a key's list; ok is false if it is not given, or
// not as a list.
func (s section) items(name, mend string) (items []*yaml.Node, ok bool) {
	n := s.nodes[name]
	switch {
	case n == nil:
		return nil, false
	case n.Kind != yaml.SequenceNode:
		s.problem(name, mend, "is %s, where a list belongs", kindOf(n))
		return nil, false
	}
	for _, item := range n.Content {
		items = append(items, follow(item))
	}
	return items, true
}

// read gives what parse makes of a key's value; def where the key is not
// given, or its value is wrong and reported.
func read[T any](s section, name string, def T, parse func(value) (T, *flaw)) T {
	v, ok := s.scalar(name)
	if !ok {
		return def
	}
	parsed, bad := parse(v)
	if bad != nil {
		s.fault(v.at, name, bad)
		return def
	}
	return parsed
}

// required is read for a key that has no default; mend says what to write.
func required[T any](s section, name, mend string, parse func(value) (T, *flaw)) T {
	var zero T
	if !s.has(name) {
		s.problem(name, mend, "is missing")
		return zero
	}
	return read(s, name, zero, parse)
}

// fault reports what a parser found.
func (s section) fault(at place, name string, f *flaw) {
	s.problemAt(at, name, f.mend, "%s", f.what)
}

// follow is the node that an alias stands for.
func follow(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

func kindOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.ShortTag() == "!!null":
		return "empty"
	}
	return "a single value"
}
