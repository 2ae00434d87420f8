package status

import (
	"errors"
	"time"
)

// Days are written 2006-01-02 and wall-clock times 2006-01-02T15:04:05, both
// in the operation's zone. Nothing here names an agent.

// ErrUnknown is of an operation or a day of which there is nothing to show.
var ErrUnknown = errors.New("nothing is known of it")

// Installation is everything that the overview shows.
type Installation struct {
	Version    string
	Now        time.Time
	Started    time.Time
	NATS       string // state of the connection; "connected" is the good one
	Operations []Operation
	Sinks      []Sink
}

// Operation is how an operation stands, and its days as far as they were asked for.
type Operation struct {
	Name  string
	Zone  *time.Location
	Now   time.Time
	Since string        // kept covered from this day on
	First string        // earliest day that is wanted or recorded
	Every time.Duration // length of its windows
	Delay time.Duration // how long after its end a window is first asked for

	State   string    // "running", or why it waits: "quota", "bad_token", …
	Until   time.Time // it waits so long; zero: not known
	Error   string    // what it waits for, with the mend
	Reading bool      // the journal is still being read: what is missing may be there

	LastWindow string // wall-clock start of the latest observed window; empty: none
	LastEnd    time.Time
	LastAnswer time.Time // zero: none yet
	Due        int       // windows from Since on
	Missing    int       // of them not observed

	Quota       Quota
	Quarantined int64 // messages of rejected rows; below 0: not known
	Backfills   []Backfill
	Notices     []Notice

	Settled, Provisional int    // days
	Corrected            int    // windows
	Advice               string // on `settle`
	Days                 []Day  // those wanted or recorded, rising
}

// Quota is the source's limit on calls and whether it lasts.
type Quota struct {
	Limit, Left int64     // calls; Limit 0: not known
	Needed      int64     // calls of live polling until Until
	Until       time.Time // the next midnight of the operation
	Short       bool      // live polling will have to wait within 24 hours
}

// Spent is the calls that count now.
func (q Quota) Spent() int64 { return max(0, q.Limit-q.Left) }

// Backfill is a range that was asked for and how far it has come.
type Backfill struct {
	ID, From, To string
	State        string // "active", "done", "cancelled"
	Asked, Ended time.Time
	Windows      int // due by now
	Missing      int // of them not observed
	Uncompared   int // days that are complete, and to be compared with the source
}

// Notice is something to be read once.
type Notice struct {
	Kind, Text string
	Since      time.Time
}

// Sink is how a sink stands.
type Sink struct {
	Name          string
	Backlog       int    // windows that it was told of and does not hold
	Failing       int    // days whose last attempt failed
	Error         string // of one of them
	Windows, Rows int64  // written since the start
}

// Day is what is known of a day without looking into it.
type Day struct {
	Day       string
	Filling   bool // it is wanted by a backfill alone
	Recorded  bool
	Settled   bool
	Due       int // windows that are to be observed by now
	Missing   int // of them not observed
	Corrected int // windows
	Rejected  int // messages in quarantine, earlier revisions included
}

// Content is a day's windows.
type Content struct {
	Operation  string
	Zone       *time.Location
	Day        string
	Now        time.Time
	Recorded   bool
	Settled    bool
	ComparedAt time.Time // with the source, in agreement; zero: not since it changed
	Unreadable int       // messages of the journal
	Windows    []Window  // that exist, in the order of the wall clock
	Previous   string    // the days beside it of which there is something to show
	Next       string
}

// Window is one window of a day.
type Window struct {
	From, To string // wall clock, 15:04:05; To may be 24:00:00
	Due      bool
	Observed bool
	Method   string // "direct", "empty", "derived"
	Cause    string
	Revision int64
	At       time.Time // when its content was first answered

	Rows, Interactions, Rejected, Dropped int64
}
