package descend

import (
	"encoding/json"
	"fmt"
	"slices"
	"sort"

	"wolkpipe/pipeline/window"
)

// Key is what a row counts, as the source sent it: not normalised.
type Key struct{ Agent, Code string }

// Answer is what the source said of a range, read by the caller. It is kept
// and not changed.
type Answer struct {
	Rows []json.RawMessage // as sent; none: proven empty

	// Counts are the rows' interactions by key, for a Usable answer.
	Counts map[Key]int64

	// Usable says that the answer may stand in a subtraction: no key is
	// repeated, no row would be rejected.
	Usable bool

	// Total is the number of interactions as far as the rows can be read. Of an
	// answer that is not Usable it serves as an estimate.
	Total int64

	// Labels are the descriptions of codes, for derived rows; may be nil.
	Labels map[Key]string
}

// Method says how a window was established.
type Method string

// The methods.
const (
	Direct  Method = "direct"  // the window itself was asked for and had rows
	Empty   Method = "empty"   // it, or a range that holds it, was asked for and had none
	Derived Method = "derived" // by subtraction
)

// Result is an established window.
type Result struct {
	Window window.Window
	Method Method

	// Rows are as sent for Direct, none for Empty. For Derived they are made
	// up, sorted by key: {"interactions":"3","agent_name":"…","cod_act":"…"}, and
	// "description_cod_act" where it is known. None: the remainder is zero.
	Rows []json.RawMessage

	// Answer is the number, counted from 1, of the oldest answer on which this
	// rests: what happened at the source since then may be missing.
	Answer int
}

// Options of a Descent.
type Options struct {
	// Derive allows subtraction: this source's counts have been shown to add up.
	Derive bool
}

// Stats counts what a Descent has done.
type Stats struct {
	Asked     int // ranges answered or failed
	Left      int // windows not yet established
	Samples   int // derived windows asked for to see whether they agree
	Disagreed int // those that did not
}

// Descent establishes a set of windows. It is not safe for use by several
// goroutines.
type Descent struct {
	windows []window.Window
	ends    []int // of the day that each window lies on, within its run
	done    []bool
	runs    []span // to begin
	derive  bool

	run   span    // under way
	calls int     // asked of it
	left  int     // windows of it to establish
	stack []frame // what is to be asked of it; the top first
	held  []held  // derived, until the day's sample agrees

	open  *span // asked for
	ready []Result
	stats Stats
}

// span is some of a Descent's windows: from <= i < to.
type span struct{ from, to int }

func (s span) len() int { return s.to - s.from }

// held is a derived window.
type held struct {
	at     int
	counts counts
	from   *reply // the answer that was taken apart
}

// New begins a descent over windows, which must be sorted and not overlap.
// They need not be contiguous: what lies between them is never asked for, but
// for what the clock skips.
func New(windows []window.Window, o Options) (*Descent, error) {
	d := &Descent{windows: windows, derive: o.Derive, ends: make([]int, len(windows)), done: make([]bool, len(windows))}
	d.stats.Left = len(windows)
	for i := len(windows) - 1; i >= 0; i-- {
		w := windows[i]
		if w.Empty() || i > 0 && windows[i-1].To > w.From {
			return nil, fmt.Errorf("window %v is empty or begins before the one ahead of it ends: sort the windows", w.Range)
		}
		d.ends[i] = i + 1
		if i+1 < len(windows) && contiguous(w, windows[i+1]) && w.From.Date() == windows[i+1].From.Date() {
			d.ends[i] = d.ends[i+1]
		}
	}
	for from := 0; from < len(windows); {
		to := from + 1
		for to < len(windows) && contiguous(windows[to-1], windows[to]) && month(windows[to]) == month(windows[from]) {
			to++
		}
		d.runs = append(d.runs, span{from, to})
		from = to
	}
	d.advance()
	return d, nil
}

// contiguous reports whether no time of the clock lies between a and b.
func contiguous(a, b window.Window) bool {
	return a.To == b.From || !a.End.IsZero() && a.End.Equal(b.Start)
}

func month(w window.Window) window.Date {
	first, _ := w.From.Date().Month()
	return first
}

// Next is the range to ask for. ok is false when every window is established.
// It stays the same until it is answered or has failed. A range that was asked
// for before was empty then, against other answers: let some time pass.
func (d *Descent) Next() (ask window.Range, ok bool) {
	if d.open == nil {
		return window.Range{}, false
	}
	return d.rangeOf(*d.open), true
}

