// Package transform turns the rows of one window, as the source sent them,
// into the rows that sinks hold: normalised, free of duplicates, sorted. It is
// pure: the same rows in any order, under the same [Options], give the same
// [Snapshot], at any time and on any machine.
//
// # Rows
//
// A row is a JSON object. Four of its keys are known, and known exactly:
// "Interactions" is another key than "interactions". Unknown keys are ignored,
// but no key may stand twice.
//
//   - interactions: the count; see below.
//   - agent_name, cod_act: together the key of the row. Text, or a number,
//     which stands for its literal text. Missing and null are the empty text;
//     an empty agent or code is a value like any other. Anything else makes
//     the row a reject.
//   - description_cod_act: text or a number, else none; an empty one is none
//     too. It is a label: no row is refused for it.
//
// # Text
//
// HTML entities are decoded once, and only those that end in a semicolon:
// "&amp;lt;" is the text "&lt;", and "A&params" stays. Control and invisible
// characters are dropped; every run of white space, which tabs and line ends
// are, becomes one space, with none at either end. The result is in NFC. Case
// and leading zeros stay. Normalised text, written as HTML again, normalises
// to itself.
//
// # Counts
//
// A count is ASCII digits, as a JSON number or in a string, with white space
// around it or not, in the string in groups parted by commas or not: the first
// group then has one to three digits and no leading zero, every other three.
// All else (a sign, a fraction, an exponent, the digits of other scripts, more
// than an int64 holds) makes the row a reject and is never guessed at.
//
// # Duplicates
//
// Rows alike to the byte are one row told twice or, with [Options.Sum], are
// added up. Rows that differ but have the same key after normalisation are
// always added up; of their descriptions the first in byte order stays.
package transform

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"strings"

	"wolkpipe/schemas"
)

// Options are an operation's choices.
type Options struct {
	// Sum adds up rows alike to the byte; else all but one are dropped.
	Sum bool

	// AgentKey, when not empty, replaces every normalised agent name, the
	// empty one included, by the first 32 hex digits of its HMAC-SHA256 under
	// this key. Rejects keep the source's row, and so the name in it.
	AgentKey []byte
}

// Snapshot is what the source said of one window.
//
// Every source row is counted exactly once:
//
//	Source == len(Rows) + Merged + Dropped + Zero + len(Rejects)
//
// Of rows alike to the byte all but one are Dropped (none with
// [Options.Sum]), whatever they hold. A row that cannot be read is a reject. A
// row with count 0 is in Zero, also where its key has other rows. The others
// make Rows, one for each key; what went into one of them beyond its first
// source row is Merged.
type Snapshot struct {
	Rows    []schemas.Row    // normalised, sorted by Row.Compare, keys unique, interactions > 0; never nil
	Rejects []schemas.Reject // in a fixed order; Raw is valid JSON and may share memory with the input
	Dropped int64            // rows left out as alike to another to the byte
	Source  int64            // rows given
	Merged  int64            // rows added to another row of the same key
	Zero    int64            // rows that count nothing
}

// Window normalises the source rows of one window. It neither changes nor,
// but for the Raw of rejects, keeps them.
//
// The total over Rows fits an int64. Where the counts add up to more, the
// largest rows that do not fit become rejects.
func Window(rows []json.RawMessage, o Options) Snapshot {
	s := Snapshot{Source: int64(len(rows))}
	entries := make([]entry, 0, len(rows))
	var p parser
	for _, raw := range rows {
		e, reason := p.parse(raw)
		if reason != "" {
			s.reject(raw, reason)
			continue
		}
		entries = append(entries, e)
	}
	slices.SortFunc(entries, entry.compare)
	s.addUp(s.countOut(entries, o.Sum))
	hashAgents(s.Rows, o.AgentKey)
	s.finishRejects(o.Sum)
	return s
}

// entry is a source row that could be read.
type entry struct {
	agent, code string
	description *string // nil for none
	count       int64
	raw         []byte
}

func (e *entry) sameKey(o *entry) bool { return e.agent == o.agent && e.code == o.code }

