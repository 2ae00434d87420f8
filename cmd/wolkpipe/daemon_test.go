package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"wolkpipe/pipeline"
	"wolkpipe/pipeline/chat7/chat7sim"
)

// busy are the simulator's default operations, at work every day.
func busy() chat7sim.Scenario {
	operations := chat7sim.DefaultOperations()
	for i := range operations {
		operations[i].Weekends, operations[i].Licences = true, 10
	}
	return chat7sim.Scenario{Operations: operations}
}

// TestDaemon has one daemon with everything that looks at it while it runs,
// and after it was interrupted.
func TestDaemon(t *testing.T) {
	t.Parallel()
	s := newSite(t, chat7sim.Options{Scenario: busy(), Seed: 1})
	s.configure(yesterday(), "15m")
	p := s.start()
	last := s.status(p, complete)

	t.Run("second", func(t *testing.T) {
		code, stdout, stderr := s.run("run", "-c", "wolkpipe.yaml")
		if want := fmt.Sprintf("is in use by process %d ", p.cmd.Process.Pid); code != 1 || stdout != "" || !strings.Contains(stderr, want) {
			t.Errorf("a second daemon exits %d: %s%s: want %q", code, stdout, stderr, want)
		}
	})
	t.Run("http", func(t *testing.T) { checkHTTP(t, pageURL(t, p)) })
	t.Run("status", func(t *testing.T) {
		_, stdout, stderr := s.run("status", "-c", "wolkpipe.yaml")
		for _, want := range []string{"up since", "\nventas ", "\nsoporte ", "\nlake ", "\nevents "} {
			if !strings.Contains(stdout, want) {
				t.Errorf("status does not show %q: %s%s", want, stdout, stderr)
			}
		}
	})
	var stored int
	t.Run("tail", func(t *testing.T) {
		follower := s.start("tail", "-c", "wolkpipe.yaml", "--since", "1h", "--operation", "ventas")
		want := fmt.Sprintf(`"window_local":"%s"`, operation(t, last, "ventas").LastWindow)
		follower.stdout.wait(t, follower, want) // of the latest window: all before it have come
		follower.signal(syscall.SIGINT)
		follower.exits(0)
		stored = len(parseEvents(t, follower.stdout.String(), "ventas"))
	})

	p.signal(syscall.SIGINT)
	p.exits(0)
	if met := s.watch.meetings(); met > 0 {
		t.Errorf("%d calls met another on their token", met)
	}

	t.Run("after", func(t *testing.T) {
		code, stdout, stderr := s.run("status", "-c", "wolkpipe.yaml")
		if code != 0 || !strings.Contains(stdout, "No daemon is running") {
			t.Errorf("status exits %d: %s%s", code, stdout, stderr)
		}
		_, stdout, _ = s.run("status", "-c", "wolkpipe.yaml", "--json")
		status, err := pipeline.ParseStatus([]byte(stdout))
		if err != nil || status.Running || operation(t, status, "ventas").LastWindow < operation(t, last, "ventas").LastWindow {
			t.Errorf("%v: %s", err, stdout)
		}
		code, stdout, stderr = s.run("tail", "-c", "wolkpipe.yaml", "--since", "1h", "--operation", "ventas")
		if events := parseEvents(t, stdout, "ventas"); code != 0 || len(events) < stored || stored == 0 {
			t.Errorf("tail exits %d with %d events; there were %d: %s", code, len(events), stored, stderr)
		}
		agent := regexp.MustCompile(`"agent_name":"([A-Z][A-Za-z -]+)"`).FindStringSubmatch(stdout)[1]
		_, stdout, _ = s.run("tail", "-c", "wolkpipe.yaml", "--since", "1h", "--agent", agent)
		for _, e := range parseEvents(t, stdout, "") {
			if e.Type != "wolkpipe.chat_7.row.v1" || e.Data.Agent != agent {
				t.Errorf("tail --agent %s shows %+v", agent, e)
			}
		}
	})
	s.check(yesterday(), 15*time.Minute, last)
	s.checkSecrets(p)
}

