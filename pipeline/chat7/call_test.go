package chat7

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

const full = `{"code":200,"error":null,"msg":"","data":[` + row + `]}`

func TestRedirectIsNotFollowed(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("followed, with %v", r.Header)
	}))
	defer other.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		client := serve(t, nil, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL+"/login?t="+secret, status)
		})
		_, err := client.Rows(t.Context(), noon)
		failure := failureOf(t, err, Transient)
		if failure.Open() || !strings.Contains(err.Error(), strings.TrimPrefix(other.URL, "http://")) {
			t.Errorf("%v, open %v", err, failure.Open())
		}
	}
}

func TestTimeout(t *testing.T) {
	for _, begin := range []string{"", `{"code":404,"msg":"","data":[]`} {
		release := make(chan struct{})
		client := serve(t, func(o *Options) { o.Timeout = 50 * time.Millisecond }, func(w http.ResponseWriter, _ *http.Request) {
			if begin != "" {
				_, _ = io.WriteString(w, begin)
				w.(http.Flusher).Flush()
			}
			<-release
		})
		_, err := client.Rows(t.Context(), noon)
		close(release)
		if !failureOf(t, err, Timeout).Open() {
			t.Errorf("after %q: not open", begin)
		}
		if errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after %q: the client's own limit passes for the caller's", begin)
		}
	}
}

// silent is a transport that never answers and tells nothing of connections.
type silent struct{}

func (silent) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestTimeoutCoversTheCall(t *testing.T) {
	for given, want := range map[time.Duration]time.Duration{0: time.Minute, 5 * time.Second: 5 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			client := clientOf(t, "http://h", func(o *Options) {
				o.Transport, o.Timeout = silent{}, given
				o.Token = func(context.Context) (string, error) {
					time.Sleep(2 * time.Second) // of the bubble's clock
					return secret, nil
				}
			})
			began := time.Now()
			_, err := client.Rows(t.Context(), noon)
			if !failureOf(t, err, Timeout).Open() {
				t.Error("not open")
			}
			if took := time.Since(began); took != want {
				t.Errorf("gave up after %v, want %v", took, want)
			}
		})
	}
}

func TestCancelled(t *testing.T) {
	for _, begin := range []string{"", `{"code":404`} {
		ctx, cancel := context.WithCancel(t.Context())
		release := make(chan struct{})
		client := serve(t, nil, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, begin)
			w.(http.Flusher).Flush()
			cancel()
			<-release
		})
		_, err := client.Rows(ctx, noon)
		close(release)
		if !failureOf(t, err, Canceled).Open() || !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	client := serve(t, nil, func(http.ResponseWriter, *http.Request) { t.Error("asked") })
	_, err := client.Rows(ctx, noon)
	if failureOf(t, err, Canceled).Open() || !errors.Is(err, context.Canceled) {
		t.Errorf("before the call: %v", err)
	}
}

// answering is a server of raw connections: it reads one request at a time
// and answers it with the next text, then closes where there is none left.
func answering(t *testing.T, requests *atomic.Int32, texts ...string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			reader := bufio.NewReader(conn)
			for {
				if _, err := http.ReadRequest(reader); err != nil {
					break
				}
				n := int(requests.Add(1))
				if n > len(texts) || texts[n-1] == "" {
					break
				}
				_, _ = io.WriteString(conn, texts[n-1])
				if n == len(texts) {
					break
				}
			}
			_ = conn.Close()
		}
	}()
	return "http://" + listener.Addr().String()
}

