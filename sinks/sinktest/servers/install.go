package servers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"
)

// Tool installs a Go program at a version and gives the path of its binary:
//
//	servers.Tool(t, "github.com/versity/versitygw/cmd/versitygw", "v1.8.0")
func Tool(t testing.TB, program, version string) string {
	t.Helper()
	return tool(t, cacheFolder(t), program, version)
}

func tool(t testing.TB, cache, program, version string) string {
	t.Helper()
	dir := filepath.Join(cache, toolName(program)+"-"+version)
	once(t, dir, func(ctx context.Context, dir string) ([]byte, error) {
		cmd := exec.CommandContext(ctx, "go", "install", program+"@"+version)
		// Outside of any module, and without what this one's build was told.
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=-mod=mod", "GOWORK=off", "GO111MODULE=on", "GOOS=", "GOARCH=")
		return cmd.CombinedOutput()
	})
	found, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 1 {
		t.Fatalf("%s holds %d files in place of one program; remove it", dir, len(found))
	}
	return filepath.Join(dir, found[0].Name())
}

var (
	majorVersion = regexp.MustCompile(`^v[0-9]+$`)
	versionParts = regexp.MustCompile(`[^A-Za-z0-9.+-]+`)
)

// toolName tells programs apart that are all called server: what follows the
// host in its path, without what says nothing.
func toolName(program string) string {
	var parts []string
	for i, part := range strings.Split(program, "/") {
		if i == 0 || part == "cmd" || majorVersion.MatchString(part) || len(parts) > 0 && part == parts[len(parts)-1] {
			continue
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return versionParts.ReplaceAllString(program, "-")
	}
	return versionParts.ReplaceAllString(strings.Join(parts, "-"), "-")
}

// NPM installs what dir's package.json and package-lock.json name and gives
// the folder in which node_modules then is. Nothing of it is run to install it.
func NPM(t testing.TB, dir string) string {
	t.Helper()
	return npm(t, cacheFolder(t), filepath.Base(dir), os.DirFS(dir))
}

func npm(t testing.TB, cache, name string, from fs.FS) string {
	t.Helper()
	files := map[string][]byte{}
	for _, file := range []string{"package.json", "package-lock.json"} {
		data, err := fs.ReadFile(from, file)
		if err != nil {
			t.Fatal(err)
		}
		files[file] = data
	}
	// The lock says what is installed, to the byte.
	dir := filepath.Join(cache, fmt.Sprintf("npm-%s-%s", name, fingerprint(files["package.json"], files["package-lock.json"])))
	once(t, dir, func(ctx context.Context, dir string) ([]byte, error) {
		for file, data := range files {
			if err := os.WriteFile(filepath.Join(dir, file), data, 0o644); err != nil {
				return nil, err
			}
		}
		cmd := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--omit=dev", "--omit=optional", "--no-audit", "--no-fund", "--loglevel=error")
		cmd.Dir = dir
		return cmd.CombinedOutput()
	})
	return dir
}

// cacheFolder is where all installations are.
func cacheFolder(t testing.TB) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(cache, "wolkpipe-tools")
}

// installTime bounds an installation, the wait for another process's included.
const installTime = 20 * time.Minute

// once makes dir by install, unless it is there. install fills a folder beside
// it that takes its name when all went well, so that what is there is whole.
func once(t testing.TB, dir string, install func(ctx context.Context, dir string) (output []byte, err error)) {
	t.Helper()
	if _, err := os.Stat(dir); err == nil {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), installTime)
	defer cancel()
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	lock := flock.New(dir + ".lock")
	if _, err := lock.TryLockContext(ctx, 200*time.Millisecond); err != nil {
		t.Fatalf("waiting for another process to install %s: %v", filepath.Base(dir), err)
	}
	defer func() { _ = lock.Close() }()
	if _, err := os.Stat(dir); err == nil {
		return // the other one did
	}
	beside := dir + ".part" // of one process at a time, and of a killed one
	if err := errors.Join(os.RemoveAll(beside), os.Mkdir(beside, 0o755)); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	output, err := install(ctx, beside)
	if err == nil {
		err = os.Rename(beside, dir)
	}
	if err != nil {
		_ = os.RemoveAll(beside)
		giveUp(t, filepath.Base(dir), output, err)
	}
	t.Logf("installed %s in %v", dir, time.Since(began).Round(time.Second))
}

// unreachable is how go and npm say that nothing answers on the network. What
// a registry answers, such as that it has no such version, is not among it.
var unreachable = regexp.MustCompile(`(?i)dial tcp|no such host|network is unreachable|connection refused|connection reset|i/o timeout|TLS handshake timeout|` +
	`module lookup disabled|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|EHOSTUNREACH|ETIMEDOUT|ENOTCACHED`)

// giveUp ends the test: a machine that cannot have the tool is not to blame.
func giveUp(t testing.TB, name string, output []byte, err error) {
	t.Helper()
	text := strings.TrimSpace(string(output))
	why := ""
	switch {
	case errors.Is(err, exec.ErrNotFound):
		why = "it is installed by a program that is not on this machine"
	case unreachable.Match(output):
		why = "nothing answers on the network"
	}
	if why == "" || os.Getenv("CI") != "" {
		t.Fatalf("installing %s: %v %s\n%s", name, err, why, text)
	}
	t.Skipf("%s cannot be installed: %s: %v\n%s", name, why, err, text)
}

// fingerprint names a content.
func fingerprint(parts ...[]byte) string {
	sum := sha256.New()
	for _, p := range parts {
		sum.Write(p)
	}
	return hex.EncodeToString(sum.Sum(nil)[:6])
}
