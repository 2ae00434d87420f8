package status

import (
	"bufio"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestForeignHost: a server on loopback answers to no name that somebody else
// could have pointed at it.
func TestForeignHost(t *testing.T) {
	yes := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	loopback, lan := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, &net.TCPAddr{IP: net.IPv4(10, 1, 2, 3)}
	six, every := &net.TCPAddr{IP: net.IPv6loopback}, &net.TCPAddr{IP: net.IPv6unspecified}
	for _, c := range []struct {
		addr net.Addr
		host string
		ok   bool
	}{
		{loopback, "localhost:8017", true}, {loopback, "LocalHost", true}, {loopback, "localhost.", true},
		{loopback, "127.0.0.1:8017", true}, {loopback, "127.0.0.2", true}, {loopback, "[::1]:8017", true}, {loopback, "[::1]", true},
		{loopback, "wolkpipe.localhost:8017", true}, {loopback, "panel.intern:8017", true}, {loopback, "PANEL.intern", true},
		{loopback, "192.168.1.9:8017", true}, {loopback, "", true}, {six, "localhost", true},
		{loopback, "evil.example:8017", false}, {loopback, "evil.example", false}, {six, "evil.example", false},
		{loopback, "localhost.evil.example", false}, {loopback, "127.0.0.1.evil.example", false}, {loopback, "evillocalhost", false},
		{loopback, "evil.example:8017:80", false}, {loopback, "x@localhost", false},
		{lan, "evil.example", true}, {every, "wolkpipe.example", true},
	} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		r.Host = c.host
		answer := httptest.NewRecorder()
		local(c.addr, "panel.intern", yes).ServeHTTP(answer, r)
		if ok := answer.Code == http.StatusNoContent; ok != c.ok {
			t.Errorf("on %s, Host %q: %d", c.addr, c.host, answer.Code)
		}
	}
}

// TestServer: what a server that listens adds to its handler.
func TestServer(t *testing.T) {
	o := newSample().options(t)
	o.Log = slog.New(slog.DiscardHandler)
	s, err := Listen(t.Context(), "127.0.0.1:0", o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for request, want := range map[string]string{
		"GET / HTTP/1.1\r\nHost: " + s.addr.String() + "\r\n\r\n":                                  "200",
		"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n":                                             "421",
		"GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n":                                      "421",
		"GET / HTTP/1.1\r\nHost: localhost\r\nCookie: " + strings.Repeat("x", 64<<10) + "\r\n\r\n": "431",
	} {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.addr.String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Fprint(conn, request)
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil || !strings.HasPrefix(line, "HTTP/1.1 "+want) {
			t.Errorf("%.60q: %q %v, want %s", request, line, err, want)
		}
		_ = conn.Close()
	}
	h := s.http
	if h.ReadHeaderTimeout <= 0 || h.ReadTimeout <= 0 || h.WriteTimeout <= max(pageTime, askTime) || h.IdleTimeout <= 0 || h.MaxHeaderBytes > 64<<10 {
		t.Errorf("limits of the server: %+v", h)
	}
	if _, err := Listen(t.Context(), s.addr.String(), o); err == nil || !strings.Contains(err.Error(), "status.listen") {
		t.Errorf("a taken address: %v", err)
	}
}