// event is as much of an event as tail is asked about.
type event struct {
	ID, Type, SpecVersion string
	Data                  struct {
		Operation string
		Agent     string `json:"agent_name"`
	}
}

// parseEvents reads lines of JSON, all of one operation unless it is empty.
func parseEvents(t *testing.T, text, operation string) (all []event) {
	t.Helper()
	if text == "" {
		t.Fatal("there are no events")
	}
	for line := range strings.Lines(text) {
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil || !strings.HasSuffix(line, "}\n") {
			t.Fatalf("%v: %s", err, line)
		}
		if e.SpecVersion != "1.0" || e.ID == "" || operation != "" && e.Data.Operation != operation {
			t.Fatalf("not an event of %s: %s", operation, line)
		}
		all = append(all, e)
	}
	return all
}

// pageURL finds the address of the status page in the log.
func pageURL(t *testing.T, p *process) string {
	t.Helper()
	p.says(`"msg":"running"`)
	found := regexp.MustCompile(`"status":"(http://[^"]+)"`).FindStringSubmatch(p.stderr.String())
	if found == nil {
		t.Fatalf("the log tells no status page: %s", p.stderr.String())
	}
	return found[1]
}

// get asks until the answer is 200, since a process becomes ready in time.
func get(t *testing.T, url string) string {
	t.Helper()
	for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		code, body := fetch(t, url)
		if code == http.StatusOK {
			return body
		}
		if time.Since(begin) > patience {
			t.Fatalf("%s: %d %s", url, code, body)
		}
	}
}

func fetch(t *testing.T, url string) (code int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(data)
}

func checkHTTP(t *testing.T, url string) {
	for _, path := range []string{"/healthz", "/readyz"} {
		if body := get(t, url+path); body != "ok\n" {
			t.Errorf("%s: %q", path, body)
		}
	}
	if page := get(t, url+"/"); !strings.Contains(page, "ventas") || !strings.Contains(page, "lake") {
		t.Errorf("the page: %s", page)
	}
	if code, _ := fetch(t, url+"/nothing"); code != http.StatusNotFound {
		t.Errorf("/nothing: %d", code)
	}
	metrics := get(t, url+"/metrics")
	for _, want := range []string{
		`wolkpipe_window_lag_seconds{operation="ventas"} `,
		`wolkpipe_source_requests_total{operation="ventas",result="ok"} `,
		`wolkpipe_quota_calls_remaining{operation="ventas"} `,
		`wolkpipe_rejected_rows_total{operation="ventas"} `,
		`wolkpipe_sink_backlog_windows{sink="lake"} `,
		`wolkpipe_build_info{`,
	} {
		if !strings.Contains(metrics, "\n"+want) {
			t.Errorf("there is no metric %s", want)
		}
	}
	labels := regexp.MustCompile(`(\w+)="`)
	for line := range strings.Lines(metrics) {
		if !strings.HasPrefix(line, "wolkpipe_") {
			continue
		}
		for _, label := range labels.FindAllStringSubmatch(line, -1) {
			switch label[1] {
			case "agent", "agent_name", "code", "cod_act":
				t.Errorf("a label that grows without end: %s", line)
			}
		}
	}
}

// checkSecrets looks for the tokens in all that the processes said and keep.
func (s *site) checkSecrets(said ...*process) {
	s.t.Helper()
	look := func(where string, data []byte) {
		for _, op := range s.sim.Operations() {
			if bytes.Contains(data, []byte(op.Tokens[0])) {
				s.t.Errorf("the token of %s is in %s", op.Name, where)
			}
		}
	}
	for _, p := range said {
		look("stdout", []byte(p.stdout.String()))
		look("stderr", []byte(p.stderr.String()))
	}
	files := 0
	err := filepath.WalkDir(s.path("data"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		look(path, data)
		files++
		return err
	})
	if err != nil || files == 0 {
		s.t.Errorf("%d files below data: %v", files, err)
	}
}

