package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wolkpipe/sinks/sinktest/servers"
)

// buildah is a builder with a store of its own.
type buildah struct {
	program, root string
}

func (b buildah) run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return try(t, b.program, append([]string{"--root", b.root + "/root", "--runroot", b.root + "/run", "--storage-driver", "vfs"}, args...)...)
}

func (b buildah) must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := b.run(t, args...)
	if err != nil {
		t.Fatalf("buildah %s: %v\n%s", strings.Join(args, " "), err, tail(out))
	}
	return strings.TrimSpace(out)
}

// newBuildah makes sure that images can be built here at all: it takes mounts.
func newBuildah(t *testing.T) buildah {
	t.Helper()
	if os.Getuid() != 0 {
		impossible(t, "building images takes root here")
	}
	b := buildah{servers.Debian(t, "buildah", "buildah"), t.TempDir()}
	container, err := b.run(t, "from", "scratch")
	if err != nil {
		impossible(t, "buildah does not work here: %v\n%s", err, tail(container))
	}
	container = strings.TrimSpace(container)
	defer b.must(t, "rm", container)
	if out, err := b.run(t, "mount", container); err != nil {
		impossible(t, "buildah cannot mount here: %v\n%s", err, tail(out))
	}
	return b
}

// builder is an image that stands in for Go's, which no test can fetch: a shell,
// authorities, and where this machine's Go is mounted.
func (b buildah) builder(t *testing.T) string {
	t.Helper()
	busybox := servers.Debian(t, "busybox", "busybox-static")
	authorities := "/etc/ssl/certs/ca-certificates.crt"
	if _, err := os.Stat(authorities); err != nil {
		impossible(t, "this machine has no authorities: %v", err)
	}
	container := b.must(t, "from", "scratch")
	defer b.must(t, "rm", container)
	root := b.must(t, "mount", container)
	write(t, filepath.Join(root, "etc/passwd"), "root:x:0:0::/:/bin/sh\n")
	for _, folder := range []string{"bin", "tmp", "usr/local/go", "root/go/pkg/mod", "root/.cache/go-build"} {
		if err := os.MkdirAll(filepath.Join(root, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	must(t, "cp", busybox, root+"/bin/busybox")
	for _, name := range []string{"sh", "mkdir", "chmod", "chown", "cp"} {
		if err := os.Symlink("busybox", filepath.Join(root, "bin", name)); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(root, authorities), read(t, authorities))
	b.must(t, "config", "--env", "PATH=/usr/local/go/bin:/bin", "--env", "HOME=/root", "--env", "GOTOOLCHAIN=local", container)
	b.must(t, "commit", container, "localhost/builder")
	return "localhost/builder"
}

// goEnv is a setting of this machine's Go.
func goEnv(t *testing.T, name string) string {
	t.Helper()
	return strings.TrimSpace(must(t, "go", "env", name))
}

// TestImage builds the image by its Dockerfile, with a stand-in for the image of
// Go, and runs what is in it.
func TestImage(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles everything a second time")
	}
	const need = 6 * time.Minute
	if limit, ok := t.Deadline(); ok && time.Until(limit) < need {
		t.Skipf("compiles everything a second time, and less than %s are left: go test -timeout 30m ./deploy", need)
	}
	b := newBuildah(t)
	const commit = "0123456789abcdef0123456789abcdef01234567"
	b.must(t, "bud", "--isolation", "chroot", "--pull-never", "--layers=false",
		"--volume", goEnv(t, "GOROOT")+":/usr/local/go:ro", "--volume", goEnv(t, "GOMODCACHE")+":/root/go/pkg/mod",
		"--volume", goEnv(t, "GOCACHE")+":/root/.cache/go-build",
		"--build-arg", "GO_IMAGE="+b.builder(t), "--build-arg", "VERSION=v9.8.7", "--build-arg", "COMMIT="+commit,
		"--file", "Dockerfile", "--tag", "localhost/wolkpipe", "..")

	container := b.must(t, "from", "--pull-never", "localhost/wolkpipe")
	defer b.must(t, "rm", container)
	root := b.must(t, "mount", container)
	binary := filepath.Join(root, "wolkpipe")

	settings := b.must(t, "inspect", "--type", "image", "--format",
		"{{.OCIv1.Config.User}} {{.OCIv1.Config.Entrypoint}} {{.OCIv1.Config.Cmd}} {{.OCIv1.Config.Volumes}} {{.OCIv1.Config.StopSignal}}", "localhost/wolkpipe")
	if want := "65532:65532 [/wolkpipe] [run -c /etc/wolkpipe/wolkpipe.yaml] map[/data:{}] SIGTERM"; settings != want {
		t.Errorf("the image has %s, not %s", settings, want)
	}
	files := strings.Fields(must(t, "find", root, "-mindepth", "1", "-type", "f", "-printf", "%P\n"))
	if len(files) != 2 {
		t.Errorf("the image holds %v, not the program and the authorities alone", files)
	}
	if owner := strings.TrimSpace(must(t, "stat", "-c", "%u:%g %a", root+"/data")); owner != "65532:65532 700" {
		t.Errorf("/data is %s", owner)
	}
	if out, err := try(t, "ldd", binary); err == nil || !strings.Contains(out, "not a dynamic executable") {
		t.Errorf("the program needs libraries: %s", out)
	}
	if out := must(t, "go", "version", "-m", binary); !strings.Contains(out, "-trimpath=true") || strings.Contains(out, "/src") {
		t.Errorf("the program remembers where it was built:\n%s", tail(out))
	}

	inContainer := func(args ...string) (string, error) {
		return b.run(t, append([]string{"run", "--isolation", "chroot", container, "--", "/wolkpipe"}, args...)...)
	}
	out, err := inContainer("version")
	if err != nil || !strings.Contains(out, "wolkpipe v9.8.7\ncommit   "+commit) {
		t.Errorf("version: %v: %s", err, out)
	}
	// A zone without the system's database, and a page that all interfaces serve.
	write(t, filepath.Join(root, "etc/wolkpipe/wolkpipe.yaml"), `operations: [{name: ventas, server: "0042", token: "env:PATH", timezone: America/Bogota}]`)
	must(t, "chmod", "-R", "a+rX", filepath.Join(root, "etc"))
	out, err = inContainer("check", "-c", "/etc/wolkpipe/wolkpipe.yaml")
	if err != nil {
		t.Errorf("check: %v: %s", err, out)
	}

	// The whole job, as the image's user, in nothing but the image.
	demo := exec.CommandContext(t.Context(), "chroot", "--userspec=65532:65532", root, "/wolkpipe", "demo", "--days", "1", "--dir", "/data/demo")
	demo.Env = []string{}
	if out, err := demo.CombinedOutput(); err != nil {
		t.Errorf("demo: %v\n%s", err, tail(string(out)))
	}
	t.Logf("the program takes %s", strings.Fields(must(t, "du", "-h", binary))[0])
}
