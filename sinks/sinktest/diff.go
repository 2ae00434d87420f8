package sinktest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"wolkpipe/schemas"
)

// diffLines is how many differences Diff tells before it only counts them.
const diffLines = 20

// Diff tells where two states of a day differ in their windows or in what the
// rows of a window say: agent, code, description, interactions. It is empty
// where they agree. Order is nothing; a window or a key of a row that stands
// twice is a difference.
func Diff(want, got []schemas.Window) string {
	w, g := index(want), index(got)
	keys := slices.Sorted(maps.Keys(w))
	for k := range g {
		if _, ok := w[k]; !ok {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	var lines []string
	for _, k := range keys {
		if w[k] == g[k] {
			continue
		}
		if w[k] != "" {
			lines = append(lines, "- "+shorten(k)+shorten(w[k]))
		}
		if g[k] != "" {
			lines = append(lines, "+ "+shorten(k)+shorten(g[k]))
		}
	}
	if more := len(lines) - diffLines; more > 0 {
		lines = append(lines[:diffLines], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(lines, "\n")
}

// index is what windows say, by window and by row; what stands twice is
// appended to what stood there, so that it equals nothing said once.
func index(windows []schemas.Window) map[string]string {
	m := make(map[string]string)
	for _, w := range windows {
		m[w.Local] += " observed"
		for _, r := range w.Rows {
			description := "null"
			if r.Description != nil {
				description = strconv.Quote(*r.Description)
			}
			key := fmt.Sprintf("%s %q %q", w.Local, r.Agent, r.Code)
			m[key] += fmt.Sprintf(" %d (%s)", r.Interactions, description)
		}
	}
	return m
}

// shorten keeps the ends of what is too long to read.
func shorten(s string) string {
	const limit, kept = 200, 80
	if len(s) <= limit {
		return s
	}
	return fmt.Sprintf("%s…(%d bytes)…%s", s[:kept], len(s), s[len(s)-kept:])
}
