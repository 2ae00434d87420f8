package servers

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os/exec"
	"testing"
)

const (
	fakeGCS        = "github.com/fsouza/fake-gcs-server"
	fakeGCSVersion = "v1.56.1"
)

// GCSServer is a fake-gcs-server that keeps its buckets in memory. It asks for
// no credentials.
type GCSServer struct {
	Addr     string // host:port
	Endpoint string // http://host:port
}

// GCS starts one.
func GCS(t testing.TB) *GCSServer {
	t.Helper()
	program := Tool(t, fakeGCS, fakeGCSVersion)
	p := start(t, "/storage/v1/b?project=test", func(addr string) *exec.Cmd {
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			t.Fatal(err)
		}
		// Its public host is matched against every request's; without a port
		// it lets those through that come by a proxy.
		return exec.Command(program, "-scheme", "http", "-backend", "memory", "-host", host, "-port", port,
			"-public-host", host, "-log-level", "error")
	})
	return (&GCSServer{}).At(p.addr)
}

// At is the same server, reached at another address: that of a proxy.
func (s *GCSServer) At(addr string) *GCSServer {
	return &GCSServer{Addr: addr, Endpoint: "http://" + addr}
}

// URL is what a user configures for a bucket.
func (s *GCSServer) URL(bucket string) string { return "gs://" + bucket }

// Env are the variables that lead a process to the server, as NAME=value.
func (s *GCSServer) Env() []string { return []string{"STORAGE_EMULATOR_HOST=" + s.Addr} }

// Setenv gives them to this process, until the test ends.
func (s *GCSServer) Setenv(t testing.TB) { setenv(t, s.Env()) }

// CreateBucket makes a bucket.
func (s *GCSServer) CreateBucket(t testing.TB, name string) {
	t.Helper()
	body, err := json.Marshal(map[string]string{"name": name})
	if err != nil {
		t.Fatal(err)
	}
	call(t, http.MethodPost, s.Endpoint+"/storage/v1/b?project=test", body)
}

// call makes a request that must work.
func call(t testing.TB, method, url string, body []byte) []byte {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode/100 != 2 {
		t.Fatalf("%s %s: %s\n%s", method, url, answer.Status, data)
	}
	return data
}
