package chat7

import (
	"compress/gzip"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
)

// answer is a call's outcome that is no failure.
type answer struct {
	op       string
	status   int
	bytes    int       // of the body, decompressed
	envelope *envelope // nil: proven empty
	date     time.Time
	took     time.Duration
}

// fail is an error about what the answer holds.
func (a answer) fail(kind Kind, err error) error {
	failure := &Error{Op: a.op, Kind: kind, Status: a.status, Hint: hints[kind], Err: err}
	if a.envelope != nil {
		failure.Code = a.envelope.code // blank or 200: a success
	}
	return failure
}

// call makes one request and judges its answer. Every error is an *Error.
func (c *Client) call(ctx context.Context, op, path, query string) (answer, error) {
	began := time.Now()
	token, got, failure := c.exchange(ctx, path, query)
	if failure != nil {
		failure.Op = op
		if failure.Hint == "" {
			failure.Hint = hints[failure.Kind]
		}
		failure.Message = clean(failure.Message, token)
		failure.Code = clean(failure.Code, token)
		return answer{}, failure
	}
	got.op, got.took = op, time.Since(began)
	return got, nil
}

func (c *Client) exchange(parent context.Context, path, query string) (token string, _ answer, _ *Error) {
	ctx, cancel := context.WithTimeout(parent, c.options.Timeout)
	defer cancel()
	token, err := c.options.Token(ctx)
	if err != nil {
		if parent.Err() != nil {
			return "", answer{}, ended(parent)
		}
		return "", answer{}, &Error{Kind: Transient, Err: fmt.Errorf("reading the token: %w", scrub(err, token)),
			Hint: "check where the operation's token is kept"}
	}
	if failure := checkToken(token); failure != nil {
		return "", answer{}, failure
	}
	if parent.Err() != nil {
		return token, answer{}, ended(parent)
	}

	var sent tracker
	request, err := c.request(sent.trace(ctx), path, query, token)
	if err != nil {
		return token, answer{}, &Error{Kind: Permanent, Err: err}
	}
	// The transport itself: an http.Client would follow redirects, token and
	// all, and put the URL into its errors.
	response, err := c.options.Transport.RoundTrip(request)
	if err != nil {
		err = scrub(err, token)
		if sent.open() {
			err = fmt.Errorf("the connection was lost before an answer: %w", err)
		}
		return token, answer{}, c.lost(parent, ctx, err, sent.open())
	}
	defer func() { _ = response.Body.Close() }()
	body, err := readBody(response, c.options.MaxBytes)
	if err != nil {
		failure := c.lost(parent, ctx, scrub(err, token), true)
		failure.Status = response.StatusCode
		failure.RetryAfter = retryAfter(response.Header)
		return token, answer{}, failure
	}
	envelope, failure := judge(response.StatusCode, response.Header, body)
	if failure != nil {
		return token, answer{}, failure
	}
	return token, answer{status: response.StatusCode, bytes: len(body), envelope: envelope, date: date(response.Header)}, nil
}

// clean makes what the source said fit to be shown: one short line, and no
// token in it, should the source repeat what it was sent.
func clean(text, token string) string {
	if token == "" {
		return printable(text)
	}
	text = strings.ReplaceAll(text, token, "[token]")
	// Characters that cannot be seen may have hidden it.
	return printable(strings.ReplaceAll(strings.Map(seen, text), token, "[token]"))
}

func seen(r rune) rune {
	if !unicode.IsSpace(r) && !unicode.IsPrint(r) {
		return -1
	}
	return r
}

// scrub is clean for an error: net/http quotes what it could not read.
func scrub(err error, token string) error {
	const longest = 300
	text := err.Error()
	if len(text) > longest || token != "" && strings.Contains(text, token) {
		return errors.New(clean(text, token))
	}
	return err
}

// checkToken refuses what cannot be a header's value, without showing it.
func checkToken(token string) *Error {
	var err error
	switch {
	case token == "":
		err = errors.New("the token is empty")
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		err = errors.New("the token holds a space, a line end or another character that no token has")
	default:
		return nil
	}
	return &Error{Kind: BadToken, Err: err, Hint: "put the token alone where the operation's token is kept"}
}