// TestSecondSignalEndsAtOnce has a sink that cannot finish, since somebody
// else holds the lake: one signal waits for it in vain and still exits 0, a
// second one does not wait.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		signals []os.Signal
		code    int
	}{
		"one": {[]os.Signal{syscall.SIGTERM}, 0},
		"two": {[]os.Signal{syscall.SIGINT, syscall.SIGINT}, 130},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, chat7sim.Options{Scenario: busy(), Seed: 2})
			s.configure(yesterday(), "15m")
			s.watch.hold.Lock() // nothing is asked before the lake is held
			p := s.start()
			p.says(`"msg":"running"`)
			lock := flock.New(s.path("data", "lake", ".wolkpipe.lock"), flock.SetFlag(os.O_RDWR))
			if err := lock.Lock(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = lock.Close() }()
			s.watch.hold.Unlock()
			// All is asked for, so that no call is left open; hints wait for the lake.
			s.status(p, func(s pipeline.Status) bool {
				idle, waits := true, false
				for _, o := range s.Operations {
					idle = idle && o.Due > 0 && o.Missing == 0
				}
				for _, k := range s.Sinks {
					waits = waits || k.Name == "lake" && k.Backlog > 0
				}
				return idle && waits
			})
			for _, signal := range c.signals {
				p.signal(signal)
				p.says("a second signal ends at once")
			}
			p.exits(c.code)
			if err := lock.Unlock(); err != nil {
				t.Fatal(err)
			}
			p = s.start() // what was left undone is done now
			last := s.status(p, complete)
			p.signal(syscall.SIGTERM)
			p.exits(0)
			s.check(yesterday(), 15*time.Minute, last)
		})
	}
}

// TestHangingSourceDoesNotDelayTheEnd abandons a call that is under way.
func TestHangingSourceDoesNotDelayTheEnd(t *testing.T) {
	t.Parallel()
	scenario := busy()
	scenario.Faults.Latency.Base = time.Hour
	s := newSite(t, chat7sim.Options{Scenario: scenario})
	s.configure(yesterday(), "15m")
	p := s.start()
	s.progress(p, 2)
	p.signal(syscall.SIGTERM)
	p.exits(0)
}

// TestReplacedToken stops an operation whose token is refused, and no other,
// until the token's file is replaced: the daemon is not started again.
func TestReplacedToken(t *testing.T) {
	t.Parallel()
	s := newSite(t, chat7sim.Options{Scenario: busy(), Seed: 3})
	s.configure(yesterday(), "15m")
	s.setToken("ventas", "sim-revoked-long-ago")
	p := s.start()
	s.status(p, func(status pipeline.Status) bool {
		ventas, soporte := operation(t, status, "ventas"), operation(t, status, "soporte")
		return ventas.State == "bad_token" && strings.Contains(ventas.Error, "replace the operation's token") &&
			ventas.LastWindow == "" && soporte.Due > 0 && soporte.Missing == 0 && soporte.State == "running"
	})
	if metrics := get(t, pageURL(t, p)+"/metrics"); !strings.Contains(metrics, `wolkpipe_operation_stopped{operation="ventas",reason="bad_token"} 1`) {
		t.Error("no metric tells that ventas is stopped")
	}
	s.setToken("ventas", "sim-ventas")
	last := s.status(p, complete)
	p.signal(syscall.SIGTERM)
	p.exits(0)
	if met := s.watch.meetings(); met > 0 {
		t.Errorf("%d calls met another on their token", met)
	}
	s.check(yesterday(), 15*time.Minute, last)
	s.checkSecrets(p)
}

