package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"wolkpipe/pipeline/chat7/chat7sim"
)

// TestSimServer: whoever reaches the simulator can neither hold it up by saying
// little nor fill it by saying much, and can only read.
func TestSimServer(t *testing.T) {
	sim, err := chat7sim.New(chat7sim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	said, out := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- serveSim(ctx, sim, "127.0.0.1:0", out, io.Discard) }()
	url, err := bufio.NewReader(said).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	address := strings.TrimPrefix(strings.TrimSpace(url), "http://")
	long := strings.Repeat("x", 64<<10)
	for request, want := range map[string]string{
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n":                                      "200",
		"GET / HTTP/1.1\r\nHost: x\r\nWolkvox-Token: " + long + "\r\n\r\n":       "431",
		"GET /" + long + " HTTP/1.1\r\nHost: x\r\n\r\n":                          "431",
		"POST /truth HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n":           "405",
		"DELETE /stats HTTP/1.1\r\nHost: x\r\n\r\n":                              "405",
		"GET /truth?operation=%3Cscript%3E HTTP/1.1\r\nHost: x\r\n\r\n":          "4",
		"PUT /api/v2/reports_manager.php?api=chat_7 HTTP/1.1\r\nHost: x\r\n\r\n": "401", // as of any call without a token
	} {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
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
	stop()
	if err := <-ended; err != nil {
		t.Errorf("interrupted: %v", err)
	}
	s := simServer(http.NotFoundHandler())
	if s.ReadHeaderTimeout <= 0 || s.ReadTimeout <= 0 || s.IdleTimeout <= 0 || s.WriteTimeout != 0 || s.MaxHeaderBytes > 64<<10 {
		t.Errorf("limits of the server: %+v", s)
	}
}
