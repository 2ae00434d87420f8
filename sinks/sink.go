package sinks

import (
	"context"
	"errors"
	"fmt"
	"time"

	"wolkpipe/schemas"
)

// Key names one day of one operation.
type Key struct {
	Operation string // [a-z][a-z0-9_-]{0,62}
	Day       string // 2006-01-02
}

// String formats k as "ventas 2026-11-01".
func (k Key) String() string { return k.Operation + " " + k.Day }

// Day is what the journal says of an operation's day, normalised.
//
// A window that is not among Windows is unknown, not empty: whatever a sink
// holds of it stays.
type Day struct {
	Key
	Timezone string           // IANA
	State    schemas.State    // of the day
	Expected int              // windows of the whole day's grid
	Windows  []schemas.Window // observed ones, sorted by Local
}

// Change counts what a commit wrote; the zero value means that the sink
// already held the day.
type Change struct {
	Windows int `json:"windows"` // windows whose content the sink replaced
	Rows    int `json:"rows"`    // rows told or written
	Writes  int `json:"writes"`  // batches or objects committed
}

// Add adds o to c.
func (c *Change) Add(o Change) {
	c.Windows += o.Windows
	c.Rows += o.Rows
	c.Writes += o.Writes
}

// Sink holds days. Its methods may be called from several goroutines, and by
// several processes on the same store, for the same day at the same time.
type Sink interface {
	// Load reads what the sink holds of a day, with a guard that a later
	// commit is conditional on. Reading writes nothing.
	Load(ctx context.Context, key Key) (Held, error)

	// Close releases what the sink itself opened. Commits under way may fail.
	Close() error
}

// Held is a sink's state of one day at the time it was loaded.
type Held interface {
	// Commit makes the sink hold every window of day, and nothing else of
	// those windows. It returns [ErrConflict], possibly after some windows
	// were committed whole, when the sink's state has moved since Load.
	//
	// A window is never taken back to an older ObservedAt. Readers see a
	// window before or after, never between. After an error or a cancelled
	// context it may have been committed or not: load again and compare.
	Commit(ctx context.Context, day *Day) (Change, error)
}

// ErrConflict means that somebody else committed since Load: load again.
var ErrConflict = errors.New("the sink's state moved since it was read")

// Error is a sink's failure that no retry mends, with what to do about it.
type Error struct {
	Op   string // what was being done to what
	Hint string // the mend, for an operator
	Err  error
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %v: %s", e.Op, e.Err, e.Hint) }
func (e *Error) Unwrap() error { return e.Err }

// Source tells what a sink should hold.
type Source interface {
	// Day folds the journal's record of a day, and gives the sequence of the
	// last message that it includes. The read includes every message that
	// was acknowledged before the call. The Day is shared: do not change it.
	Day(ctx context.Context, key Key) (*Day, uint64, error)
}

// The waits between conflicts. The first retry is at once: most conflicts are
// with a commit that is done by then.
const (
	firstBackoff = 10 * time.Millisecond
	maxBackoff   = time.Second
)

// Converge makes sink hold what source says of a day, and gives the journal
// sequence up to which it does.
//
// The sink's state and guard are read before the journal is: a fold that is
// older than another worker's commit is then refused by the guard. The journal
// is read again after the commit, and the work begun anew if it moved.
// Conflicts are retried until ctx ends, the first at once, the next ones after
// 10 ms doubling up to 1 s; other errors are the caller's to retry. The Change
// counts what was committed before an error, too.
func Converge(ctx context.Context, sink Sink, source Source, key Key) (Change, uint64, error) {
	var total Change
	var backoff time.Duration
	for {
		held, err := sink.Load(ctx, key)
		if err != nil {
			return total, 0, fmt.Errorf("reading the sink's state of %s: %w", key, err)
		}
		day, seq, err := source.Day(ctx, key)
		if err != nil {
			return total, 0, fmt.Errorf("reading the journal's state of %s: %w", key, err)
		}
		change, err := held.Commit(ctx, day)
		total.Add(change)
		if errors.Is(err, ErrConflict) {
			if err := wait(ctx, backoff); err != nil {
				return total, 0, fmt.Errorf("committing %s among conflicts: %w", key, err)
			}
			backoff = min(max(2*backoff, firstBackoff), maxBackoff)
			continue
		}
		if err != nil {
			return total, 0, fmt.Errorf("committing %s: %w", key, err)
		}
		_, now, err := source.Day(ctx, key)
		if err != nil {
			return total, 0, fmt.Errorf("reading the journal's state of %s again: %w", key, err)
		}
		if now == seq {
			return total, seq, nil
		}
	}
}

// wait returns after d, or with ctx's error as soon as that has ended.
func wait(ctx context.Context, d time.Duration) error {
	if d == 0 || ctx.Err() != nil {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
