// Package codes keeps an operation's activity codes: what the source's list of
// them told, with the time it was seen. The source lets codes be edited and
// deleted, and rows outlive both, so a code that is gone from the list is kept
// as it was last told.
//
// Codes and descriptions are normalised as those of rows are ([transform.Text]),
// so that a row's cod_act finds its description here. They are labels: what
// changes in them changes no window.
//
// When to ask for the list, and what to do with a code that no list tells, is
// the caller's to decide. Such codes exist: "" and the sentinels of chats that
// nobody coded may never be in one.
package codes

import (
	"cmp"
	"slices"
	"time"

	"wolkpipe/pipeline/transform"
	"wolkpipe/schemas"
)

// Code is a code as it is kept.
type Code = schemas.ActivityCode

// Raw is a code as the source told it; nil is absent or null. chat7's
// ActivityCode converts to it.
type Raw struct{ Code, Description, Hit, RPC, Chat, Voice, TypeCode *string }

// New normalises a code that was told, for [Merge] to say when. ok is false
// where it lacks its code: in a row that would be the empty code, but an entry
// that names none says nothing of any. One that is empty, and told so, is a
// code like any other.
func New(r Raw) (c Code, ok bool) {
	if r.Code == nil {
		return Code{}, false
	}
	c = Code{
		Code: transform.Text(*r.Code), Description: r.Description,
		Hit: r.Hit, RPC: r.RPC, Chat: r.Chat, Voice: r.Voice, TypeCode: r.TypeCode,
	}
	for _, field := range texts(&c) {
		if *field == nil {
			continue
		}
		s := transform.Text(**field)
		if *field = &s; s == "" { // as of a row: an empty description is none
			*field = nil
		}
	}
	return c, true
}

// texts are the fields that a code's newest list tells.
func texts(c *Code) [6]**string {
	return [...]**string{&c.Description, &c.Hit, &c.RPC, &c.Chat, &c.Voice, &c.TypeCode}
}

// Merge gives what is known after the source, at a time, told a list of codes:
// those of the list with their values as told, seen first when they were before
// and last at that time, and the others as they are known. A code that a later
// list told is left alone. Of the times in told nothing is taken.
//
// Merged codes are sorted by cod_act, each once, and new memory; changed says
// whether they differ from known in anything, a time included. The order of
// either list does not matter. Where told has a code more than once, as in two
// spellings that are one when normalised, the first value in byte order stays,
// field by field.
func Merge(known, told []Code, at time.Time) (merged []Code, changed bool) {
	at = at.UTC().Truncate(time.Microsecond)
	all := make(map[string]Code, max(len(known), len(told)))
	for _, c := range known {
		all[c.Code] = c
	}
	for code, c := range unite(told) {
		before, seen := all[code]
		if seen && before.LastSeenAt.After(at) {
			continue
		}
		c.FirstSeenAt, c.LastSeenAt = at, at
		if seen {
			c.FirstSeenAt = before.FirstSeenAt
		}
		changed = changed || !seen || !alike(c, before)
		all[code] = c
	}
	merged = make([]Code, 0, len(all))
	for _, c := range all {
		merged = append(merged, c)
	}
	slices.SortFunc(merged, func(a, b Code) int { return cmp.Compare(a.Code, b.Code) })
	return merged, changed
}

// unite gives each code once.
func unite(told []Code) map[string]Code {
	all := make(map[string]Code, len(told))
	for _, c := range told {
		if other, twice := all[c.Code]; twice {
			fields, others := texts(&c), texts(&other)
			for i := range fields {
				if *fields[i] == nil || *others[i] != nil && **others[i] < **fields[i] {
					*fields[i] = *others[i]
				}
			}
		}
		all[c.Code] = c
	}
	return all
}

func alike(a, b Code) bool {
	ours, theirs := texts(&a), texts(&b)
	for i := range ours {
		x, y := *ours[i], *theirs[i]
		if (x == nil) != (y == nil) || x != nil && *x != *y {
			return false
		}
	}
	return a.FirstSeenAt.Equal(b.FirstSeenAt) && a.LastSeenAt.Equal(b.LastSeenAt)
}

// Labels gives the description of each cod_act that has one.
func Labels(codes []Code) map[string]string {
	labels := make(map[string]string, len(codes))
	for _, c := range codes {
		if c.Description != nil {
			labels[c.Code] = *c.Description
		}
	}
	return labels
}

// Has reports whether sorted codes hold a cod_act, with a description or not.
func Has(codes []Code, code string) bool {
	_, found := slices.BinarySearchFunc(codes, code, func(c Code, code string) int { return cmp.Compare(c.Code, code) })
	return found
}
