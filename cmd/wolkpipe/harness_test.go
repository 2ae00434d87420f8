package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"wolkpipe/pipeline"
	"wolkpipe/pipeline/chat7/chat7sim"
	"wolkpipe/pipeline/extract"
)

// patience is how long a test waits for what must come: long, since a loaded
// machine is no failure.
const patience = 2 * time.Minute

// endures skips a test that takes a minute or so of both processors, unless it
// is asked for: together they take longer than a package's tests may.
func endures(t *testing.T) {
	t.Helper()
	if os.Getenv("WOLKPIPE_ENDURE") != "1" {
		t.Skip("it takes a minute or more: WOLKPIPE_ENDURE=1 runs it, as `.ci/run endure` does")
	}
}

// quickClock runs at a rate from an anchor that several processes share: it
// goes on over a restart as a wall clock would.
type quickClock struct {
	anchor, begin time.Time // it showed begin at anchor
	rate          float64
}

func (c quickClock) Now() time.Time {
	return c.begin.Add(time.Duration(float64(time.Since(c.anchor)) * c.rate))
}

func (c quickClock) Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(time.Duration(float64(d) / c.rate))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

const quickVariable = "QUICK_CLOCK"

func (c quickClock) variable() string {
	return fmt.Sprintf("%s=%d %d %g", quickVariable, c.anchor.UnixNano(), c.begin.UnixNano(), c.rate)
}

// quickMain is wolkpipe with a daemon and backfills on the clock that a variable
// gives: what waits for a minute waits for a second, and windows end every few.
func quickMain() {
	var anchor, begin int64
	var clock quickClock
	if _, err := fmt.Sscan(os.Getenv(quickVariable), &anchor, &begin, &clock.rate); err != nil {
		fmt.Fprintln(os.Stderr, quickVariable+":", err)
		os.Exit(2)
	}
	clock.anchor, clock.begin = time.Unix(0, anchor), time.Unix(0, begin)
	var own extract.Clock = clock
	if file := os.Getenv(jumpsVariable); file != "" {
		own = jumpyClock{clock, file}
	}
	root := newRootCommand()
	for _, cmd := range root.Commands() {
		if cmd.Name() == "run" || cmd.Name() == "backfill" {
			root.RemoveCommand(cmd)
		}
	}
	root.AddCommand(newRunCommand(own), newBackfillCommand(own))
	os.Exit(execute(root, os.Args[1:]))
}

// site is an installation on disk, the simulator that it polls, and the
// processes that work on it.
type site struct {
	t       *testing.T
	dir     string
	program string
	env     []string
	sim     *chat7sim.Sim
	url     string // of the simulator
	watch   watch
	nats    string                   // an external NATS; empty: the embedded one
	options []nats.Option            // that a client of it needs
	grids   map[string]time.Duration // of days that have another than the one that check is told
	erased  string                   // an agent whose name is to be found nowhere
}

// watch stands before a simulator and looks for calls of one process that
// meet on a token. Of calls that killed processes left open it knows nothing.
type watch struct {
	hold    sync.RWMutex // locked by a test that wants no call answered
	mu      sync.Mutex
	process int            // number of the process that makes the calls
	open    map[string]int // calls by process and token
	met     int            // calls that began while another was open
	any     map[string]int // calls by token, of all processes: those of a killed one stay while the source works on them
	anyMet  int            // calls that began while any other was open
	clock   quickClock     // that calls are timed by
	calls   []call         // in the order of their coming
	stall   *stall         // for the next chat_7 call; nil for none
}

// call is one call to the source.
type call struct {
	at       time.Time // on the clock of the watch
	api      string
	token    string
	from, to string // as they were sent
}

// stall makes the source work on a call for so long, whatever becomes of the
// caller meanwhile.
type stall struct {
	long time.Duration
	came chan *http.Request // told of it when it has come
}

