package extract

import (
	"fmt"
	"time"

	"wolkpipe/pipeline/lease"
)

// TokenBusy is the state of an operation whose next call waits for its token:
// a token that is used twice at once is refused by the source.
const TokenBusy = "token_busy"

// tokenAge is how long a call waits before that is told. Processes that share
// a token wait for each other all the time, but not so long.
const tokenAge = 5 * time.Second

// waitForToken says why calls wait for the token; "" where none does, or not
// for long. What waits for the quota is told otherwise.
func waitForToken(s lease.State, now time.Time) (why string, until *time.Time) {
	if s.Waiting == 0 || now.Sub(s.Since) < tokenAge {
		return "", nil
	}
	if !s.Until.IsZero() {
		until = &s.Until
	}
	switch s.Reason {
	case lease.Busy:
		return "a call got no answer, and the source may still work on it: the token must not be used meanwhile", until
	case lease.Held:
		return "another process uses the token, or was killed with a call open: the token is free when that is over", until
	case lease.NoNATS:
		return fmt.Sprintf("the lease of the token cannot be read or written: %v", s.Err), until
	}
	return "", nil
}
