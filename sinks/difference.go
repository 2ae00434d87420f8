package sinks

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"wolkpipe/schemas"
)

// Kind says what differs between the journal and a store.
type Kind string

// The kinds of difference, in the order in which a window's are told.
const (
	Flawed   Kind = "flawed"   // something is wrong whatever the journal says
	Missing  Kind = "missing"  // the store has no record of a window
	Recorded Kind = "recorded" // the store's record of a window says something else
	Counted  Kind = "counted"  // a row's count is another
	Stray    Kind = "stray"    // rows of a window that the journal does not have, and the store not whole
	Stated   Kind = "stated"   // the day's state is another
)

var kindOrder = []Kind{Flawed, Stated, Missing, Recorded, Stray, Counted}

// Difference is one thing that a store has otherwise than the journal.
type Difference struct {
	Key
	Window      string // its Local; "" for the day as a whole
	Kind        Kind
	Agent, Code string // of Counted
	Want, Have  int64  // of Counted the counts, of Missing the window's total and 0
	Detail      string // the readings of Counted; else what is wrong, for a person
}

// String tells d to a person, in one line.
func (d Difference) String() string {
	where := d.Key.String()
	if d.Window != "" {
		where = d.Operation + " " + d.Window
	}
	switch d.Kind {
	case Counted:
		return fmt.Sprintf("%s, agent %q, code %q: %d, should be %d (%s)", where, d.Agent, d.Code, d.Have, d.Want, d.Detail)
	case Missing:
		return fmt.Sprintf("%s: not there, should have %d interactions", where, d.Want)
	}
	return where + ": " + d.Detail
}

// Differences tells what a store has otherwise than the journal, sorted by
// window; none where a day has no windows in the journal and nothing stray.
//
// A sink that is only behind, or in the middle of a commit, differs, too: let
// it converge before its audit, and audit again before it is blamed.
// Windows that the store has whole and the journal lacks are no difference:
// see [Unknown]. Descriptions are not compared.
func Differences(want *Day, have *Audited) []Difference {
	var all []Difference
	add := func(window string, kind Kind, d Difference) {
		d.Key, d.Window, d.Kind = want.Key, window, kind
		all = append(all, d)
	}
	for _, flaw := range have.Flaws {
		add("", Flawed, Difference{Detail: flaw})
	}
	known := make(map[string]bool, len(want.Windows))
	states := make(map[schemas.State]int)
	for i := range want.Windows {
		w := &want.Windows[i]
		known[w.Local] = true
		found := have.Windows[w.Local]
		if found == nil {
			found = new(AuditedWindow)
		}
		for _, flaw := range found.Flaws {
			add(w.Local, Flawed, Difference{Detail: flaw})
		}
		if r := found.Record; r == nil {
			add(w.Local, Missing, Difference{Want: w.Interactions()})
		} else {
			if detail := facts(want, w, r, have.TellsForward); detail != "" {
				add(w.Local, Recorded, Difference{Detail: detail})
			}
			if r.State != want.State {
				states[r.State]++
			}
		}
		counts(have.Readings, w, found, func(d Difference) { add(w.Local, Counted, d) })
	}
	for _, state := range slices.Sorted(maps.Keys(states)) {
		add("", Stated, Difference{Detail: fmt.Sprintf("told as %q with %d windows, is %q", state, states[state], want.State)})
	}
	for local, found := range have.Windows {
		if known[local] {
			continue
		}
		if why := found.broken(); why != "" {
			add(local, Stray, Difference{Detail: "the journal does not have this window, and " + why})
		}
	}
	slices.SortStableFunc(all, func(a, b Difference) int {
		return cmp.Or(cmp.Compare(a.Window, b.Window), cmp.Compare(slices.Index(kindOrder, a.Kind), slices.Index(kindOrder, b.Kind)),
			cmp.Compare(a.Agent, b.Agent), cmp.Compare(a.Code, b.Code))
	})
	return all
}

// Unknown are the windows, sorted, that a store has whole and the journal does
// not have: what the journal lost, or what somebody made up.
func Unknown(want *Day, have *Audited) []string {
	var all []string
	for local, found := range have.Windows {
		known := slices.ContainsFunc(want.Windows, func(w schemas.Window) bool { return w.Local == local })
		if !known && found.Record != nil && found.Whole() {
			all = append(all, local)
		}
	}
	slices.Sort(all)
	return all
}

// facts tells what a record says otherwise than the journal, but for the state.
func facts(day *Day, w *schemas.Window, r *Record, forward bool) string {
	var all []string
	differ := func(what string, have, want any) {
		all = append(all, fmt.Sprintf("%s is %v, should be %v", what, have, want))
	}
	instant := func(what string, have, want time.Time) {
		if !have.Equal(want) {
			differ(what, have.UTC().Format(time.RFC3339Nano), want.UTC().Format(time.RFC3339Nano))
		}
	}
	number := func(what string, have, want int64) {
		if have != want {
			differ(what, have, want)
		}
	}
	instant("window_start", r.Start, w.Start)
	instant("window_end", r.End, w.End)
	if r.Timezone != "" && r.Timezone != day.Timezone {
		differ("timezone", r.Timezone, day.Timezone)
	}
	if !forward || r.ObservedAt.Before(w.ObservedAt) {
		instant("observed_at", r.ObservedAt, w.ObservedAt)
	}
	if r.Method != w.Method {
		differ("method", r.Method, w.Method)
	}
	number("row_count", r.RowCount, int64(len(w.Rows)))
	number("interactions", r.Interactions, w.Interactions())
	number("rejected_rows", r.Rejected, int64(len(w.Rejects)))
	number("dropped_rows", r.Dropped, w.Dropped)
	return strings.Join(all, "; ")
}

// counts yields the rows of a window whose count differs: readings that find
// the same are told together.
func counts(readings []Reading, w *schemas.Window, found *AuditedWindow, yield func(Difference)) {
	one := func(key RowKey, want int64, have []int64) {
		for i := range readings {
			n := at(have, i)
			if n == want || slices.ContainsFunc(have[:min(i, len(have))], func(m int64) bool { return m == n }) || have == nil && i > 0 {
				continue
			}
			var same []string
			for j := i; j < len(readings); j++ {
				if at(have, j) == n {
					same = append(same, string(readings[j]))
				}
			}
			yield(Difference{Agent: key.Agent, Code: key.Code, Want: want, Have: n, Detail: strings.Join(same, ", ")})
		}
	}
	wanted := make(map[RowKey]bool, len(w.Rows))
	for _, r := range w.Rows {
		key := RowKey{r.Agent, r.Code}
		wanted[key] = true
		one(key, r.Interactions, found.Rows[key])
	}
	for key, have := range found.Rows {
		if !wanted[key] {
			one(key, 0, have)
		}
	}
}

func at(counts []int64, i int) int64 {
	if i < len(counts) {
		return counts[i]
	}
	return 0
}
