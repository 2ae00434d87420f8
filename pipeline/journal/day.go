package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"

	"wolkpipe/pipeline/window"
)

// Day is the journal's record of a day, folded: the latest observation of
// each window. It is shared and never changes.
type Day struct {
	Key
	Timezone string        // IANA; empty when nothing is recorded
	Grid     window.Grid   // zero when nothing is recorded
	Seq      uint64        // of the last message folded; 0 for none
	Windows  []Observation // sorted by Local; do not change
	Bad      []Bad         // messages that could not be read, skipped

	// Compared is the latest comparison with the source that agreed with all
	// that is recorded; nil when a window was recorded after it.
	Compared *Comparison

	parts []part // of a message in pieces whose last piece is still to come
}

// Bad is a message of the journal that could not be read. Its windows count
// as never observed, so they are asked for again.
type Bad struct {
	Seq uint64
	Err error
}

type part struct {
	number, of int
	data       []byte
}

// Window finds the observation of the window that starts at local.
func (d *Day) Window(local window.Local) (Observation, bool) {
	i, found := slices.BinarySearchFunc(d.Windows, local, func(o Observation, l window.Local) int { return int(o.Local - l) })
	if !found {
		return Observation{}, false
	}
	return d.Windows[i], true
}

// holds reports whether d has exactly the observations of c.
func (d *Day) holds(c *Chunk) bool {
	for _, o := range c.Windows {
		have, ok := d.Window(o.Local)
		if !ok || have.Revision != o.Revision || have.Digest != o.Digest || have.Method != o.Method ||
			have.Cause != o.Cause || !have.ObservedAt.Equal(o.ObservedAt) || !slices.EqualFunc(have.Rows, o.Rows, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) }) {
			return false
		}
	}
	if c.Compared == nil {
		return true
	}
	return d.Compared != nil && d.Compared.At.Equal(c.Compared.At) && d.Compared.Final == c.Compared.Final
}

// with gives d after one more message. Only ErrNewer is returned: what else
// cannot be read is noted in Bad.
func (d *Day) with(seq uint64, p part) (*Day, error) {
	next := *d
	next.Seq = seq
	data, whole, err := next.assemble(p)
	if err != nil {
		next.Bad = append(slices.Clip(d.Bad), Bad{seq, err})
	}
	if !whole {
		return &next, nil
	}
	chunk, err := Decode(data)
	if errors.Is(err, ErrNewer) {
		return nil, err
	}
	if err == nil && (chunk.Key != d.Key || d.Grid != 0 && chunk.Grid != d.Grid) {
		err = errors.New("the chunk is of " + chunk.Key.String() + " in windows of " + chunk.Grid.String())
	}
	if err != nil {
		next.Bad = append(slices.Clip(next.Bad), Bad{seq, err})
		return &next, nil
	}
	next.Timezone, next.Grid = chunk.Timezone, chunk.Grid
	next.Windows = merge(d.Windows, chunk.Windows)
	if chunk.Compared != nil || len(chunk.Windows) > 0 {
		next.Compared = chunk.Compared
	}
	return &next, nil
}

// assemble collects the pieces of a message; whole is true with the last. The
// error tells of an earlier message whose pieces never became whole.
func (d *Day) assemble(p part) (data []byte, whole bool, err error) {
	if p.number != len(d.parts)+1 || len(d.parts) > 0 && p.of != d.parts[0].of {
		err = errors.New("a piece of a chunk is missing")
		d.parts = nil
		if p.number != 1 {
			return nil, false, err
		}
	}
	if p.of == 1 {
		return p.data, true, err
	}
	d.parts = append(slices.Clip(d.parts), p)
	if p.number < p.of {
		return nil, false, err
	}
	for _, piece := range d.parts {
		data = append(data, piece.data...)
	}
	d.parts = nil
	return data, true, err
}

// merge lays news over old, both by Local; a window is never taken back to an
// earlier revision.
func merge(old, news []Observation) []Observation {
	news = slices.Clone(news)
	slices.SortStableFunc(news, func(a, b Observation) int { return int(a.Local - b.Local) })
	all := make([]Observation, 0, len(old)+len(news))
	for len(old) > 0 || len(news) > 0 {
		var next Observation
		switch {
		case len(news) == 0 || len(old) > 0 && old[0].Local < news[0].Local:
			next, old = old[0], old[1:]
		default:
			next, news = news[0], news[1:]
			if len(old) > 0 && old[0].Local == next.Local {
				if old[0].Revision > next.Revision {
					next = old[0]
				}
				old = old[1:]
			}
		}
		if n := len(all); n > 0 && all[n-1].Local == next.Local { // twice in one chunk
			if next.Revision >= all[n-1].Revision {
				all[n-1] = next
			}
			continue
		}
		all = append(all, next)
	}
	return all
}
