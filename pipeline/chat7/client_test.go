package chat7

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"wolkpipe/pipeline/window"
)

// secret is the token of every test: it may stand in one header and nowhere
// else.
const secret = "s3cr3t-T0ken.of/tests+=="

func tokenOf(token string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return token, nil }
}

// noon is a range of five minutes.
var noon = func() window.Range {
	from := window.DateOf(2026, time.November, 3).Start() + 12*60*60
	return window.Range{From: from, To: from + 300}
}()

// serve starts a server and gives a client of it.
func serve(t *testing.T, change func(*Options), handler http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return clientOf(t, server.URL, change)
}

func clientOf(t *testing.T, address string, change func(*Options)) *Client {
	t.Helper()
	transport := NewTransport()
	transport.Proxy = nil
	t.Cleanup(transport.CloseIdleConnections)
	o := Options{BaseURL: address, Token: tokenOf(secret), Transport: transport}
	if change != nil {
		change(&o)
	}
	client, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// failureOf wants err to be an *Error of a kind that keeps the token and the
// URL to itself, names the call and tells a mend.
func failureOf(t *testing.T, err error, kind Kind) *Error {
	t.Helper()
	failure, ok := err.(*Error)
	if !ok {
		t.Fatalf("%v (%T) is no *Error", err, err)
	}
	if failure.Kind != kind {
		t.Fatalf("kind %s, want %s: %v", failure.Kind, kind, err)
	}
	for _, text := range []string{err.Error(), fmt.Sprintf("%+v", failure), fmt.Sprintf("%#v %+v", *failure, failure.Err)} {
		if strings.Contains(text, secret) {
			t.Fatalf("the token is in %s", text)
		}
		if strings.Contains(text, "date_ini=") {
			t.Fatalf("the URL's query is in %s", text)
		}
	}
	if failure.Op == "" || failure.Hint == "" || !strings.HasPrefix(err.Error(), failure.Op+": ") {
		t.Fatalf("no call or no mend in %q", err)
	}
	return failure
}

func TestRequest(t *testing.T) {
	for _, c := range []struct {
		name      string
		prefix    string
		exclusive bool
		want      string
	}{
		{"plain", "", false, "/api/v2/reports_manager.php?api=chat_7&date_ini=20261103120000&date_end=20261103120459"},
		{"slash", "/", false, "/api/v2/reports_manager.php?api=chat_7&date_ini=20261103120000&date_end=20261103120459"},
		{"prefix", "/a/b%20c", false, "/a/b%20c/api/v2/reports_manager.php?api=chat_7&date_ini=20261103120000&date_end=20261103120459"},
		{"prefix and slash", "/a/b/", true, "/a/b/api/v2/reports_manager.php?api=chat_7&date_ini=20261103120000&date_end=20261103120500"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got *http.Request
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got = r.Clone(context.Background())
				w.Header().Set("Content-Type", "text/html")
				w.Header().Set("Date", "Tue, 03 Nov 2026 17:05:01 GMT")
				_, _ = fmt.Fprint(w, `{"code":200,"data":[`+row+`]}`)
			}))
			defer server.Close()
			client := clientOf(t, server.URL+c.prefix, func(o *Options) { o.Exclusive = c.exclusive; o.UserAgent = "wolkpipe/test" })
			answer, err := client.Rows(t.Context(), noon)
			if err != nil {
				t.Fatal(err)
			}
			if len(answer.Rows) != 1 || string(answer.Rows[0]) != row {
				t.Errorf("rows %s", answer.Rows)
			}
			if want := time.Date(2026, 11, 3, 17, 5, 1, 0, time.UTC); !answer.Date.Equal(want) {
				t.Errorf("date %v, want %v", answer.Date, want)
			}
			if answer.Took <= 0 {
				t.Errorf("took %v", answer.Took)
			}
			if got.RequestURI != c.want || got.Method != http.MethodGet {
				t.Errorf("%s %s, want GET %s", got.Method, got.RequestURI, c.want)
			}
			if got.Header.Get("wolkvox-token") != secret || got.UserAgent() != "wolkpipe/test" {
				t.Errorf("headers %v", got.Header)
			}
			if got.ContentLength != 0 || len(got.TransferEncoding) != 0 || got.Header.Get("Content-Length") != "" {
				t.Errorf("a body was announced: %d, %v, %v", got.ContentLength, got.TransferEncoding, got.Header)
			}
		})
	}
}