func sized(body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// A kept connection that is lost under a request must not make net/http send
// the request again: the source would work on two.
func TestNothingIsSentTwice(t *testing.T) {
	var requests atomic.Int32
	client := clientOf(t, answering(t, &requests, sized(full), "", sized(full)), nil)
	if _, err := client.Rows(t.Context(), noon); err != nil {
		t.Fatal(err)
	}
	_, err := client.Rows(t.Context(), noon)
	if !failureOf(t, err, Transient).Open() {
		t.Error("not open")
	}
	if got := requests.Load(); got != 2 {
		t.Errorf("%d requests for two calls", got)
	}
}

func TestConnectionIsKept(t *testing.T) {
	var requests, connections atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(zipped([]byte(full)))
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	client := clientOf(t, server.URL, nil)
	for range 3 {
		if _, err := client.Rows(t.Context(), noon); err != nil {
			t.Fatal(err)
		}
	}
	if connections.Load() != 1 || requests.Load() != 3 {
		t.Errorf("%d connections for %d calls", connections.Load(), requests.Load())
	}
}

func TestBrokenTransport(t *testing.T) {
	long := "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"
	for _, c := range []struct{ name, text string }{
		{"closed at once", ""},
		{"cut body", long + full},
		{"cut chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"cod"},
		{"cut 404", "HTTP/1.1 404 Not Found\r\nContent-Length: 500\r\n\r\n" + `{"code":404,"msg":"","data":[]}`},
		{"cut 403", "HTTP/1.1 403 Forbidden\r\nContent-Length: 500\r\n\r\n" + `{"code":403,"msg":"PLEASE VALIDATE TOKEN"}`},
		{"no HTTP", "wolkvox-token: " + secret + "\r\n\r\n"},
		{"broken header", "HTTP/1.1 200 OK\r\n" + secret + "\r\n\r\n" + full},
	} {
		var requests atomic.Int32
		client := clientOf(t, answering(t, &requests, c.text), nil)
		_, err := client.Rows(t.Context(), noon)
		if failure := failureOf(t, err, Transient); !failure.Open() {
			t.Errorf("%s: %v is not open", c.name, err)
		}
	}
}

func TestNoConnection(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	_, err = clientOf(t, "http://"+address, nil).Rows(t.Context(), noon)
	if failure := failureOf(t, err, Transient); failure.Open() || !strings.Contains(failure.Hint, "allowed") {
		t.Errorf("refused: %v, open %v", err, failure.Open())
	}

	// A connection that does not come about in time splits no range.
	client := clientOf(t, "http://"+address, func(o *Options) {
		transport := NewTransport()
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		transport.Proxy = nil
		o.Transport, o.Timeout = transport, 20*time.Millisecond
	})
	_, err = client.Rows(t.Context(), noon)
	if failure := failureOf(t, err, Transient); failure.Open() || !strings.Contains(failure.Hint, "allowed") {
		t.Errorf("silent: %v, open %v", err, failure.Open())
	}
}

func zipped(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(b)
	_ = w.Close()
	return out.Bytes()
}

func TestGzip(t *testing.T) {
	good := zipped([]byte(full))
	for _, c := range []struct {
		name     string
		encoding string
		body     []byte
		want     Kind // "" for one row
	}{
		{"gzip", "gzip", good, ""},
		{"x-gzip", " X-Gzip ", good, ""},
		{"identity", "identity", []byte(full), ""},
		{"cut", "gzip", good[:len(good)-6], Transient},
		{"no bytes", "gzip", nil, Transient},
		{"not gzip", "gzip", []byte(full), Transient},
		{"another", "br", good, Transient},
		{"unannounced", "", good, Transient},
		{"bomb", "gzip", zipped(append([]byte(full), bytes.Repeat([]byte(" "), 4<<20)...)), TooLarge},
		{"much that is nothing", "gzip", bytes.Repeat(zipped(nil), 100_000), TooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := serve(t, func(o *Options) { o.MaxBytes = 1 << 20 }, func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Accept-Encoding") != "gzip" {
					t.Errorf("asked for %q", r.Header.Get("Accept-Encoding"))
				}
				w.Header().Set("Content-Encoding", c.encoding)
				w.(http.Flusher).Flush() // no length is told
				_, _ = w.Write(c.body)
			})
			answer, err := client.Rows(t.Context(), noon)
			if c.want == "" {
				if err != nil || len(answer.Rows) != 1 || string(answer.Rows[0]) != row {
					t.Fatalf("%s, %v", answer.Rows, err)
				}
				return
			}
			_ = failureOf(t, err, c.want)
		})
	}
}

func TestTooLarge(t *testing.T) {
	var flush bool
	var size int
	client := serve(t, func(o *Options) { o.MaxBytes = 1000 }, func(w http.ResponseWriter, _ *http.Request) {
		if flush {
			w.(http.Flusher).Flush() // the length is not told
		}
		_, _ = io.WriteString(w, full+strings.Repeat(" ", size-len(full)))
	})
	for _, flush = range []bool{false, true} {
		size = 1000
		if _, err := client.Rows(t.Context(), noon); err != nil {
			t.Errorf("at the limit: %v", err)
		}
		size = 1001
		_, err := client.Rows(t.Context(), noon)
		if !failureOf(t, err, TooLarge).Open() {
			t.Error("not open")
		}
	}
}

func TestRefusalOverHTTP(t *testing.T) {
	client := serve(t, nil, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "90")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"code":403,"error":"FORBIDDEN","msg":"TOKEN LIMIT EXCEEDED"}`)
	})
	_, err := client.Rows(t.Context(), noon)
	failure := failureOf(t, err, Quota)
	const want = `chat_7 2026-11-03T12:00:00/2026-11-03T12:05:00: quota (HTTP 403, code 403): "FORBIDDEN TOKEN LIMIT EXCEEDED": the day's calls are used up: `
	if !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v\nwant %s…", err, want)
	}
	if failure.Status != 403 || failure.Code != "403" || failure.RetryAfter != 90*time.Second || failure.Open() {
		t.Errorf("%+v", *failure)
	}
	if KindOf(fmt.Errorf("asking: %w", err)) != Quota || KindOf(io.EOF) != "" {
		t.Error("KindOf")
	}
}
