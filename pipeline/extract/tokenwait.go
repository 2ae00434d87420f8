package extract

import (
	"fmt"
	"time"

	"wolkpipe/pipeline/lease"
)

// TokenBusy is the state of an operation whose next call waits for its token:
// a token that is used twice at once is refused by the source.
const TokenBusy = "token_busy"

// tokenAge is how long a call waits before that is told.
const tokenAge = 5 * time.Second

// waitForToken says why calls wait for the token; "" where none does, or not
// for long. What waits for the quota is told otherwise. A replica waits for as
// long as another one has the lease, and nothing is wrong with that; somebody
// who asked for a backfill (fill) wants to know.
func waitForToken(s lease.State, fill bool, now time.Time) (why string, until *time.Time) {
	if s.Waiting == 0 || now.Sub(s.Since) < tokenAge {
		return "", nil
	}
	if !s.Until.IsZero() {
		until = &s.Until
	}
	switch {
	case s.Reason == lease.Busy:
		return "a call got no answer, and the source may still work on it: the token must not be used meanwhile", until
	case s.Reason == lease.Held && s.Former:
		return "the process before this one ended with a call open, and the source may still work on it: the token must not be used meanwhile", until
	case s.Reason == lease.Held && fill:
		return "another process uses the token, or was killed with a call open: the token is free when that is over", until
	case s.Reason == lease.NoNATS:
		return fmt.Sprintf("the lease of the token cannot be read or written: %v", s.Err), until
	}
	return "", nil
}
