package iceberg

import (
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"wolkpipe/sinks"
	"wolkpipe/sinks/sinktest"
	"wolkpipe/sinks/sinktest/servers"
)

// postgres starts a server of the test's own and gives the URL of a database
// in it.
func postgres(t testing.TB) string {
	t.Helper()
	const everywhere = "/usr/lib/postgresql/*/bin/initdb" // Debian has it in no PATH
	found, _ := filepath.Glob(everywhere)
	if path, err := exec.LookPath("initdb"); len(found) == 0 && err == nil {
		found = []string{path}
	}
	if len(found) == 0 {
		servers.Debian(t, "pg_ctlcluster", "postgresql")
		if found, _ = filepath.Glob(everywhere); len(found) == 0 {
			t.Fatal("Debian's package postgresql brought no initdb")
		}
	}
	bin := filepath.Dir(found[len(found)-1])
	root, err := os.MkdirTemp("", "wolkpipe-postgres") //nolint:usetesting // a path that another user may enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	// The server refuses to be root's.
	as := func(name string, args ...string) *exec.Cmd { return exec.Command(filepath.Join(bin, name), args...) }
	if os.Geteuid() == 0 {
		u, err := user.Lookup("postgres")
		if err != nil {
			t.Skip("PostgreSQL does not run as root, and there is no user postgres")
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		if err := os.Chown(root, uid, gid); err != nil {
			t.Fatal(err)
		}
		as = func(name string, args ...string) *exec.Cmd {
			return exec.Command("setpriv", append([]string{"--reuid", u.Uid, "--regid", u.Gid, "--clear-groups", filepath.Join(bin, name)}, args...)...)
		}
	}
	data := filepath.Join(root, "data")
	if out, err := as("initdb", "-D", data, "-U", "wolkpipe", "--auth=trust", "--no-sync").CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	_ = l.Close()
	server := as("postgres", "-D", data, "-p", port, "-h", "127.0.0.1", "-k", root, "-c", "fsync=off")
	output, err := os.Create(filepath.Join(t.TempDir(), "postgres.log"))
	if err != nil {
		t.Fatal(err)
	}
	server.Stdout, server.Stderr = output, output
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Signal(os.Interrupt)
		_ = server.Wait()
		_ = output.Close()
	})
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if err := exec.Command(filepath.Join(bin, "pg_isready"), "-h", "127.0.0.1", "-p", port, "-U", "wolkpipe").Run(); err == nil {
			break
		}
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(output.Name())
			t.Fatalf("PostgreSQL does not start:\n%s", log)
		}
	}
	return "postgres://wolkpipe@" + addr + "/postgres?sslmode=disable"
}

// TestPostgres: the suite with a catalog in PostgreSQL, each case in a namespace
// of its own.
func TestPostgres(t *testing.T) {
	catalog := postgres(t)
	n := 0
	sinktest.Run(t, func(t *testing.T) sinktest.Harness {
		n++
		if testing.Short() && n > 20 {
			t.Skip("-short: the suite runs on other catalogs")
		}
		return lakeAt{Options{
			Catalog: catalog, Warehouse: "file://" + t.TempDir(), Namespace: "case" + strconv.Itoa(n), MaintainEvery: -1,
		}}
	})
	// Another process of the same catalog finds the tables.
	at := lakeAt{Options{Catalog: catalog, Warehouse: "file://" + t.TempDir(), Namespace: "a.nested.one", MaintainEvery: -1}}
	mustCommit(t, at.open(t), dayOf(0, 2, 1))
	var again sinks.Sink = at.open(t)
	mustCommit(t, again.(*Sink), dayOf(0, 2, 2))
	checkDay(t, at, dayOf(0, 2, 2))
}