// TestPortTaken tells which setting to change.
func TestPortTaken(t *testing.T) {
	t.Parallel()
	var lc net.ListenConfig
	taken, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	s := newSite(t, chat7sim.Options{Scenario: busy()})
	for setting, addresses := range map[string][2]string{
		"nats.listen": {taken.Addr().String(), "127.0.0.1:0"}, "status.listen": {"127.0.0.1:0", taken.Addr().String()},
	} {
		s.configure(yesterday(), "15m", fmt.Sprintf("nats: {listen: %q}", addresses[0]), fmt.Sprintf("status: {listen: %q}", addresses[1]))
		code, stdout, stderr := s.run("run", "-c", "wolkpipe.yaml")
		if code != 1 || stdout != "" || !regexp.MustCompile(`(?m)^wolkpipe: .*`+regexp.QuoteMeta(taken.Addr().String())+`.*`+setting).MatchString(stderr) {
			t.Errorf("%s: exit %d: %s%s", setting, code, stdout, stderr)
		}
	}
	if n := s.calls(); n > 0 {
		t.Errorf("daemons that did not start made %d calls", n)
	}
}

// TestRunWithFlags starts without a file. What it asks the vendor for goes to
// a proxy that lets nothing through: it must go on trying, and say so.
func TestRunWithFlags(t *testing.T) {
	t.Parallel()
	s := newSite(t, chat7sim.Options{Scenario: busy()})
	var mu sync.Mutex
	asked := map[string]int{}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked[r.Method+" "+r.Host]++
		w.WriteHeader(http.StatusBadGateway)
	}))
	defer proxy.Close()
	s.env = append(s.env, "HTTPS_PROXY="+proxy.URL, "NO_PROXY=", "no_proxy=", "WOLKVOX_TOKEN=sim-ventas",
		"WOLKPIPE_NATS_LISTEN=127.0.0.1:0", "WOLKPIPE_STATUS_LISTEN=127.0.0.1:0")
	p := s.start("run", "--server", "0042", "--token", "env:WOLKVOX_TOKEN", "--timezone", "America/Bogota")
	url := pageURL(t, p)
	for begin := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		p.alive()
		mu.Lock()
		n := asked["CONNECT wv0042.wolkvox.com:443"]
		strangers := len(asked)
		mu.Unlock()
		page := get(t, url+"/")
		if n >= 2 && strings.Contains(page, "wv0042 waits") && strings.Contains(page, "transient") {
			if strangers != 1 {
				t.Errorf("others than the vendor were asked for: %v", asked)
			}
			break
		}
		if time.Since(begin) > patience {
			t.Fatalf("%d calls; the page: %s", n, page)
		}
	}
	p.signal(syscall.SIGTERM)
	p.exits(0)
	s.checkSecrets(p)
}

// TestStartWhileLookedAt starts daemons while somebody looks at the folder
// without pause: that holds it for moments only, and must not keep them out.
func TestStartWhileLookedAt(t *testing.T) {
	t.Parallel()
	s := newSite(t, chat7sim.Options{Scenario: busy(), Seed: 4})
	s.configure(yesterday(), "15m")
	p := s.start()
	s.status(p, complete)
	p.kill()
	stop := make(chan struct{})
	var looker sync.WaitGroup
	looker.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				s.run("status", "-c", "wolkpipe.yaml")
			}
		}
	})
	defer looker.Wait()
	defer close(stop)
	for range 4 {
		p = s.start()
		p.says(`"msg":"running"`)
		p.kill()
	}
}

// TestSim serves the simulator until it is interrupted.
func TestSim(t *testing.T) {
	t.Parallel()
	s := newSite(t, chat7sim.Options{})
	p := s.start("sim", "--listen", "127.0.0.1:0", "--seed", "7")
	p.stdout.wait(t, p, "\n")
	url := strings.TrimSpace(p.stdout.String())
	if body := get(t, url+"/truth?operation=ventas&date_ini=20261110000000&date_end=20261110235959"); !strings.Contains(body, `"timezone": "America/Bogota"`) {
		t.Errorf("/truth: %s", body)
	}
	if body := get(t, url+"/stats"); !strings.Contains(body, `"operations"`) {
		t.Errorf("/stats: %s", body)
	}
	if code, body := fetch(t, url+"/api/v2/information.php?api=token_info"); code != http.StatusUnauthorized {
		t.Errorf("a call without a token: %d %s", code, body)
	}
	p.signal(syscall.SIGINT)
	p.exits(0)
}
