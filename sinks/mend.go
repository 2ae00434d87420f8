package sinks

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Mend audits days of an operation and makes the store hold what source says
// of them; the Changes are of the days on which something was written.
//
// All days are audited at once. A day of which the store or the journal has
// moved meanwhile is audited again, as [Converge] does and with its waits,
// until ctx ends. Other errors end it; what was mended before stays mended.
func Mend(ctx context.Context, auditor Auditor, source Source, operation string, days []string) (map[string]Change, error) {
	total := make(map[string]Change)
	var backoff time.Duration
	for {
		audited, err := auditor.Audit(ctx, operation, days)
		if err != nil {
			return total, fmt.Errorf("auditing %d days of %s: %w", len(days), operation, err)
		}
		var moved []string
		for _, day := range days {
			key := Key{operation, day}
			change, again, err := mend(ctx, audited[day], source, key)
			if change != (Change{}) {
				change.Add(total[day])
				total[day] = change
			}
			if err != nil {
				return total, err
			}
			if again {
				moved = append(moved, day)
			}
		}
		if days = moved; len(days) == 0 {
			return total, nil
		}
		if err := wait(ctx, backoff); err != nil {
			return total, fmt.Errorf("mending %d days of %s among conflicts: %w", len(days), operation, err)
		}
		backoff = min(max(2*backoff, firstBackoff), maxBackoff)
	}
}

// mend mends one day and tells whether it has to be audited again.
func mend(ctx context.Context, audited *Audited, source Source, key Key) (change Change, again bool, err error) {
	day, seq, err := source.Day(ctx, key)
	if err != nil {
		return change, false, fmt.Errorf("reading the journal's state of %s: %w", key, err)
	}
	change, err = audited.Mend(ctx, day)
	if errors.Is(err, ErrConflict) {
		return change, true, nil
	}
	if err != nil {
		return change, false, fmt.Errorf("mending %s: %w", key, err)
	}
	_, now, err := source.Day(ctx, key)
	if err != nil {
		return change, false, fmt.Errorf("reading the journal's state of %s again: %w", key, err)
	}
	return change, now != seq, nil
}