// compare brings rows of one key together, those with a description before
// those without, and among them rows alike to the byte.
func (e entry) compare(o entry) int {
	if c := strings.Compare(e.agent, o.agent); c != 0 {
		return c
	}
	if c := strings.Compare(e.code, o.code); c != 0 {
		return c
	}
	switch {
	case e.description != nil && o.description != nil:
		if c := strings.Compare(*e.description, *o.description); c != 0 {
			return c
		}
	case e.description != nil:
		return -1
	case o.description != nil:
		return 1
	}
	return bytes.Compare(e.raw, o.raw)
}

// countOut removes from sorted entries, in place, those that make no row:
// duplicates unless they are to be summed, and zeros.
func (s *Snapshot) countOut(entries []entry, sum bool) []entry {
	kept := entries[:0]
	var last []byte // the raw row before this one
	for i, e := range entries {
		duplicate := i > 0 && bytes.Equal(e.raw, last)
		last = e.raw
		switch {
		case duplicate && !sum:
			s.Dropped++
		case e.count == 0:
			s.Zero++
		default:
			kept = append(kept, e)
		}
	}
	return kept
}

// group is the entries of one key.
type group struct {
	from, to int
	sum      uint64 // at most tooMuch
}

// tooMuch is the least that no int64 holds.
const tooMuch = math.MaxInt64 + 1

// add adds two sums, both at most tooMuch, without passing it.
func add(a, b uint64) uint64 {
	if b >= tooMuch-a {
		return tooMuch
	}
	return a + b
}

// addUp makes one row of all sorted entries of a key.
func (s *Snapshot) addUp(entries []entry) {
	groups := make([]group, 0, len(entries))
	var total uint64
	for from := 0; from < len(entries); {
		g := group{from: from, to: from}
		for g.to < len(entries) && entries[g.to].sameKey(&entries[from]) {
			g.sum = add(g.sum, uint64(entries[g.to].count))
			g.to++
		}
		groups = append(groups, g)
		total = add(total, g.sum)
		from = g.to
	}
	if total == tooMuch {
		groups = s.fit(groups, entries)
	}
	s.Rows = make([]schemas.Row, 0, len(groups))
	for _, g := range groups {
		e := &entries[g.from]
		s.Rows = append(s.Rows, schemas.Row{Agent: e.agent, Code: e.code, Description: e.description, Interactions: int64(g.sum)})
		s.Merged += int64(g.to - g.from - 1)
	}
}

// fit rejects the largest groups until the sum of the others fits an int64. A
// count that large is a fault of the source's; the small ones beside it need
// not be.
func (s *Snapshot) fit(groups []group, entries []entry) []group {
	slices.SortFunc(groups, func(a, b group) int {
		return cmp.Or(cmp.Compare(a.sum, b.sum), cmp.Compare(a.from, b.from))
	})
	var total uint64
	n := 0
	for ; n < len(groups); n++ {
		if total = add(total, groups[n].sum); total == tooMuch {
			break
		}
	}
	for _, g := range groups[n:] {
		for _, e := range entries[g.from:g.to] {
			s.reject(e.raw, "interactions add up to more than 9223372036854775807 with the window's other rows")
		}
	}
	slices.SortFunc(groups[:n], func(a, b group) int { return cmp.Compare(a.from, b.from) })
	return groups[:n]
}

func (s *Snapshot) reject(raw []byte, reason string) {
	s.Rejects = append(s.Rejects, schemas.Reject{Reason: reason, Raw: raw})
}

// finishRejects sorts the rejects, drops duplicates unless all are to be kept,
// and quotes what is no JSON, since nobody could put it into a message.
func (s *Snapshot) finishRejects(keepAll bool) {
	slices.SortFunc(s.Rejects, func(a, b schemas.Reject) int { return bytes.Compare(a.Raw, b.Raw) })
	if !keepAll {
		n := len(s.Rejects)
		s.Rejects = slices.CompactFunc(s.Rejects, func(a, b schemas.Reject) bool { return bytes.Equal(a.Raw, b.Raw) })
		s.Dropped += int64(n - len(s.Rejects))
	}
	for i := range s.Rejects {
		if r := &s.Rejects[i]; !json.Valid(r.Raw) {
			r.Raw, _ = json.Marshal(string(r.Raw)) // a string always encodes
		}
	}
}
