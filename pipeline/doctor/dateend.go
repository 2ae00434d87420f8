package doctor

import (
	"context"

	"wolkpipe/pipeline/window"
)

// seconds are two instants as they are sent, date_ini and date_end.
type seconds struct{ ini, end window.Local }

// between asks with exactly these two instants, and reports whether there are
// interactions. Whether one at the end itself counts is what is to be found
// out.
func (e *exam) between(ctx context.Context, ini, end window.Local) (bool, error) {
	got, err := e.rows(ctx, window.Range{From: ini, To: end + 1})
	return got.some(), err
}

// narrowings bounds how often a false answer may lead the search astray.
const narrowings = 3

// dateEnd finds out whether date_end is in the answer, and gives the second at
// which it did: it, or the one after it, holds an interaction. r is known to
// have some.
func (e *exam) dateEnd(ctx context.Context, r window.Range) (window.Local, error) {
	e.Progress("finding out whether date_end is included, on " + r.From.Date().String())
	at, found, err := e.narrow(ctx, seconds{r.From, r.To - 1})
	if err != nil {
		return 0, err
	}
	if !found {
		e.note("whether date_end is included could not be found out, since answers contradicted each other: run doctor again")
		return 0, nil
	}
	for range 2 {
		// One of the two seconds has an interaction. Only a source that takes
		// the end as included gives rows between a second and itself.
		for _, second := range []window.Local{at, at + 1} {
			rows, err := e.between(ctx, second, second)
			if err != nil {
				return 0, err
			}
			if rows {
				e.found.ExclusiveEnd = new(false)
				return second, nil
			}
		}
		// Both are empty: the end is left out, unless the source has just
		// turned empty altogether.
		rows, err := e.between(ctx, at, at+1)
		if err != nil {
			return 0, err
		}
		if !rows {
			e.note("whether date_end is included could not be found out, since an answer with rows turned empty: run doctor again")
			return 0, nil
		}
	}
	e.found.ExclusiveEnd = new(true)
	e.exclusive = true
	return at, nil
}

// narrow halves a range that has interactions down to two neighbouring
// seconds that do, when asked with them as date_ini and date_end.
//
// It goes right under both readings of date_end: with m between a and b, an
// empty answer to (a, m) means that nothing is in [a, m] or nothing in [a, m),
// so what the answer to (a, b) told of is in [m+1, b] or in [m, b): in the
// answer to (m, b), either way, which need not be asked. Where an answer was
// empty by mistake the end does not have rows, and the search goes back to what
// last had.
func (e *exam) narrow(ctx context.Context, known seconds) (at window.Local, found bool, err error) {
	for range narrowings {
		now := known
		for now.end-now.ini > 1 {
			middle := now.ini + (now.end-now.ini)/2
			rows, err := e.between(ctx, now.ini, middle)
			switch {
			case err != nil:
				return 0, false, err
			case rows:
				now.end = middle
				known = now
			default:
				now.ini = middle
			}
		}
		rows, err := e.between(ctx, now.ini, now.end)
		if err != nil || rows {
			return now.ini, rows, err
		}
	}
	return 0, false, nil
}
