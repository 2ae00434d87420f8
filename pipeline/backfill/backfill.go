// Package backfill owns what was asked for: ranges of days to fill, each a
// [Request] under an id that is made of what is asked, so that asking again is
// the same request. They are kept in a KV bucket and so outlive any process;
// a [Book] is a process's view of them, which follows what others write.
//
// What is missing of a range, and when to ask the source for it, is not known
// here: packages plan and extract look at the requests that are active.
package backfill

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"wolkpipe/pipeline/window"
)

// State is how far a request has come.
type State string

// The states. A request that is not active becomes so again when it is asked for.
const (
	Active    State = "active"
	Done      State = "done"
	Cancelled State = "cancelled"
)

// Request is a range of an operation's days to fill, both included, in its
// time zone.
type Request struct {
	Operation string
	From, To  window.Date
	Grid      window.Grid // of days that have none yet; 0: the operation's

	State State
	Asked time.Time // when it became active
	Ended time.Time // zero while active
}

// ID names r: "ventas-20260101-20260131", or "…-3600s" with a grid of its own.
func (r Request) ID() string {
	id := r.Operation + "-" + r.From.Compact() + "-" + r.To.Compact()
	if r.Grid > 0 {
		id += fmt.Sprintf("-%ds", r.Grid.Seconds())
	}
	return id
}

func (r Request) key() string { return r.Operation + ".backfill." + r.ID() }

// pattern matches the keys of all requests.
const pattern = "*.backfill.*"

// Check tells what is wrong with a range before anything is asked. today is
// the operation's present day.
func Check(from, to, today window.Date) error {
	switch {
	case from > to:
		return fmt.Errorf("the range ends before it begins: %s is after %s", from, to)
	case to > today:
		return fmt.Errorf("%s is in the future: the last day can be today, %s", to, today)
	case from < earliest:
		return fmt.Errorf("%s is before %s: is the year right?", from, earliest)
	}
	return nil
}

// earliest is before any day that a source can know of.
var earliest = window.DateOf(2000, time.January, 1)

// stored is the layout of a request in the bucket.
type stored struct {
	Operation string    `json:"operation"`
	From      string    `json:"from"`
	To        string    `json:"to"`
	Grid      int64     `json:"window_seconds,omitempty"`
	State     State     `json:"state"`
	Asked     time.Time `json:"asked_at"`
	Ended     time.Time `json:"ended_at,omitzero"`
}

func (r Request) encode() []byte {
	data, _ := json.Marshal(stored{ // always encodes
		r.Operation, r.From.String(), r.To.String(), r.Grid.Seconds(), r.State, r.Asked.UTC(), r.Ended.UTC(),
	})
	return data
}

func decode(data []byte) (r Request, err error) {
	var s stored
	if err := json.Unmarshal(data, &s); err != nil {
		return r, err
	}
	r = Request{Operation: s.Operation, State: s.State, Asked: s.Asked, Ended: s.Ended}
	if r.From, err = window.ParseDate(s.From); err != nil {
		return r, err
	}
	if r.To, err = window.ParseDate(s.To); err != nil {
		return r, err
	}
	if s.Grid != 0 {
		if r.Grid, err = window.NewGrid(time.Duration(s.Grid) * time.Second); err != nil {
			return r, err
		}
	}
	return r, nil
}

// byAsking sorts requests in the order in which they were asked for.
func byAsking(all []Request) {
	slices.SortFunc(all, func(a, b Request) int {
		return cmp.Or(a.Asked.Compare(b.Asked), cmp.Compare(a.ID(), b.ID()))
	})
}

// Errors of ids.
var (
	ErrUnknown = errors.New("no backfill has this id")
	ErrEnded   = errors.New("the backfill has ended already")
)