func (w *watch) before(next http.Handler) http.Handler {
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		w.hold.RLock()
		defer w.hold.RUnlock()
		w.mu.Lock()
		k := fmt.Sprint(w.process, r.Header.Get("wolkvox-token"))
		if w.open[k]++; w.open[k] > 1 {
			w.met++
		}
		token := r.Header.Get("wolkvox-token")
		if w.any[token]++; w.any[token] > 1 {
			w.anyMet++
		}
		q := r.URL.Query()
		w.calls = append(w.calls, call{w.clock.Now(), q.Get("api"), token, q.Get("date_ini"), q.Get("date_end")})
		var held *stall
		if q.Get("api") == "chat_7" {
			held, w.stall = w.stall, nil
		}
		w.mu.Unlock()
		ended := sync.OnceFunc(func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.open[k]--
			w.any[token]--
		})
		defer ended() // of an answer that is broken off
		if held != nil {
			held.came <- r
			time.Sleep(held.long)
		}
		next.ServeHTTP(&firstWrite{out, ended}, r)
	})
}

// firstWrite tells when an answer begins: the client may ask again as soon as
// it has read the last of it.
type firstWrite struct {
	http.ResponseWriter
	begins func()
}

func (w *firstWrite) WriteHeader(status int) {
	w.begins()
	w.ResponseWriter.WriteHeader(status)
}

func (w *firstWrite) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// next is told that calls will be those of another process.
func (w *watch) next() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.process++
}

// stallNext makes the next chat_7 call take that much longer, and tells when
// it has come.
func (w *watch) stallNext(long time.Duration) <-chan *http.Request {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stall = &stall{long, make(chan *http.Request, 1)}
	return w.stall.came
}

// seen are the calls so far.
func (w *watch) seen() []call {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.calls)
}

// all are the chat_7 calls so far.
func (w *watch) all() []call {
	return slices.DeleteFunc(w.seen(), func(c call) bool { return c.api != "chat_7" })
}

func (w *watch) meetings() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.met
}

func newSite(t *testing.T, o chat7sim.Options) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), program: "wolkpipe", watch: watch{open: map[string]int{}, any: map[string]int{}}}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "WOLKPIPE_") && !strings.HasPrefix(v, "OTEL_") {
			s.env = append(s.env, v)
		}
	}
	var err error
	if s.sim, err = chat7sim.New(o); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s.watch.before(s.sim))
	t.Cleanup(server.Close)
	s.url = server.URL
	for _, op := range s.sim.Operations() {
		s.setToken(op.Name, op.Tokens[0])
	}
	return s
}

// quickSite is a site whose processes live by a clock that shows begin now and
// runs so many times as fast.
func quickSite(t *testing.T, begin time.Time, rate float64, o chat7sim.Options) (*site, quickClock) {
	t.Helper()
	clock := quickClock{anchor: time.Now(), begin: begin, rate: rate}
	o.Now = clock.Now
	s := newSite(t, o)
	s.program, s.env = "wolkpipe-quick", append(s.env, clock.variable())
	s.watch.mu.Lock()
	defer s.watch.mu.Unlock()
	s.watch.clock = clock
	return s, clock
}

// yesterday is the day before the present one, wherever on earth.
func yesterday() string { return time.Now().UTC().Add(-36 * time.Hour).Format(time.DateOnly) }

func (s *site) path(name ...string) string { return filepath.Join(append([]string{s.dir}, name...)...) }

func (s *site) setToken(operation, token string) {
	s.t.Helper()
	s.write("token-"+operation, token+"\n")
}

// write puts a file into the site, whole or not at all.
func (s *site) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(s.path(name+".new"), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(s.path(name+".new"), s.path(name)); err != nil {
		s.t.Fatal(err)
	}
}

// configure writes the configuration of the simulator's operations.
func (s *site) configure(since, window string, more ...string) {
	s.t.Helper()
	text := "operations:\n"
	for _, op := range s.sim.Operations() {
		text += fmt.Sprintf("  - {name: %s, url: %q, token: \"file:token-%s\", timezone: %s, since: %s, window: %s}\n",
			op.Name, s.url, op.Name, op.Timezone, since, window)
	}
	if len(more) == 0 {
		more = []string{"nats: {listen: \"127.0.0.1:0\"}", "status: {listen: \"127.0.0.1:0\"}"}
	}
	s.write("wolkpipe.yaml", text+strings.Join(more, "\n")+"\n")
}

// command is a call of the program in the site's folder.
func (s *site) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.program, args...)
	cmd.Dir, cmd.Env = s.dir, s.env
	return cmd
}

// run carries a command to its end.
func (s *site) run(args ...string) (code int, stdout, stderr string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	cmd := s.command(ctx, args...)
	var out, log strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &log
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), log.String()
}

