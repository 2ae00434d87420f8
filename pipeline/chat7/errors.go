package chat7

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
)

// Kind is what a caller decides by. It is fit for a metric's label.
type Kind string

// The kinds of failure.
const (
	// BadToken: refused until the token is replaced.
	BadToken Kind = "bad_token"
	// Quota: the day's calls are used up; wait for the reset.
	Quota Kind = "quota"
	// Concurrency: somebody else is using the token; retry soon.
	Concurrency Kind = "concurrency"
	// Maintenance: the source is down by its own account; retry later.
	Maintenance Kind = "maintenance"
	// UnknownForbidden: a 401 or 403 with a message that nobody has seen yet;
	// retry with back-off, and show it.
	UnknownForbidden Kind = "unknown_forbidden"
	// Permanent: the source understood the request and will not answer it.
	Permanent Kind = "permanent"
	// Transient: no connection, a cut, unreadable or contradictory answer, a
	// failure of the source or of something before it; retry with back-off.
	Transient Kind = "transient"
	// Timeout: connected, but no whole answer in time; split the range.
	Timeout Kind = "timeout"
	// Truncated: as many rows as the source gives at most; split the range.
	Truncated Kind = "truncated"
	// TooLarge: more bytes than are accepted; split the range.
	TooLarge Kind = "too_large"
	// Canceled: the caller's context ended; Err wraps the context's error.
	Canceled Kind = "canceled"
)

// hints are the mends that need no more than the kind to be told.
var hints = map[Kind]string{
	BadToken:         "replace the operation's token with one that this server issued",
	Quota:            "the day's calls are used up: wait for the reset, or share the token with fewer users",
	Concurrency:      "another program uses this token at the same time: give each its own",
	Maintenance:      "nothing to mend here: the source is in maintenance and will be asked again",
	UnknownForbidden: "the source refuses for a reason not known here: read its message, and ask its support if it lasts",
	Permanent:        "the source will not answer this request: compare its message with the server and url of the operation",
	Transient:        "nothing to mend unless it lasts: it will be asked again",
	Timeout:          "ask for a shorter range",
	Truncated:        "ask for a shorter range",
	TooLarge:         "ask for a shorter range",
	Canceled:         "the caller gave up",
}

// hintServer is the mend where something other than the API answers.
const hintServer = "what answers is not the wolkvox API: check the operation's server or url"

// Error is a call that gave no answer to rely on.
type Error struct {
	Op      string // the call and its range: "chat_7 2026-11-01T00:00:00/2026-11-01T00:05:00"
	Kind    Kind
	Status  int    // HTTP, 0 when no answer came
	Code    string // the body's own code, "" when it has none
	Message string // what the source said, at most 200 printable characters

	// RetryAfter is how long the source asks to be left alone, 0 to 1 h.
	RetryAfter time.Duration
	Hint       string // the mend, for an operator
	Err        error  // the cause, if there is one besides the answer itself

	// Unanswered is what Open reports.
	Unanswered bool
}

// Error names the call, the kind, what the source said, and the mend.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Op != "" {
		b.WriteString(e.Op + ": ")
	}
	b.WriteString(strings.ReplaceAll(string(e.Kind), "_", " "))
	switch {
	case e.Status != 0 && e.Code != "":
		fmt.Fprintf(&b, " (HTTP %d, code %s)", e.Status, e.Code)
	case e.Status != 0:
		fmt.Fprintf(&b, " (HTTP %d)", e.Status)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	if e.Message != "" {
		fmt.Fprintf(&b, ": %q", e.Message)
	}
	if e.Hint != "" {
		b.WriteString(": " + e.Hint)
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Open reports whether the source may still be working on the call: a
// connection was there to write the request to, and no whole answer came back.
// Nobody may use the token before that call's 60 s are over. It can be true of
// Timeout, Canceled, Transient and TooLarge, and of a refusal whose body was
// cut.
func (e *Error) Open() bool { return e.Unanswered }

// KindOf is the kind of err, or "" where err is not of this package.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return ""
}

const messageLimit = 200

// printable folds s into one line of at most 200 characters.
func printable(s string) string {
	var b strings.Builder
	n, space := 0, false
	for _, r := range s {
		if unicode.IsSpace(r) {
			space = n > 0
			continue
		}
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			continue
		}
		if space && n < messageLimit {
			b.WriteByte(' ')
			n++
		}
		space = false
		if n >= messageLimit {
			break
		}
		b.WriteRune(r)
		n++
	}
	return strings.TrimRight(b.String(), " ")
}
