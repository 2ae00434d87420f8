package chat7

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"wolkpipe/pipeline/window"
)

// Options say where and how to ask.
type Options struct {
	Server    string                                    // the digits of https://wv<server>.wolkvox.com, or
	BaseURL   string                                    // a base URL in its place; a path prefix is kept
	Token     func(ctx context.Context) (string, error) // asked before every call; gives it trimmed
	Exclusive bool                                      // this server takes date_end as exclusive
	Transport http.RoundTripper                         // nil: NewTransport()
	Timeout   time.Duration                             // of a whole call; 0: 60 s
	MaxBytes  int64                                     // of an answer, decompressed; 0: 256 MB
	RowCap    int                                       // that many rows or more are not trusted; 0: 60,000
	UserAgent string                                    // "": wolkpipe
}

// What the vendor's documentation limits an answer to.
const (
	defaultTimeout  = 60 * time.Second
	defaultMaxBytes = 256 << 20
	defaultRowCap   = 60_000
)

// Client asks one server with one token. Its methods may be called from
// several goroutines; that one token has one call in flight is the caller's to
// see to.
type Client struct {
	options Options
	base    *url.URL
}

// New checks the options; its errors name the mend. It makes no connection.
func New(o Options) (*Client, error) {
	address := o.BaseURL
	switch {
	case o.Server != "" && o.BaseURL != "":
		return nil, errors.New("both a server and a url are given: leave one of them out")
	case o.Server == "" && o.BaseURL == "":
		return nil, errors.New("neither a server nor a url is given: set server to the digits of https://wv<server>.wolkvox.com")
	case o.BaseURL == "":
		var err error
		if address, err = BaseURL(o.Server); err != nil {
			return nil, err
		}
	}
	base, err := parseBase(address)
	if err != nil {
		return nil, err
	}
	switch {
	case o.Token == nil:
		return nil, errors.New("no source of the token is given")
	case o.Timeout < 0 || o.MaxBytes < 0 || o.RowCap < 0:
		return nil, errors.New("a limit is negative: use 0 for its default")
	case strings.ContainsFunc(o.UserAgent, unprintableASCII):
		return nil, errors.New("the user agent holds characters that are not printable ASCII")
	}
	if o.Transport == nil {
		o.Transport = NewTransport()
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = defaultMaxBytes
	}
	if o.RowCap == 0 {
		o.RowCap = defaultRowCap
	}
	if o.UserAgent == "" {
		o.UserAgent = "wolkpipe"
	}
	return &Client{o, base}, nil
}

func unprintableASCII(r rune) bool { return r < ' ' || r > '~' }

// BaseURL is the address of the server that the digits name. Nothing but
// digits is taken, so that no configuration can name another host by it.
func BaseURL(server string) (string, error) {
	const longest = 16
	if server == "" || len(server) > longest || strings.Trim(server, "0123456789") != "" {
		return "", fmt.Errorf("server %q is not 1 to %d digits, those of https://wv<server>.wolkvox.com: "+
			"give another address as url", printable(server), longest)
	}
	return "https://wv" + server + ".wolkvox.com", nil
}

// parseBase reads a base URL. Its errors repeat neither user information nor
// a query, where a secret might stand.
func parseBase(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("the url cannot be read: use the form https://host/prefix")
	}
	shown := printable(u.Scheme + "://" + u.Host)
	switch {
	case u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "", u.Opaque != "":
		return nil, errors.New("the url is not of the form https://host/prefix")
	case u.User != nil:
		return nil, fmt.Errorf("url %s holds a user or a password: leave them out, the token is set on its own", shown)
	case u.RawQuery != "" || u.ForceQuery:
		return nil, fmt.Errorf("url %s has a query: leave out what begins at the question mark", shown)
	case strings.Contains(address, "#"):
		return nil, fmt.Errorf("url %s has a fragment: leave out what begins at the #", shown)
	}
	return u, nil
}

// NewTransport is the transport of a Client that is given none: HTTP/1.1, the
// proxy of the environment, limits on connecting. Wrap it to observe calls.
func NewTransport() *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout: 10 * time.Second,
		Protocols:           protocols,
		DisableCompression:  true, // asked for and undone by the client, within its limit
		MaxIdleConnsPerHost: 1,
		// Shorter than the shortest common patience of a server, 5 s: a
		// connection that the server closes under a request costs its caller a
		// minute, a new one a few round trips.
		IdleConnTimeout: 4 * time.Second,
	}
}

// Answer is what the source said of a range.
type Answer struct {
	// Rows are JSON values as sent, sharing the answer's memory; do not change
	// them. None: the source proved that the range is empty.
	Rows []json.RawMessage
	Date time.Time     // the answer's Date header, zero if absent
	Took time.Duration // from the call to its last byte

	Status int // HTTP
	Bytes  int // of the body, decompressed
}

// Rows asks chat_7 for a range of wall-clock time: how many interactions were
// closed in it, by agent and code. The range holds at least a second; the
// source takes at most 31 days.
//
// An error is an [*Error].
func (c *Client) Rows(ctx context.Context, r window.Range) (Answer, error) {
	op := "chat_7 " + r.String()
	if r.Empty() {
		return Answer{}, &Error{Op: op, Kind: Permanent, Err: errors.New("the range holds no second"), Hint: "ask from an earlier to a later time"}
	}
	last := r.To - 1
	if c.options.Exclusive {
		last = r.To
	}
	query := "api=chat_7&date_ini=" + r.From.Compact() + "&date_end=" + last.Compact()
	got, err := c.call(ctx, op, "api/v2/reports_manager.php", query)
	if err != nil {
		return Answer{}, err
	}
	rows, err := c.list(got)
	if err != nil {
		return Answer{}, err
	}
	return Answer{Rows: rows, Date: got.date, Took: got.took, Status: got.status, Bytes: got.bytes}, nil
}

// list gives the rows of an answer, none for a proven empty one.
func (c *Client) list(got answer) ([]json.RawMessage, error) {
	if got.envelope == nil {
		return nil, nil
	}
	rows, full, err := got.envelope.list(c.options.RowCap)
	switch {
	case err != nil:
		return nil, got.fail(Transient, err)
	case full:
		return nil, got.fail(Truncated, fmt.Errorf("the answer has %d rows or more, the most the source gives", c.options.RowCap))
	}
	return rows, nil
}
