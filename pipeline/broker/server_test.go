package broker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/schemas"
)

// holdEnv makes the test binary hold a data folder until it is killed.
const holdEnv = "BROKER_TEST_HOLD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(holdEnv); dir != "" {
		hold(dir)
		return
	}
	os.Exit(m.Run())
}

func hold(dir string) {
	ctx := context.Background()
	s, err := Start(ctx, Options{Dir: dir, Listen: "127.0.0.1:0", Logger: quiet})
	if err != nil {
		fmt.Println(err)
		return
	}
	nc, err := s.Connect("holder")
	if err != nil {
		fmt.Println(err)
		return
	}
	js, err := jetstream.New(nc)
	if err == nil {
		err = EnsureStreams(ctx, js, Streams{})
	}
	if err == nil {
		_, err = js.Publish(ctx, schemas.JournalSubject("ventas", "2026-11-01"), []byte("kept"))
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("ready")
	select {}
}

// inAnotherProcess runs a server on dir in a process of its own.
func inAnotherProcess(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), holdEnv+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "ready\n" {
		t.Fatalf("the other process said %q, %v", line, err)
	}
	return cmd
}

func TestOneProcessAFolder(t *testing.T) {
	dir := t.TempDir()
	other := inAnotherProcess(t, dir)

	_, err := Start(t.Context(), Options{Dir: dir, Logger: quiet})
	var inUse *InUseError
	if !errors.As(err, &inUse) {
		t.Fatalf("a second process got %v", err)
	}
	if inUse.PID != other.Process.Pid || time.Since(inUse.Started).Abs() > time.Hour {
		t.Errorf("the holder is told as %+v, want process %d", inUse, other.Process.Pid)
	}
	want := fmt.Sprintf("data folder %s is in use by process %d (started %s): stop it, or give this one another `data`",
		dir, other.Process.Pid, inUse.Started.Format(time.RFC3339))
	if err.Error() != want {
		t.Errorf("error\n%s\nwant\n%s", err, want)
	}

	nc, err := Attach(dir, RemoteOptions{Name: "test", Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	if n := count(t, on(t, nc), schemas.JournalStream); n != 1 {
		t.Errorf("attached, the journal has %d messages", n)
	}
	nc.Close()

	if err := other.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = other.Wait() // killed
	if _, err := Attach(dir, RemoteOptions{Logger: quiet}); !errors.Is(err, ErrNotRunning) {
		t.Errorf("attaching to a folder whose process was killed: %v", err)
	}
	s := begin(t, Options{Dir: dir})
	if n := count(t, asOwner(t, s), schemas.JournalStream); n != 1 {
		t.Errorf("after a kill the journal has %d messages, want 1", n)
	}
}

func TestOneServerAFolderInAProcess(t *testing.T) {
	dir := t.TempDir()
	s := begin(t, Options{Dir: dir})
	_, err := Start(t.Context(), Options{Dir: dir, Logger: quiet})
	var inUse *InUseError
	if !errors.As(err, &inUse) || inUse.PID != os.Getpid() {
		t.Fatalf("a second server got %v", err)
	}
	asOwner(t, s)
	s.Close()
	again := begin(t, Options{Dir: dir})
	asOwner(t, again)
}

func TestAttachNeedsAServer(t *testing.T) {
	dir := t.TempDir()
	if _, err := Attach(dir, RemoteOptions{Logger: quiet}); !errors.Is(err, ErrNotRunning) {
		t.Errorf("nobody there: %v", err)
	}
	begin(t, Options{Dir: dir})
	if _, err := Attach(dir, RemoteOptions{Logger: quiet}); !errors.Is(err, ErrNotRunning) {
		t.Errorf("nobody listens: %v", err)
	}
}

func TestFilesArePrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := begin(t, Options{Dir: dir, Listen: "127.0.0.1:0"})
	asOwner(t, s)
	for name, want := range map[string]os.FileMode{".": 0o700, "jetstream": 0o700, "nats.secret": 0o600, "nats.url": 0o600, "lock": 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", name, got, want)
		}
	}
}

