package config

import (
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with a configuration. None of its fields
// holds a secret.
type Problem struct {
	File string // as given to Load; "$NAME" of a variable, "--name" of a flag
	Line int    // from 1; 0 where File is no file, or cannot be read
	Key  string // "nats.tls.ca", "operations[0].window"; empty: the file itself
	What string // what is wrong
	Mend string // what to do about it
}

// Error is "FILE:LINE: what is wrong: the mend", on one line.
func (p Problem) Error() string {
	if p.Line == 0 {
		return fmt.Sprintf("%s: %s: %s", p.File, p.What, p.Mend)
	}
	return fmt.Sprintf("%s:%d: %s: %s", p.File, p.Line, p.What, p.Mend)
}

// Errors are all the problems of a configuration: those of the file in the
// order of its lines, then those of variables. It is never empty when
// returned as an error.
type Errors []Problem

// Error is one problem a line.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, p := range e {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// sorted is e as an error, in order, or nil where there is none.
func (e Errors) sorted() error {
	if len(e) == 0 {
		return nil
	}
	slices.SortStableFunc(e, func(a, b Problem) int {
		if (a.Line == 0) != (b.Line == 0) {
			return b.Line - a.Line
		}
		return a.Line - b.Line
	})
	return e
}

// flaw is what a parser finds wrong with a value, told by [read] of its key.
type flaw struct{ what, mend string }

// wrong makes a flaw: "window" + " " + "is not a duration" + ": " + mend.
func wrong(mend, format string, args ...any) *flaw {
	return &flaw{fmt.Sprintf(format, args...), mend}
}

// label is how a message calls a key: its path within the list item, whose
// line is told anyway.
func label(key string) string {
	if i := strings.LastIndex(key, "]."); i >= 0 {
		return key[i+len("]."):]
	}
	return key
}

// quote shows a value of the user's on one line, cut to a sensible length.
func quote(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return fmt.Sprintf("%q", s)
}
