package servers

import (
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/azureblob"
	_ "gocloud.dev/blob/gcsblob"
	_ "gocloud.dev/blob/s3blob"
	"gocloud.dev/gcerrors"
)

// TestInstall installs what the tests of all packages need.
func TestInstall(t *testing.T) {
	for program, version := range map[string]string{versitygw: versitygwVersion, fakeGCS: fakeGCSVersion, toxiproxy: toxiproxyVersion} {
		t.Run(toolName(program), func(t *testing.T) {
			if out, err := exec.CommandContext(t.Context(), Tool(t, program, version), "--help").CombinedOutput(); err != nil && len(out) == 0 {
				t.Error(err)
			}
		})
	}
	t.Run("azurite", func(t *testing.T) {
		if _, err := os.Stat(azurite(t)); err != nil {
			t.Error(err)
		}
	})
}

func TestToolNames(t *testing.T) {
	for program, want := range map[string]string{
		versitygw: "versity-versitygw", fakeGCS: "fsouza-fake-gcs-server", toxiproxy: "Shopify-toxiproxy-server",
	} {
		if got := toolName(program); got != want {
			t.Errorf("%s is called %s, want %s", program, got, want)
		}
	}
}

// TestGiveUp: no network is a reason to skip, but in CI, and leaves nothing.
func TestGiveUp(t *testing.T) {
	t.Setenv("CI", "")
	t.Setenv("GOFLAGS", "-mod=mod")
	t.Setenv("GOPROXY", "http://127.0.0.1:1") // nothing listens there
	t.Setenv("GONOSUMDB", "*")
	cache := t.TempDir()
	for _, ci := range []string{"", "true"} {
		t.Setenv("CI", ci)
		probe := &outcome{TB: t}
		probe.run(func() { tool(probe, cache, "example.com/nothing/cmd/nothing", "v1.0.0") })
		if probe.skipped == (ci != "") || probe.failed == (ci == "") {
			t.Errorf("with CI=%q and no network: skipped %v, failed %v: %s", ci, probe.skipped, probe.failed, probe.text)
		}
	}
	if left, err := filepath.Glob(filepath.Join(cache, "*.part")); err != nil || len(left) > 0 {
		t.Errorf("an installation that failed left %q, %v", left, err)
	}
	t.Setenv("CI", "")
	probe := &outcome{TB: t}
	probe.run(func() { giveUp(probe, "x", []byte("go: no matching versions for query"), errors.New("exit status 1")) })
	if !probe.failed {
		t.Error("a version that is not there is taken for no network")
	}
}

// outcome sees how a helper ends a test.
type outcome struct {
	testing.TB
	skipped, failed bool
	text            string
}

type ended struct{}

func (o *outcome) run(f func()) {
	defer func() {
		if v := recover(); v != nil {
			if _, ok := v.(ended); !ok {
				panic(v)
			}
		}
	}()
	f()
}

func (o *outcome) Helper() {}
func (o *outcome) Skipf(format string, args ...any) {
	o.skipped, o.text = true, format
	panic(ended{})
}
func (o *outcome) Fatalf(format string, args ...any) {
	o.failed, o.text = true, format
	panic(ended{})
}

// server is what the object stores have in common.
type server interface {
	URL(bucket string) string
	Setenv(t testing.TB)
	CreateBucket(t testing.TB, name string)
}

// TestStores opens a bucket of each as a user does, directly and through a
// proxy that then fails.
func TestStores(t *testing.T) {
	proxies := Toxic(t)
	for name, start := range map[string]func(t testing.TB) (direct server, addr string, at func(addr string) server){
		"s3": func(t testing.TB) (server, string, func(string) server) {
			s := S3(t)
			return s, s.Addr, func(addr string) server { return s.At(addr) }
		},
		"gcs": func(t testing.TB) (server, string, func(string) server) {
			s := GCS(t)
			return s, s.Addr, func(addr string) server { return s.At(addr) }
		},
		"azure": func(t testing.TB) (server, string, func(string) server) {
			s := Azure(t)
			return s, s.Addr, func(addr string) server { return s.At(addr) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			direct, addr, at := start(t)
			direct.CreateBucket(t, "lake")
			proxy := proxies.Proxy(t, addr)
			for _, s := range []server{direct, at(proxy.Addr)} {
				s.Setenv(t)
				b, err := blob.OpenBucket(t.Context(), s.URL("lake"))
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = b.Close() }()
				if _, err := b.ReadAll(t.Context(), "nothing"); gcerrors.Code(err) != gcerrors.NotFound {
					t.Fatalf("an object that is not there gives %v", err)
				}
				if err := b.WriteAll(t.Context(), "a/b", []byte("text"), nil); err != nil {
					t.Fatal(err)
				}
				if data, err := b.ReadAll(t.Context(), "a/b"); err != nil || string(data) != "text" {
					t.Fatalf("reading gives %q, %v", data, err)
				}
			}
		})
	}
}

// TestProxy sees the proxy cut, close and let through.
func TestProxy(t *testing.T) {
	proxies := Toxic(t)
	upstream := start(t, "/version", func(addr string) *exec.Cmd {
		host, port, _ := strings.Cut(addr, ":")
		return exec.Command(Tool(t, toxiproxy, toxiproxyVersion), "-host", host, "-port", port)
	})
	p := proxies.Proxy(t, upstream.addr)
	ask := func() (string, error) {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		answer, err := client.Get("http://" + p.Addr + "/version")
		if err != nil {
			return "", err
		}
		defer func() { _ = answer.Body.Close() }()
		data, err := io.ReadAll(answer.Body)
		return string(data), err
	}
	whole, err := ask()
	if err != nil || whole == "" {
		t.Fatalf("through the proxy: %q, %v", whole, err)
	}
	remove := p.AddToxic(t, "limit_data", Downstream, map[string]any{"bytes": 10})
	if got, err := ask(); err == nil {
		t.Errorf("an answer cut after 10 bytes is read as %q", got)
	}
	remove()
	p.Down(t)
	if got, err := ask(); err == nil {
		t.Errorf("a way that is closed answers %q", got)
	}
	p.Up(t)
	if got, err := ask(); err != nil || got != whole {
		t.Errorf("opened again it answers %q, %v", got, err)
	}
}

// TestReader: the user may read, and is refused to write.
func TestReader(t *testing.T) {
	s := S3(t)
	s.CreateBucket(t, "lake")
	s.Setenv(t)
	owner, err := blob.OpenBucket(t.Context(), s.URL("lake"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = owner.Close() }()
	if err := owner.WriteAll(t.Context(), "a", []byte("text"), nil); err != nil {
		t.Fatal(err)
	}
	user := s.Reader(t, "lake")
	user.Setenv(t)
	b, err := blob.OpenBucket(t.Context(), user.URL("lake"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	if data, err := b.ReadAll(t.Context(), "a"); err != nil || string(data) != "text" {
		t.Errorf("reading gives %q, %v", data, err)
	}
	if err := b.WriteAll(t.Context(), "a", []byte("other"), nil); gcerrors.Code(err) != gcerrors.PermissionDenied {
		t.Errorf("writing gives %v", err)
	}
}