func TestTheSecretIsKeptAndNeeded(t *testing.T) {
	dir := t.TempDir()
	s := begin(t, Options{Dir: dir, Listen: "127.0.0.1:0"})
	secret, err := readSecret(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := nats.Connect(s.URL()); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("without credentials: %v", err)
	}
	if _, err := nats.Connect(s.URL(), nats.UserInfo(owner, secret+"x")); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("with a wrong secret: %v", err)
	}
	s.Close()
	s = begin(t, Options{Dir: dir, Listen: "127.0.0.1:0"})
	nc, err := nats.Connect(s.URL(), nats.UserInfo(owner, secret))
	if err != nil {
		t.Fatalf("the secret changed: %v", err)
	}
	nc.Close()
	s.Close()

	if err := os.WriteFile(secretPath(dir), []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = Start(t.Context(), Options{Dir: dir, Logger: quiet}); err == nil || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("a broken secret: %v", err)
	}
	if _, err = Start(t.Context(), Options{Dir: dir, Logger: quiet}); errors.As(err, new(*InUseError)) {
		t.Error("a start that failed kept the folder")
	}
}

func TestListening(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	for _, c := range []struct{ listen, want string }{
		{"0.0.0.0:0", "nats.allow_remote: true"},
		{":0", "nats.allow_remote: true"},
		{"[::]:0", "nats.allow_remote: true"},
		{"example.com:4222", "nats.allow_remote: true"},
		{"127.0.0.1", "not host:port"},
		{"127.0.0.1:http", "not host:port"},
		{"127.0.0.1:70000", "not host:port"},
		{taken.Addr().String(), "cannot listen on " + taken.Addr().String()},
	} {
		_, err := Start(t.Context(), Options{Dir: t.TempDir(), Listen: c.listen, Logger: quiet})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "nats.listen") {
			t.Errorf("listen %q: %v, want %q", c.listen, err, c.want)
		}
	}
	var address *AddressError
	_, err = Start(t.Context(), Options{Dir: t.TempDir(), Listen: taken.Addr().String(), Logger: quiet})
	if !errors.As(err, &address) {
		t.Errorf("a taken port gives %T", err)
	}
	s := begin(t, Options{Listen: "0.0.0.0:0", AllowRemote: true})
	if !strings.HasPrefix(s.URL(), "nats://127.0.0.1:") {
		t.Errorf("URL %s", s.URL())
	}
}

func TestStartStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	if _, err := Start(ctx, Options{Dir: dir, Listen: "127.0.0.1:0", Logger: quiet}); !errors.Is(err, context.Canceled) {
		t.Fatalf("a cancelled start gives %v", err)
	}
	begin(t, Options{Dir: dir})
}

// Eight megabytes go through, whatever the client library's default.
func TestLargeMessages(t *testing.T) {
	js := asOwner(t, begin(t, Options{}))
	if got := js.Conn().MaxPayload(); got != maxPayload {
		t.Errorf("max payload %d, want %d", got, maxPayload)
	}
	if _, err := js.Publish(t.Context(), schemas.JournalSubject("ventas", "2026-11-01"), make([]byte, maxPayload-1024)); err != nil {
		t.Error(err)
	}
}

func TestDialTellsTheMend(t *testing.T) {
	s := begin(t, Options{Listen: "127.0.0.1:0"})
	if _, err := Dial(RemoteOptions{URL: s.URL(), Logger: quiet}); err == nil || !strings.Contains(err.Error(), "nats.credentials") {
		t.Errorf("no credentials: %v", err)
	}
	if _, err := Dial(RemoteOptions{URL: "nats://127.0.0.1:1", Logger: quiet}); err == nil || !strings.Contains(err.Error(), "check nats.url") {
		t.Errorf("nobody there: %v", err)
	}
	if _, err := Dial(RemoteOptions{URL: s.URL(), Credentials: "/missing.creds", Logger: quiet}); err == nil || !strings.Contains(err.Error(), "nats.credentials") {
		t.Errorf("no file: %v", err)
	}
}
