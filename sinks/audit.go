package sinks

import (
	"context"
	"fmt"
	"time"

	"wolkpipe/schemas"
)

// Auditor is a sink whose store can be read as its consumers read it.
//
// Load and Commit rest on what a store says of itself. That is cheap, and
// blind to what was lost, edited or put in behind the sink's back.
type Auditor interface {
	Sink

	// Audit reads what consumers find of those days (2006-01-02) of an
	// operation, whatever the sink itself believes, and writes nothing. It
	// gives each day that was asked for, in one pass over the store where
	// days do not lie apart; all are kept in memory, so ask for a month at
	// most. A store that nobody can read or mend is a [*Error].
	Audit(ctx context.Context, operation string, days []string) (map[string]*Audited, error)
}

// Mender mends one day of a store that was audited.
type Mender interface {
	// Mend makes consumers find every window of day, whatever stands there,
	// an observation later than day's included. day must have been read from
	// the journal after the audit: the store is then never taken back behind
	// another worker's commit. It returns [ErrConflict], possibly after some
	// windows were mended whole, when the store has moved since the audit.
	//
	// A window that the journal does not have is kept as the store itself
	// records it; what the store has no whole record of goes. A day without
	// windows mends nothing. Nothing in the store is destroyed that is not
	// the sink's own. After an error or a cancelled context a window may have
	// been mended or not: audit again.
	Mend(ctx context.Context, day *Day) (Change, error)
}

// Reading names one of the ways in which consumers read counts.
type Reading string

// The readings of the sinks there are.
const (
	Deltas Reading = "sum of deltas"    // over all row events, each id once
	Latest Reading = "latest row event" // by observed_at, then revision
	Told   Reading = "window event"     // the last of the window
	Lake   Reading = "lake"             // interactions, summed over the rows object
)

// Audited is a day as the consumers of a store find it.
type Audited struct {
	Key
	Readings []Reading                 // how the counts were read, in the order of every AuditedWindow's
	Windows  map[string]*AuditedWindow // by Local; those with nothing to find are left out

	// Flaws tell what is wrong and belongs to no window, for a person: an
	// object that cannot be read, one that does not belong there.
	Flaws []string

	// RowsExpire: row events expire, so that what they add up to proves
	// nothing and was not read.
	RowsExpire bool

	// TellsForward: a later ObservedAt than the journal's cannot be taken
	// back, and is no difference.
	TellsForward bool

	Mender // of this day, as it was found
}

// AuditedWindow is a window as the consumers of a store find it.
type AuditedWindow struct {
	Record *Record            // what the store says of the window itself, nil for nothing
	Rows   map[RowKey][]int64 // the count of each reading
	Flaws  []string           // what is wrong besides counts, for a person
}

// RowKey is the key of a row within its window.
type RowKey struct{ Agent, Code string }

// Record is what a store says of a window: a window event, a line of coverage.
type Record struct {
	Start, End             time.Time
	Timezone               string // "" where the store keeps none
	ObservedAt             time.Time
	Method                 schemas.Method
	State                  schemas.State // of the day
	RowCount, Interactions int64
	Rejected, Dropped      int64
}

// Whole reports whether a window is right by itself: its rows are what its
// record says, by every reading. It may still not be what the journal says.
func (w *AuditedWindow) Whole() bool { return w.broken() == "" }

// broken tells why a window is not whole.
func (w *AuditedWindow) broken() string {
	if len(w.Flaws) > 0 {
		return w.Flaws[0]
	}
	if w.Record == nil {
		if w.empty() {
			return ""
		}
		return "it has rows and no record"
	}
	var rows, total []int64
	for _, counts := range w.Rows {
		if rows == nil {
			rows, total = make([]int64, len(counts)), make([]int64, len(counts))
		}
		for i, n := range counts {
			total[i] += n
			if n != 0 {
				rows[i]++
			}
			if n < 0 || n != counts[0] {
				return "its rows are not read alike"
			}
		}
	}
	if rows == nil {
		rows, total = []int64{0}, []int64{0}
	}
	if rows[0] != w.Record.RowCount || total[0] != w.Record.Interactions {
		return fmt.Sprintf("its rows come to %d of %d interactions, its record says %d of %d",
			rows[0], total[0], w.Record.RowCount, w.Record.Interactions)
	}
	return ""
}

// empty reports whether there is no row by any reading.
func (w *AuditedWindow) empty() bool {
	for _, counts := range w.Rows {
		for _, n := range counts {
			if n != 0 {
				return false
			}
		}
	}
	return true
}
