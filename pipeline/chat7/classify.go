package chat7

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// messageRead is how much is looked at of what an answer says.
const messageRead = 4 << 10

// judge decides what an answer read to its end means. It gives the envelope of
// a success, nil for a proof that there is nothing, and else the failure, with
// Code and Message still as the source sent them.
func judge(status int, header http.Header, body []byte) (*envelope, *Error) {
	e, err := decode(body)
	fail := &Error{Status: status, Code: e.code, RetryAfter: retryAfter(header)}
	if fail.Message = strings.TrimSpace(e.error + " " + e.msg); fail.Message == "" {
		fail.Message = string(body[:min(len(body), messageRead)])
	}
	fail.Message = fail.Message[:min(len(fail.Message), messageRead)]
	switch {
	case status >= 300 && status < 400:
		fail.Kind = Transient
		fail.Err = errors.New("the server redirects, which is not followed so that the token stays with it" + target(header))
		fail.Hint = "set the operation's server or url to the address that answers itself"
		return nil, fail
	case status >= 500:
		// Whatever the body says: a proxy may keep an old one.
		fail.Kind, fail.Err = Transient, errors.New("the server failed")
		return nil, fail
	case status == http.StatusOK || status == http.StatusNotFound:
		return judgeEnvelope(status, &e, err, fail)
	}
	fail.Kind, fail.Hint = refusal(status, fail.Message, err == nil && e.vendors)
	return nil, fail
}

// judgeEnvelope judges HTTP 200 and 404, where the body decides.
func judgeEnvelope(status int, e *envelope, unreadable error, fail *Error) (*envelope, *Error) {
	code, _ := strconv.Atoi(e.code) // 0 for what is no number
	fail.Kind = Transient
	switch {
	case unreadable != nil:
		fail.Err = unreadable
		foreign := errors.Is(unreadable, errNoBody) || errors.Is(unreadable, errNotJSON)
		if errors.Is(unreadable, errPage) || foreign && status == http.StatusNotFound {
			fail.Hint = hintServer
		}
		return nil, fail
	case status == http.StatusOK && e.ok():
		if !e.noData() {
			return e, nil
		}
		if e.vendors {
			return nil, nil
		}
		fail.Err = errors.New("the answer has no rows and no code that says so")
		return nil, fail
	}
	kind, known := spoken(fail.Message)
	switch {
	case code == http.StatusNotFound && e.vendors && e.noData() && !known:
		return nil, nil
	case known && code != http.StatusNotFound:
		fail.Kind = kind
	case !e.vendors:
		fail.Err = errors.New("the answer is not the source's envelope")
		fail.Hint = hintServer
	case code == http.StatusNotFound, code == http.StatusOK, e.blank():
		fail.Err = errors.New("the answer contradicts itself")
	case code >= 500:
		fail.Err = errors.New("the source failed")
	case code >= 400:
		fail.Kind, fail.Hint = refusal(code, fail.Message, true)
	default:
		fail.Err = errors.New("the answer's code is not known")
	}
	return nil, fail
}

// refusal tells a 4xx by its number and message. A number alone is believed
// only of the source itself: something before it may refuse too, for a while.
func refusal(code int, message string, vendors bool) (Kind, string) {
	if kind, known := spoken(message); known {
		return kind, ""
	}
	switch {
	case code == http.StatusForbidden, code == http.StatusUnauthorized && !vendors:
		return UnknownForbidden, ""
	case code == http.StatusUnauthorized:
		return BadToken, ""
	case code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code == http.StatusTooEarly:
		return Transient, ""
	case code == http.StatusProxyAuthRequired:
		return Transient, "the proxy wants credentials: put them into HTTPS_PROXY"
	case code >= 400 && vendors:
		return Permanent, ""
	}
	return Transient, hintServer
}

// spoken tells the failures that only their message tells, in the source's
// wording or near it. The order matters: the concurrency message speaks of a
// limit and a token too.
func spoken(message string) (Kind, bool) {
	words := strings.ToUpper(strings.Join(strings.Fields(message), " "))
	has := func(all ...string) bool {
		for _, word := range all {
			if !strings.Contains(words, word) {
				return false
			}
		}
		return true
	}
	switch {
	case has("SIMULTANE"), has("SIMULTÁNE"):
		return Concurrency, true
	case has("TOKEN LIMIT"), has("TOKEN", "LIMIT", "EXCEED"), has("LÍMITE", "TOKEN"), has("LIMITE", "TOKEN"):
		return Quota, true
	case has("VALIDATE", "TOKEN"), has("PLEASE ENTER", "TOKEN"), has("INVALID TOKEN"), has("VALIDE", "TOKEN"), has("VALIDAR", "TOKEN"):
		return BadToken, true
	case has("MAINTENANCE"), has("MANTENIMIENTO"), has("BACKUP"), has("BACK-UP"), has("BACKING UP"),
		has("COPIA DE SEGURIDAD"), has("RESPALDO"):
		return Maintenance, true
	}
	return "", false
}

const retryAfterMax = time.Hour

// retryAfter reads Retry-After, in seconds or as a date. A date is compared
// with the answer's own, so that the two clocks need not agree.
func retryAfter(h http.Header) time.Duration {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if value == "" {
		return 0
	}
	if strings.Trim(value, "0123456789") == "" {
		seconds, err := strconv.ParseInt(value, 10, 32)
		if err != nil { // too many digits
			return retryAfterMax
		}
		return min(time.Duration(seconds)*time.Second, retryAfterMax)
	}
	until, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	now := date(h)
	if now.IsZero() {
		now = time.Now()
	}
	return max(0, min(until.Sub(now), retryAfterMax))
}

// date is the answer's Date header, zero if it is absent or unreadable.
func date(h http.Header) time.Time {
	t, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return t
}
