package schemas

import "time"

// Cause says why a window was asked for.
type Cause string

// The causes of an observation.
const (
	Live     Cause = "live"     // as soon as the window was over
	CatchUp  Cause = "catchup"  // late, after an outage or back to `since`
	Backfill Cause = "backfill" // somebody asked for its day
	Settle   Cause = "settle"   // a later comparison found a difference
	Repair   Cause = "repair"   // verify --repair asked
)

// Method says how a window's content was established.
type Method string

// The methods of an observation.
const (
	Direct  Method = "direct"  // the source was asked for the window and had rows
	Empty   Method = "empty"   // the source proved that it has none
	Derived Method = "derived" // by subtraction of answers
)

// State says whether a day may still change.
type State string

// The states of a day.
const (
	Provisional State = "provisional"
	Settled     State = "settled"
)

// Row is one normalised row: how many interactions an agent closed with a
// code. Agent and code are the key within a window.
type Row struct {
	Agent        string  `json:"agent_name"`
	Code         string  `json:"cod_act"`
	Description  *string `json:"description_cod_act"`
	Interactions int64   `json:"interactions"`
}

// Compare orders rows by agent, then code, byte by byte.
func (r Row) Compare(o Row) int { return compareKeys(r.Agent, r.Code, o.Agent, o.Code) }

func compareKeys(a1, c1, a2, c2 string) int {
	switch {
	case a1 < a2:
		return -1
	case a1 > a2:
		return 1
	case c1 < c2:
		return -1
	case c1 > c2:
		return 1
	}
	return 0
}

// Reject is a source row that cannot be read surely.
type Reject struct {
	Reason string `json:"reason"` // what is wrong with it, for an operator
	Raw    []byte `json:"raw"`    // the source's row, JSON, as it came
}

// Window is the state of one window after normalisation.
type Window struct {
	Local      string    // wall-clock start, 2006-01-02T15:04:05: the key
	Start, End time.Time // instants; End is exclusive
	Revision   int64     // counts changes of content in the journal, from 1
	Method     Method
	Cause      Cause
	ObservedAt time.Time // when this content was first answered, to the microsecond, UTC
	Rows       []Row     // sorted by Row.Compare, keys unique, interactions > 0
	Rejects    []Reject  // rows that could not be read
	Dropped    int64     // rows left out as duplicates of another, alike to the byte
}

// Interactions is the total over the window's rows.
func (w *Window) Interactions() int64 {
	var n int64
	for _, r := range w.Rows {
		n += r.Interactions
	}
	return n
}
