package servers

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"
)

const (
	toxiproxy        = "github.com/Shopify/toxiproxy/v2/cmd/server"
	toxiproxyVersion = "v2.12.0"
)

// Toxiproxy stands between clients and servers, and breaks what passes.
type Toxiproxy struct {
	api   string
	names atomic.Int64
}

// Toxic starts one.
func Toxic(t testing.TB) *Toxiproxy {
	t.Helper()
	program := Tool(t, toxiproxy, toxiproxyVersion)
	p := start(t, "/version", func(addr string) *exec.Cmd {
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(program, "-host", host, "-port", port)
		cmd.Env = append(os.Environ(), "LOG_LEVEL=error")
		return cmd
	})
	return &Toxiproxy{api: "http://" + p.addr}
}

// Proxy is a way to a server through the proxy. It is to be used by one
// goroutine.
type Proxy struct {
	Addr string // host:port, for clients

	url    string // of it in the proxy's API
	toxics int
}

// Proxy opens a way to upstream, host:port.
func (x *Toxiproxy) Proxy(t testing.TB, upstream string) *Proxy {
	t.Helper()
	name := fmt.Sprint("proxy", x.names.Add(1))
	data := post(t, x.api+"/proxies", map[string]any{"name": name, "listen": "127.0.0.1:0", "upstream": upstream, "enabled": true})
	var made struct {
		Listen string `json:"listen"`
	}
	if err := json.Unmarshal(data, &made); err != nil {
		t.Fatalf("the proxy says %s: %v", data, err)
	}
	return &Proxy{Addr: made.Listen, url: x.api + "/proxies/" + name}
}

// Stream is a direction as the proxy calls it.
type Stream string

// The two directions.
const (
	Upstream   Stream = "upstream"   // what the client sends
	Downstream Stream = "downstream" // what the server answers
)

// AddToxic makes every connection suffer, those that are open included, until
// remove is called. kind and attributes are toxiproxy's: "latency" (latency in
// ms), "bandwidth" (rate in KB/s), "limit_data" (bytes, then the connection is
// closed), "timeout" (timeout in ms, 0 for never; nothing passes), "reset_peer"
// (timeout in ms), "slicer".
func (p *Proxy) AddToxic(t testing.TB, kind string, stream Stream, attributes map[string]any) (remove func()) {
	t.Helper()
	p.toxics++
	name := fmt.Sprint("toxic", p.toxics)
	post(t, p.url+"/toxics", map[string]any{"name": name, "type": kind, "stream": stream, "toxicity": 1, "attributes": attributes})
	return func() {
		t.Helper()
		call(t, http.MethodDelete, p.url+"/toxics/"+name, nil)
	}
}

// Down closes the way: connections are cut, and new ones refused.
func (p *Proxy) Down(t testing.TB) {
	t.Helper()
	p.enable(t, false)
}

// Up opens it again, at the same address.
func (p *Proxy) Up(t testing.TB) {
	t.Helper()
	p.enable(t, true)
}

func (p *Proxy) enable(t testing.TB, enabled bool) {
	t.Helper()
	post(t, p.url, map[string]any{"enabled": enabled})
}

// post sends a message that must be accepted.
func post(t testing.TB, url string, message map[string]any) []byte {
	t.Helper()
	body, err := json.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	return call(t, http.MethodPost, url, body)
}
