package compare

import (
	"encoding/json"

	"wolkpipe/pipeline/window"
)

// Key is what is counted, normalised.
type Key struct{ Agent, Code string }

// Content is what a window, or a longer range, holds.
type Content struct {
	Counts map[Key]int64 // normalised, none zero

	// Unsure are keys whose count cannot be relied upon in a sum: they stood in
	// rows alike to the byte, or in a row that was rejected.
	Unsure []Key

	// Blind says that not even the key of some row can be read: the content
	// cannot be compared with anything.
	Blind bool
}

// Known is a window with what is recorded of it.
type Known struct {
	window.Window
	Content
}

// Answer is what the source says of a range now. It is kept and not changed.
type Answer struct {
	Rows    []json.RawMessage // as sent; none: it says that there is nothing, and Content is ignored
	Content                   // as the caller reads the rows
}

// Result is a window that was asked for by itself. Record it as an
// observation; see the package's words on emptiness for one without Rows.
type Result struct {
	Window window.Window
	Rows   []json.RawMessage // as sent
}

// observed is a window's own answer.
type observed struct {
	Content
	empty bool
}

// summable reports whether a window's content can be part of a sum.
func (c *Comparison) summable(at int) bool {
	s := newSum()
	s.add(c.known[at].Content, mostInWindow)
	return !s.blind && len(s.unsure) == 0
}

// content is what is known of a window now.
func (c *Comparison) content(at int) Content {
	if o, ok := c.fresh[at]; ok {
		return o.Content
	}
	return c.known[at].Content
}

// emptied reports whether a window said that there is nothing although
// something is recorded of it.
func (c *Comparison) emptied(at int) bool {
	k := &c.known[at]
	return c.fresh[at].empty && (len(k.Counts) > 0 || len(k.Unsure) > 0 || k.Blind)
}