// start starts a command that stays: by itself, the daemon.
func (s *site) start(args ...string) *process {
	s.t.Helper()
	if len(args) == 0 {
		args = []string{"run", "-c", "wolkpipe.yaml"}
	}
	p := &process{t: s.t, cmd: s.command(s.t.Context(), args...), ended: make(chan struct{})}
	p.stdout.grown, p.stderr.grown = make(chan struct{}), make(chan struct{})
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	s.watch.next()
	if err := p.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // the exit code is looked at
		close(p.ended)
	}()
	s.t.Cleanup(p.kill)
	return p
}

// status asks until ok is true of the answer. A daemon that is still starting
// does not answer; one that ends is a failure.
func (s *site) status(p *process, ok func(pipeline.Status) bool) pipeline.Status {
	s.t.Helper()
	var out, log string
	for begin := time.Now(); time.Since(begin) < patience; time.Sleep(50 * time.Millisecond) {
		p.alive()
		var code int
		if code, out, log = s.run("status", "-c", "wolkpipe.yaml", "--json"); code != 0 {
			continue
		}
		status, err := pipeline.ParseStatus([]byte(out))
		if err != nil {
			s.t.Fatal(err)
		}
		if ok(status) {
			return status
		}
	}
	s.t.Fatalf("status stays at\n%s%s\nthe daemon says\n%s", out, log, p.stderr.String())
	return pipeline.Status{}
}

// complete is true of a daemon with all done that is to be done at present.
func complete(s pipeline.Status) bool {
	for _, o := range s.Operations {
		if o.Due == 0 || o.Missing > 0 {
			return false
		}
	}
	for _, k := range s.Sinks {
		if k.Backlog > 0 {
			return false
		}
	}
	return s.Running
}

// operation is what a status says of one.
func operation(t *testing.T, s pipeline.Status, name string) pipeline.OperationStatus {
	t.Helper()
	i := slices.IndexFunc(s.Operations, func(o pipeline.OperationStatus) bool { return o.Operation == name })
	if i < 0 {
		t.Fatalf("the status has no operation %s", name)
	}
	return s.Operations[i]
}

// process is a process that a test started.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdout output
	stderr output
	ended  chan struct{} // closed when it has
}

// alive fails the test when the process has ended.
func (p *process) alive() {
	p.t.Helper()
	select {
	case <-p.ended:
		p.t.Fatalf("%v ended with %d: %s", p.cmd.Args, p.cmd.ProcessState.ExitCode(), p.stderr.String())
	default:
	}
}

// says waits until the process has written a text to stderr.
func (p *process) says(text string) {
	p.t.Helper()
	p.stderr.wait(p.t, p, text)
}

// waits waits for a call that the process makes.
func (p *process) waits(came <-chan *http.Request) *http.Request {
	p.t.Helper()
	select {
	case r := <-came:
		return r
	case <-p.ended:
		p.alive()
	case <-time.After(patience):
		p.t.Fatalf("%v makes no call: %s", p.cmd.Args, p.stderr.String())
	}
	return nil
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// exits waits for the end and holds the process to its exit code.
func (p *process) exits(code int) {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatalf("%v does not end: %s", p.cmd.Args, p.stderr.String())
	}
	if got := p.cmd.ProcessState.ExitCode(); got != code {
		p.t.Errorf("%v exits %d, want %d: %s", p.cmd.Args, got, code, p.stderr.String())
	}
}

// kill is kill -9, and returns when the kernel is through with it.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.ended
}

// output keeps what a process writes.
type output struct {
	mu    sync.Mutex
	text  bytes.Buffer
	grown chan struct{} // closed at the next write
}

func (o *output) Write(data []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.grown)
	o.grown = make(chan struct{})
	return o.text.Write(data)
}

func (o *output) look() (text string, grown <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String(), o.grown
}

func (o *output) String() string {
	text, _ := o.look()
	return text
}

// wait waits until p has written a text to o.
func (o *output) wait(t *testing.T, p *process, text string) {
	t.Helper()
	limit := time.After(patience)
	for {
		said, grown := o.look()
		if strings.Contains(said, text) {
			return
		}
		select {
		case <-grown:
		case <-p.ended: // with all its output taken
			if !strings.Contains(o.String(), text) {
				p.alive()
			}
		case <-limit:
			t.Fatalf("%v never said %q: %s", p.cmd.Args, text, said)
		}
	}
}