// advance finds what to ask for next, and establishes what needs no asking.
func (d *Descent) advance() {
	for d.open == nil && (len(d.stack) > 0 || d.begin()) {
		if d.calls > 0 && d.calls+d.left >= Most(d.run.len()) {
			d.giveUp()
		}
		if s, ok := d.top().next(d); ok {
			d.open = &s
		}
	}
}

func (d *Descent) top() frame { return d.stack[len(d.stack)-1] }

func (d *Descent) rangeOf(s span) window.Range {
	return window.Range{From: d.windows[s.from].From, To: d.windows[s.to-1].To}
}

// few is how many windows are not worth asking for as a whole.
const few = 3

// begin takes up the next run.
func (d *Descent) begin() bool {
	if len(d.runs) == 0 {
		return false
	}
	d.run, d.runs = d.runs[0], d.runs[1:]
	d.calls, d.left = 0, d.run.len()
	if d.left <= few {
		d.push(d.singly(d.run))
	} else {
		d.push(&list{spans: []span{d.run}})
	}
	return true
}

// giveUp asks for every window that the run still lacks, one by one.
func (d *Descent) giveUp() {
	if len(d.stack) == 1 {
		if l, ok := d.stack[0].(*list); ok && l.last {
			return
		}
	}
	d.stack, d.held = nil, nil
	l := d.singly(d.run)
	l.last = true
	d.push(l)
}

// singly lists the windows of s that are not established.
func (d *Descent) singly(s span) *list {
	l := &list{}
	for i := s.from; i < s.to; i++ {
		if !d.done[i] {
			l.spans = append(l.spans, span{i, i + 1})
		}
	}
	return l
}

// Answered tells what the source said of r, which must be what Next gave.
func (d *Descent) Answered(r window.Range, a Answer) {
	s := d.close(r)
	d.top().answered(d, s, newReply(a, d.stats.Asked))
	d.advance()
}

// Failed tells that r, which must be what Next gave, is too much for one
// answer: too many rows or bytes, or too slow. It is split. A single window is
// not, and false is returned: Next gives it again, and how to answer for it is
// the caller's to see to.
func (d *Descent) Failed(r window.Range) bool {
	if d.open != nil && d.open.len() == 1 && d.rangeOf(*d.open) == r {
		return false
	}
	s := d.close(r)
	d.top().failed(d, s)
	d.advance()
	return true
}

func (d *Descent) close(r window.Range) span {
	if d.open == nil || d.rangeOf(*d.open) != r {
		panic(fmt.Sprintf("descend: %v is answered, which Next did not ask for", r))
	}
	s := *d.open
	d.open = nil
	d.calls++
	d.stats.Asked++
	return s
}

// Take gives the windows established since the last Take, sorted.
func (d *Descent) Take() []Result {
	results := d.ready
	d.ready = nil
	slices.SortFunc(results, func(a, b Result) int { return int(a.Window.From - b.Window.From) })
	return results
}

// Stats counts what has been done so far.
func (d *Descent) Stats() Stats { return d.stats }

// establish notes what a window holds, for good.
func (d *Descent) establish(at int, m Method, rows []json.RawMessage, answer int) {
	d.done[at] = true
	d.left--
	d.stats.Left--
	d.ready = append(d.ready, Result{d.windows[at], m, rows, answer})
}

func (d *Descent) push(f frame) { d.stack = append(d.stack, f) }
func (d *Descent) pop()         { d.stack = d.stack[:len(d.stack)-1] }

// days counts the days of s, begun ones included.
func (d *Descent) days(s span) int {
	n := 0
	for at := s.from; at < s.to; at = d.ends[at] {
		n++
	}
	return n
}

// after is the end of the n-th day from a window on.
func (d *Descent) after(at, n int) int {
	for ; n > 0; n-- {
		at = d.ends[at]
	}
	return at
}

// sortedKeys are the keys of c by agent, then code.
func sortedKeys(c counts) []Key {
	keys := make([]Key, 0, len(c))
	for k := range c {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool {
		a, b := keys[i], keys[j]
		return a.Agent < b.Agent || a.Agent == b.Agent && a.Code < b.Code
	})
	return keys
}

// Most is the number of calls that a run of neighbouring windows takes at the
// most, those that fail aside.
func Most(windows int) int { return min(2*windows, windows+windows/8+16) }