func TestEmptyRangeIsNotAsked(t *testing.T) {
	client := serve(t, nil, func(http.ResponseWriter, *http.Request) { t.Error("asked") })
	_, err := client.Rows(t.Context(), window.Range{From: noon.From, To: noon.From})
	if failureOf(t, err, Permanent).Open() {
		t.Error("open")
	}
}

func TestRowCap(t *testing.T) {
	rows := 3
	client := serve(t, func(o *Options) { o.RowCap = 3 }, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"code":200,"data":[%s]}`, strings.TrimSuffix(strings.Repeat(row+",", rows), ","))
	})
	for rows = 3; rows <= 5; rows++ {
		_, err := client.Rows(t.Context(), noon)
		if failureOf(t, err, Truncated).Open() {
			t.Error("open")
		}
	}
	rows = 2
	if answer, err := client.Rows(t.Context(), noon); err != nil || len(answer.Rows) != 2 {
		t.Errorf("%d rows, %v", len(answer.Rows), err)
	}
}

func TestBaseURL(t *testing.T) {
	for server, want := range map[string]string{
		"0042": "https://wv0042.wolkvox.com",
		"7":    "https://wv7.wolkvox.com",
	} {
		if got, err := BaseURL(server); err != nil || got != want {
			t.Errorf("%q: %q, %v", server, got, err)
		}
	}
	for _, server := range []string{"", " 1", "1 ", "1.evil.example/", "1/", "1#", "1?", "1@evil.example", "a", "-1", "+1", "١", "1\n", "1%2f",
		strings.Repeat("1", 17)} {
		got, err := BaseURL(server)
		if err == nil || !strings.Contains(err.Error(), "url") {
			t.Errorf("%q: %q, %v", server, got, err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	token := tokenOf(secret)
	for name, c := range map[string]struct {
		o    Options
		want string
	}{
		"nothing":           {Options{Token: token}, "set server"},
		"both":              {Options{Server: "1", BaseURL: "http://h", Token: token}, "leave one"},
		"server":            {Options{Server: "1.evil.example", Token: token}, "digits"},
		"no token":          {Options{Server: "1"}, "token"},
		"user":              {Options{BaseURL: "https://u:" + secret[:6] + "@h/", Token: token}, "user or a password"},
		"user alone":        {Options{BaseURL: "https://u@h/", Token: token}, "user or a password"},
		"query":             {Options{BaseURL: "https://h/?t=" + secret, Token: token}, "query"},
		"question mark":     {Options{BaseURL: "https://h/?", Token: token}, "query"},
		"fragment":          {Options{BaseURL: "https://h/#" + secret, Token: token}, "fragment"},
		"fragment mark":     {Options{BaseURL: "https://h/#", Token: token}, "fragment"},
		"scheme":            {Options{BaseURL: "ftp://h/", Token: token}, "https://host"},
		"no scheme":         {Options{BaseURL: "h.example/x", Token: token}, "https://host"},
		"no host":           {Options{BaseURL: "https:///x", Token: token}, "https://host"},
		"port alone":        {Options{BaseURL: "http://:80/x", Token: token}, "https://host"},
		"opaque":            {Options{BaseURL: "http:h", Token: token}, "https://host"},
		"unreadable":        {Options{BaseURL: "https://h\n/" + secret, Token: token}, "https://host"},
		"negative time-out": {Options{Server: "1", Token: token, Timeout: -1}, "negative"},
		"negative bytes":    {Options{Server: "1", Token: token, MaxBytes: -1}, "negative"},
		"negative rows":     {Options{Server: "1", Token: token, RowCap: -1}, "negative"},
		"user agent":        {Options{Server: "1", Token: token, UserAgent: "a\r\nb: c"}, "ASCII"},
	} {
		client, err := New(c.o)
		if err == nil || client != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		} else if strings.Contains(err.Error(), secret[:6]) {
			t.Errorf("%s: a secret is in %v", name, err)
		}
	}
	if _, err := New(Options{Server: "0042", Token: token}); err != nil {
		t.Error(err)
	}
}
