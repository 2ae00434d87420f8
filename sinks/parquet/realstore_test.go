package parquet

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/azureblob"
	_ "gocloud.dev/blob/gcsblob"
	_ "gocloud.dev/blob/s3blob"
	"gocloud.dev/gcerrors"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/sinktest"
	"wolkpipe/sinks/sinktest/servers"
)

// remote is an object store with a bucket named lake, at an address: its own
// or that of a proxy.
type remote struct {
	scheme string
	url    string
	env    []string // what gives a process the credentials, or the address
	addr   string
	at     func(addr string) *remote // the same, reached elsewhere
}

const realBucket = "lake"

var realStores = []struct {
	name  string
	start func(t testing.TB) *remote
}{
	{"s3", func(t testing.TB) *remote {
		s := servers.S3(t)
		s.CreateBucket(t, realBucket)
		return s3Remote(s)
	}},
	{"gs", func(t testing.TB) *remote {
		s := servers.GCS(t)
		s.CreateBucket(t, realBucket)
		return gcsRemote(s)
	}},
	{"azblob", func(t testing.TB) *remote {
		s := servers.Azure(t)
		s.CreateBucket(t, realBucket)
		return azureRemote(s)
	}},
}

func s3Remote(s *servers.S3Server) *remote {
	return &remote{"s3", s.URL(realBucket), s.Env(), s.Addr, func(addr string) *remote { return s3Remote(s.At(addr)) }}
}

func gcsRemote(s *servers.GCSServer) *remote {
	return &remote{"gs", s.URL(realBucket), s.Env(), s.Addr, func(addr string) *remote { return gcsRemote(s.At(addr)) }}
}

func azureRemote(s *servers.AzureServer) *remote {
	return &remote{"azblob", s.URL(realBucket), s.Env(), s.Addr, func(addr string) *remote { return azureRemote(s.At(addr)) }}
}

// realCases are what holds on each store. Each has a prefix of its own.
var realCases = []struct {
	name string
	run  func(t *testing.T, r *remote)
}{
	{"conformance", realConformance},
	{"conditions", realConditions},
	{"race", realRace},
	{"network", realNetwork},
	{"status", realStatus},
	{"lost answer", realLostAnswer},
	{"error", realError},
}

// TestReal runs the sink against real servers: versitygw, fake-gcs-server and
// Azurite, which are started once. All three honour the conditions of commits
// under a race: "conditions" and "race" prove it. The stores run beside each
// other, since much of the time is the waits of their drivers.
func TestReal(t *testing.T) {
	// rapid's flag: each random run of the suite makes hundreds of requests.
	checks := flag.Lookup("rapid.checks").Value.String()
	if err := flag.Set("rapid.checks", "8"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = flag.Set("rapid.checks", checks) })
	for _, kind := range realStores {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			r := kind.start(t)
			for _, c := range realCases {
				t.Run(c.name, func(t *testing.T) { c.run(t, r) })
			}
		})
	}
}

// set gives this process what r.env says. No test sets these variables to
// anything else at the same time, those that do run alone or are processes.
func (r *remote) set(t testing.TB) {
	t.Helper()
	for _, line := range r.env {
		name, value, _ := strings.Cut(line, "=")
		if err := os.Setenv(name, value); err != nil { //nolint:usetesting // t.Setenv forbids parallel tests; see above
			t.Fatal(err)
		}
	}
}

// open opens a lake as a user does: by URL and variables.
func (r *remote) open(t testing.TB, prefix string) *Sink {
	t.Helper()
	r.set(t)
	s, err := Open(t.Context(), Options{Bucket: r.url, Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// bucket is the way past the sink.
func (r *remote) bucket(t testing.TB) *blob.Bucket {
	t.Helper()
	r.set(t)
	b, err := blob.OpenBucket(t.Context(), r.url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// realConformance is the suite of all sinks, each case below a prefix of its
// own.
func realConformance(t *testing.T, r *remote) {
	cases := 0
	bucket := r.bucket(t)
	sinktest.Run(t, func(*testing.T) sinktest.Harness {
		cases++
		return &realHarness{r, bucket, fmt.Sprintf("case%d/ñ x/", cases)}
	})
}

// realHarness is a lake on a server. DuckDB reads a copy that the bucket gave.
type realHarness struct {
	remote *remote
	bucket *blob.Bucket
	prefix string
}

func (h *realHarness) Open(t testing.TB) sinks.Sink {
	h.remote.set(t)
	s, err := Open(t.Context(), Options{Bucket: h.remote.url, Prefix: h.prefix})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (h *realHarness) Contents(t testing.TB, key sinks.Key) []schemas.Window {
	return h.read(t, key, true)
}

// Watch implements [sinktest.Watcher]: an object is read by one request, so a
// copy is of one moment.
func (h *realHarness) Watch(t testing.TB, key sinks.Key) []schemas.Window {
	return h.read(t, key, false)
}

func (h *realHarness) read(t testing.TB, key sinks.Key, both bool) []schemas.Window {
	rows, coverage, err := names(key)
	if err != nil {
		t.Fatal(err)
	}
	wanted := []string{rows}
	if both {
		wanted = append(wanted, coverage)
	}
	root := t.TempDir()
	for _, name := range wanted {
		data, err := h.bucket.ReadAll(t.Context(), h.prefix+name)
		if gcerrors.Code(err) == gcerrors.NotFound {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(root, filepath.FromSlash(name)), data)
	}
	return duckContents(t, root, key)
}