func (c *Client) request(ctx context.Context, path, query, token string) (*http.Request, error) {
	u := c.base.JoinPath(path)
	u.RawQuery = query
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, errors.New("the url makes no request: check the operation's server or url")
	}
	// Nothing is sent for a body that ends at once, but net/http no longer
	// takes the request for one that it may repeat on a new connection.
	request.Body = io.NopCloser(strings.NewReader(""))
	request.Header = http.Header{
		"Wolkvox-Token":   {token},
		"Accept":          {"application/json"},
		"Accept-Encoding": {"gzip"},
		"User-Agent":      {c.options.UserAgent},
	}
	return request, nil
}

// tracker sees whether a request may have reached the server. The hooks that
// tell of writing run beside the call and may come late; that a connection was
// handed to the request is known before anything is written.
type tracker struct{ sought, had atomic.Bool }

func (t *tracker) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { t.sought.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { t.had.Store(true) },
	})
}

// open is true unless a transport that tells was still connecting.
func (t *tracker) open() bool { return t.had.Load() || !t.sought.Load() }

// ended is the failure of a call whose caller gave up before it was made.
func ended(parent context.Context) *Error {
	return &Error{Kind: Canceled, Err: parent.Err()}
}

// lost is the failure of a call that got no whole answer.
func (c *Client) lost(parent, ctx context.Context, err error, open bool) *Error {
	failure := &Error{Kind: Transient, Err: err, Unanswered: open}
	switch {
	case parent.Err() != nil:
		failure.Kind, failure.Err = Canceled, parent.Err()
	case ctx.Err() != nil && open:
		failure.Kind, failure.Err = Timeout, fmt.Errorf("no whole answer within %v", c.options.Timeout)
	case ctx.Err() != nil:
		failure.Err = fmt.Errorf("no connection within %v", c.options.Timeout)
		failure.Hint = hintConnect
	case errors.As(err, new(*http.MaxBytesError)):
		failure.Kind, failure.Err = TooLarge, fmt.Errorf("the answer has more than %d bytes", c.options.MaxBytes)
	case !open:
		failure.Err = fmt.Errorf("connecting: %w", err)
		failure.Hint = hintConnect
		var certificate x509.CertificateInvalidError
		if errors.As(err, &certificate) && certificate.Reason == x509.Expired {
			failure.Hint = hintExpired
		}
	}
	return failure
}

const hintExpired = "have the source's certificate renewed, or set this machine's clock"

const hintConnect = "check the network, the operation's server or url, and that this machine's address is on the server's list of allowed ones"

// readBody reads an answer to its end, undoing gzip; limit holds for the bytes
// that are received and for those that they become.
func readBody(response *http.Response, limit int64) ([]byte, error) {
	if response.ContentLength > limit {
		return nil, &http.MaxBytesError{Limit: limit}
	}
	body := http.MaxBytesReader(nil, response.Body, limit)
	switch encoding := strings.ToLower(strings.TrimSpace(response.Header.Get("Content-Encoding"))); encoding {
	case "", "identity":
	case "gzip", "x-gzip":
		unzipped, err := gzip.NewReader(body)
		if errors.Is(err, io.EOF) {
			return nil, nil // no bytes at all: an empty answer
		}
		if err != nil {
			return nil, fmt.Errorf("decompressing the answer: %w", err)
		}
		body = http.MaxBytesReader(nil, unzipped, limit)
	default:
		return nil, fmt.Errorf("the answer is encoded as %q, which was not asked for", printable(encoding))
	}
	all, err := io.ReadAll(body)
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	return all, nil
}

// target names the host that a redirect leads to.
func target(h http.Header) string {
	u, err := url.Parse(h.Get("Location"))
	if err != nil || u.Host == "" {
		return ""
	}
	return ": to " + printable(u.Host)
}
