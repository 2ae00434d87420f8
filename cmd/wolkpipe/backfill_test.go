package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"wolkpipe/pipeline"
	"wolkpipe/pipeline/backfill"
	"wolkpipe/pipeline/chat7/chat7sim"
	"wolkpipe/pipeline/extract"
	"wolkpipe/pipeline/window"
)

// noon is the present of the tests on a quick clock: Friday, 10:00 in Bogotá,
// 12:00 in Santiago.
var noon = time.Date(2026, 11, 27, 15, 0, 0, 0, time.UTC)

// brisk are operations at work every day, of a source that answers at once.
func brisk(names ...string) (all []chat7sim.Operation) {
	for _, op := range busy().Operations {
		for _, name := range names {
			if op.Name == name {
				op.Licences = 100
				all = append(all, op)
			}
		}
	}
	return all
}

// backfillArgs is a command line.
func backfillArgs(operation, from, to string, more ...string) []string {
	return append([]string{"backfill", "-c", "wolkpipe.yaml", "--operation", operation, "--from", from, "--to", to}, more...)
}

// covered is a status of operations that no daemon covers, for check: so many
// windows of each were due.
func covered(windows map[string]int) (s pipeline.Status) {
	for name, due := range windows {
		s.Operations = append(s.Operations, pipeline.OperationStatus{Status: extract.Status{Operation: name, Due: due}})
	}
	return s
}

// lineOf finds a line of a backfill in a status.
func lineOf(s pipeline.Status, id string) (b extract.Backfill, ok bool) {
	for _, o := range s.Operations {
		for _, b := range o.Backfills {
			if b.ID == id {
				return b, true
			}
		}
	}
	return b, false
}

// reached is true of a status in which backfills have come to a state.
func reached(state backfill.State, ids ...string) func(pipeline.Status) bool {
	return func(s pipeline.Status) bool {
		for _, id := range ids {
			if b, ok := lineOf(s, id); !ok || b.State != state {
				return false
			}
		}
		return s.Running
	}
}

// TestBackfillWrongUsage: what cannot be carried out is told, with the exit
// code that fits, and nobody calls the source. With a daemon and without it is
// the same, but for --detach.
func TestBackfillWrongUsage(t *testing.T) {
	t.Parallel()
	s := newSite(t, chat7sim.Options{Scenario: busy()})
	s.configure(yesterday(), "15m")
	tomorrow := time.Now().Add(72 * time.Hour).Format(time.DateOnly)
	const day = "2026-10-01"
	cases := []struct {
		args []string
		code int
		says string
	}{
		{[]string{"backfill", "-c", "wolkpipe.yaml"}, 2, "--operation, --from and --to are missing"},
		{[]string{"backfill", "-c", "wolkpipe.yaml", "--operation", "ventas", "--from", day}, 2, "--to is missing"},
		{[]string{"backfill", "-c", "wolkpipe.yaml", "--operation", "ventas", "--to", day}, 2, "--from is missing"},
		{backfillArgs("vantas", day, day), 2, "vantas.* not in the configuration"},
		{backfillArgs("ventas", "2026-10-02", day), 2, "2026-10-02 is after 2026-10-01"},
		{backfillArgs("ventas", day, tomorrow), 2, tomorrow + " is in the future"},
		{backfillArgs("ventas", "1999-12-31", day), 2, "1999-12-31 is before 2000-01-01"},
		{backfillArgs("ventas", "2026-02-30", day), 2, `--from "2026-02-30" is not a day`},
		{backfillArgs("ventas", day, "today"), 2, `--to "today" is not a day`},
		{backfillArgs("ventas", day, day, "--window", "7m"), 2, "7m.*divide"},
		{backfillArgs("ventas", day, day, "--window", "hourly"), 2, "hourly.*5m or 1h"},
		{backfillArgs("ventas", day, day, "--json"), 2, "--json"},
		{backfillArgs("ventas", day, day, "--plan", "--detach"), 2, "--plan"},
		{backfillArgs("ventas", day, day, "--cancel", "ventas-1"), 2, "--cancel goes with no other flag"},
		{[]string{"backfill", "-c", "wolkpipe.yaml", "--cancel", "ventas-1", "--json"}, 2, "--cancel goes with no other flag"},
		{[]string{"backfill", "-c", "wolkpipe.yaml", "--cancel", "ventas-1", "--plan"}, 2, "--cancel goes with no other flag"},
		{[]string{"backfill", "-c", "wolkpipe.yaml", "--cancel", "ventas-1", "--window", "1h"}, 2, "--cancel goes with no other flag"},
		{[]string{"backfill", "-c", "wolkpipe.yaml", "--cancel", "ventas-20261001-20261001"}, 1, `no backfill has this id.*ventas-20261001-20261001`},
	}
	try := func() {
		t.Helper()
		for _, c := range cases {
			code, stdout, stderr := s.run(c.args...)
			line := regexp.MustCompile(`(?m)^wolkpipe: .*(` + c.says + `).*$`)
			if code != c.code || stdout != "" || !line.MatchString(stderr) || strings.Contains(stderr, "backfill --help") != (c.code == 2) {
				t.Errorf("%v exits %d, want %d and %q: %s%s", c.args, code, c.code, c.says, stdout, stderr)
			}
		}
	}
	try()
	code, stdout, stderr := s.run(backfillArgs("ventas", day, day, "--detach")...)
	if code != 2 || stdout != "" || !strings.Contains(stderr, "--detach needs a running daemon") {
		t.Errorf("--detach without a daemon exits %d: %s%s", code, stdout, stderr)
	}

	// A plan, before anything ever ran.
	code, stdout, stderr = s.run(backfillArgs("ventas", day, "2026-10-02", "--plan")...)
	for _, want := range []string{"ventas-20261001-20261002\n", "192, of which 192 are missing", "no day is recorded to judge by", "not known: `wolkpipe doctor`"} {
		if code != 0 || !strings.Contains(stdout, want) {
			t.Errorf("--plan exits %d without %q: %s%s", code, want, stdout, stderr)
		}
	}
	code, stdout, stderr = s.run(backfillArgs("ventas", day, "2026-10-02", "--plan", "--json", "--window", "1h")...)
	var plan map[string]any
	if err := json.Unmarshal([]byte(stdout), &plan); code != 0 || err != nil || plan["id"] != "ventas-20261001-20261002-3600s" ||
		plan["windows_missing"] != 48.0 || plan["calls_expected"] != nil || plan["calls_at_least"].(float64) < 1 {
		t.Errorf("--plan --json exits %d, %v: %s%s", code, err, stdout, stderr)
	}
	if n := s.calls() + int64(len(s.watch.seen())); n > 0 {
		t.Fatalf("%d calls were made", n)
	}

	s.watch.hold.Lock() // the daemon's own calls are not let through
	defer s.watch.hold.Unlock()
	p := s.start()
	p.says(`"msg":"running"`)
	try()
	if _, stdout, _ := s.run("status", "-c", "wolkpipe.yaml", "--json"); strings.Contains(stdout, `"from"`) {
		t.Errorf("a backfill was taken on: %s", stdout)
	}
}

// TestBackfillWithoutDaemon lets the command do the work itself.
func TestBackfillWithoutDaemon(t *testing.T) {
	t.Parallel()
	s, _ := quickSite(t, noon, 100, chat7sim.Options{Seed: 5, Scenario: chat7sim.Scenario{
		Operations: brisk("ventas"),
		Faults:     chat7sim.Faults{Latency: chat7sim.Latency{Base: 2 * time.Millisecond}, ServerErrors: 0.01, OddNames: 0.3},
	}})
	s.configure("2026-11-27", "15m")
	done := func(from, to, more string, want string) {
		t.Helper()
		code, stdout, stderr := s.run(backfillArgs("ventas", from, to, strings.Fields(more)...)...)
		if line := regexp.MustCompile(`^Done: ` + want + `, in [0-9.]+m?s\.\n$`); code != 0 || !line.MatchString(stdout) {
			t.Fatalf("%s to %s %s exits %d, want %q: %s%s", from, to, more, code, want, stdout, stderr)
		}
		if first := "No daemon runs: filling ventas-"; !strings.Contains(stderr, first) {
			t.Errorf("stderr does not say %q: %s", first, stderr)
		}
	}
	// chat7 runs do and tells how many calls for rows it took.
	chat7 := func(do func()) int {
		before := len(s.watch.all())
		do()
		return len(s.watch.all()) - before
	}
	chat7(func() {
		done("2026-11-01", "2026-11-03", "", "ventas-20261101-20261103, 288 windows, 288 of them filled now")
	})
	again := chat7(func() {
		done("2026-11-01", "2026-11-03", "", "ventas-20261101-20261103, 288 windows, 0 of them filled now")
	})
	if again > 0 {
		t.Errorf("asked again it took %d calls", again)
	}

	// Windows of another length, on days that have none, stay.
	done("2026-11-03", "2026-11-04", "--window 1h", "ventas-20261103-20261104-3600s, 120 windows, 24 of them filled now")
	again = chat7(func() {
		done("2026-11-04", "2026-11-04", "", "ventas-20261104-20261104, 24 windows, 0 of them filled now")
		done("2026-11-04", "2026-11-04", "--window 30m", "ventas-20261104-20261104-1800s, 24 windows, 0 of them filled now")
	})
	if again > 0 {
		t.Errorf("asked again for days with windows of an hour, it took %d calls", again)
	}
	done("2026-11-04", "2026-11-05", "", "ventas-20261104-20261105, 120 windows, 96 of them filled now")
	s.grids = map[string]time.Duration{"2026-11-04": time.Hour}
	if met := s.watch.meetings(); met > 0 {
		t.Errorf("%d calls met another on their token", met)
	}
	s.check("2026-11-01", 15*time.Minute, covered(map[string]int{"ventas": 4*96 + 24}))

	// A token that is refused is an end, with the mend.
	s.setToken("ventas", "sim-revoked-long-ago")
	code, stdout, stderr := s.run(backfillArgs("ventas", "2026-11-06", "2026-11-06")...)
	if code != 1 || stdout != "" || !regexp.MustCompile(`(?m)^wolkpipe: .*replace the operation's token`).MatchString(stderr) {
		t.Errorf("with a bad token it exits %d: %s%s", code, stdout, stderr)
	}
}

// TestBackfillWaitsForQuota spends the day's calls, tells until when it waits,
// and goes on then: past midnight in Bogotá.
func TestBackfillWaitsForQuota(t *testing.T) {
	t.Parallel()
	operations := brisk("ventas")
	operations[0].Licences = 1
	const spent, day = 985, "2026-11-02" // it takes more calls than are left, and fewer than twice that
	begin := time.Date(2026, 11, 27, 4, 45, 0, 0, time.UTC)
	s, clock := quickSite(t, begin, 100, chat7sim.Options{Seed: 6, Scenario: chat7sim.Scenario{
		Operations: operations, Faults: chat7sim.Faults{UsedElsewhere: spent},
	}})
	s.configure("2026-11-26", "1h")
	s.env = append(s.env, "TZ=UTC")
	s.write("wolkpipe.yaml", strings.Replace(s.text("wolkpipe.yaml"), "window: 1h", "window: 1h, quota: 5000", 1)) // the source knows better
	p := s.start(backfillArgs("ventas", day, day)...)
	p.says("waiting until 2026-11-27 05:00:0")
	if now := clock.Now(); now.After(begin.Add(15 * time.Minute)) {
		t.Skipf("the machine is too slow: it is %s by now", now)
	}
	waited := len(s.watch.seen())
	if done := p.stdout.String(); done != "" {
		t.Fatalf("nothing is waited for: %s", done)
	}
	p.exits(0)
	if want := "Done: ventas-20261102-20261102, 24 windows, 24 of them filled now, "; !strings.HasPrefix(p.stdout.String(), want) {
		t.Errorf("it ends with %q: %s", p.stdout.String(), p.stderr.String())
	}
	midnight := time.Date(2026, 11, 27, 5, 0, 0, 0, time.UTC)
	rest := s.watch.seen()[waited:]
	asked := 0
	for _, c := range rest {
		if c.api == "chat_7" && c.at.Before(midnight) {
			asked++
		}
	}
	if asked > 1 {
		t.Errorf("%d calls were made before midnight, while the quota was exhausted", asked)
	}
	if n := s.sim.Stats().Operations["ventas"].QuotaRefused; n > 1 {
		t.Errorf("%d calls went past the quota", n)
	}
	s.check(day, time.Hour, covered(map[string]int{"ventas": 24}))
}

// TestInterruptedBackfill interrupts the command that does the work itself. A
// daemon that is started later leaves the rest alone; the same command goes on.
func TestInterruptedBackfill(t *testing.T) {
	t.Parallel()
	s, _ := quickSite(t, noon, 100, chat7sim.Options{Seed: 7, Scenario: chat7sim.Scenario{
		Operations: brisk("ventas"), Faults: chat7sim.Faults{Latency: chat7sim.Latency{Base: 3 * time.Millisecond}},
	}})
	s.configure("2026-11-27", "5m")
	s.grids = map[string]time.Duration{"2026-11-27": 5 * time.Minute}
	args := backfillArgs("ventas", "2026-11-22", "2026-11-26", "--window", "15m")
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		before := s.calls()
		p := s.start(args...)
		s.progress(p, before+60)
		p.signal(signal)
		sent := time.Now()
		p.exits(1)
		if took := time.Since(sent); took > 10*time.Second {
			t.Errorf("it took %s to end", took)
		}
		if !strings.Contains(p.stderr.String(), "What was filled stays; the same command goes on with the rest.\n") || p.stdout.String() != "" {
			t.Errorf("interrupted it says %s%s", p.stdout.String(), p.stderr.String())
		}
	}

	p := s.start()
	status := s.status(p, complete)
	const id = "ventas-20261122-20261126-900s"
	left, ok := lineOf(status, id)
	if !ok || left.State != backfill.Cancelled || left.Missing == 0 || left.Missing == left.Windows {
		t.Errorf("after two interrupts it is %+v", left)
	}
	last := operation(t, status, "ventas").LastWindow
	status = s.status(p, func(s pipeline.Status) bool { // it has had the time
		return complete(s) && operation(t, s, "ventas").LastWindow > last
	})
	if now, _ := lineOf(status, id); now.Missing != left.Missing {
		t.Errorf("the daemon went on with it: %d missing, %d before", now.Missing, left.Missing)
	}
	p.signal(syscall.SIGTERM)
	p.exits(0)
	code, stdout, stderr := s.run(args...)
	if want := fmt.Sprintf("Done: %s, 480 windows, %d of them filled now, ", id, left.Missing); code != 0 || !strings.HasPrefix(stdout, want) {
		t.Errorf("asked again it exits %d, want %q: %s%s", code, want, stdout, stderr)
	}
	s.check("2026-11-22", 15*time.Minute, covered(map[string]int{"ventas": 480}))
}

// TestKilledBackfillConverges kills the command that does the work itself
// again and again, and gives it the same range each time. In the end all is
// the truth, no call met another, and nothing was asked for twice but for what
// the process had under way.
//
// WOLKPIPE_TEST_KILLS and WOLKPIPE_TEST_SEED make it longer, or another one.
func TestKilledBackfillConverges(t *testing.T) {
	t.Parallel()
	kills, seed := min(number(t, "WOLKPIPE_TEST_KILLS", 6), 20), number(t, "WOLKPIPE_TEST_SEED", 1) // then it is done
	t.Logf("%d kills, seed %d", kills, seed)
	rng := rand.New(rand.NewPCG(seed, 3))
	s, _ := quickSite(t, noon, 100, chat7sim.Options{Seed: seed, Scenario: chat7sim.Scenario{
		Operations: brisk("ventas"),
		Faults: chat7sim.Faults{
			Latency:      chat7sim.Latency{Base: 2 * time.Millisecond, Random: 6 * time.Millisecond},
			ServerErrors: 0.01, OddNames: 0.3, Shuffled: true,
		},
	}})
	s.configure("2026-11-27", "15m")
	args := backfillArgs("ventas", "2026-11-01", "2026-11-06")
	for kill := range kills {
		before := s.calls()
		p := s.start(args...)
		s.progress(p, before+1+rng.Int64N(80))
		if kill%2 == 0 { // while the source works on a call, and goes on with it
			p.waits(s.watch.stallNext(400 * time.Millisecond))
		}
		p.kill()
		s.checkLakeFiles()
	}
	s.watch.next()
	code, stdout, stderr := s.run(args...)
	if code != 0 || !strings.HasPrefix(stdout, "Done: ventas-20261101-20261106, 576 windows, ") {
		t.Fatalf("it exits %d: %s%s", code, stdout, stderr)
	}
	s.check("2026-11-01", 15*time.Minute, covered(map[string]int{"ventas": 576}))
	s.checkOverlaps()

	// A range that was asked for once more was lost with a process, or failed.
	times, twice := map[[2]string]int{}, 0
	for _, c := range s.watch.all() {
		from, to := parseLocal(t, c.from), parseLocal(t, c.to)
		if k := [2]string{c.from, c.to}; to-from < 900 {
			if times[k]++; times[k] > 1 {
				twice++
			}
		}
	}
	failed := int(s.sim.Stats().Operations["ventas"].Faults["server_errors"])
	t.Logf("%d calls for %d windows, %d windows asked for again, %d failures, %d calls open when the process was killed",
		len(s.watch.all()), len(times), twice, failed, (kills+1)/2)
	if limit := 8*int(kills) + failed; twice > limit {
		t.Errorf("%d windows were asked for more than once, %d at the most are bounded by what was under way", twice, limit)
	}
}

// checkOverlaps holds all calls to one at a time on a token, those included
// that a killed process left open at the source.
func (s *site) checkOverlaps() {
	s.t.Helper()
	for name, token := range s.sim.Stats().Tokens {
		s.t.Logf("%s: %d calls, %d overlaps", token.Operation, token.Calls, token.Overlaps)
		if token.Overlaps > 0 {
			s.t.Errorf("%d calls overlapped on %s", token.Overlaps, name)
		}
	}
	s.watch.mu.Lock()
	defer s.watch.mu.Unlock()
	if s.watch.met > 0 || s.watch.anyMet > 0 {
		s.t.Errorf("%d calls met another on their token, %d of them one of the same process", s.watch.anyMet, s.watch.met)
	}
}

// parseLocal reads a wall-clock time as the source is asked with it.
func parseLocal(t *testing.T, text string) window.Local {
	t.Helper()
	at, err := time.Parse("20060102150405", text)
	if err != nil {
		t.Fatal(err)
	}
	date, err := window.ParseDate(at.Format(time.DateOnly))
	if err != nil {
		t.Fatal(err)
	}
	return date.Start() + window.Local(at.Hour()*3600+at.Minute()*60+at.Second())
}

// text is what a file of the site holds.
func (s *site) text(name string) string {
	s.t.Helper()
	data, err := os.ReadFile(s.path(name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(data)
}

// fixedPort is a free port for a server that is started again on it: below
// those that the system gives out by itself.
func fixedPort(t *testing.T) string {
	t.Helper()
	var lc net.ListenConfig
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(10000))
		if l, err := lc.Listen(t.Context(), "tcp", address); err == nil {
			_ = l.Close()
			return address
		}
	}
	t.Fatal("no port is free")
	return ""
}

// TestBackfillByDaemon asks a daemon for several ranges at once, follows them,
// ends one, stops following another, and kills the daemon in between.
func TestBackfillByDaemon(t *testing.T) {
	t.Parallel()
	s, _ := quickSite(t, noon, 100, chat7sim.Options{Seed: 8, Scenario: chat7sim.Scenario{
		Operations: brisk("ventas", "soporte"),
		Faults:     chat7sim.Faults{Latency: chat7sim.Latency{Base: 2 * time.Millisecond}, ServerErrors: 0.005},
	}})
	s.configure("2026-11-27", "30m", fmt.Sprintf("nats: {listen: %q}", fixedPort(t)), "status: {listen: \"127.0.0.1:0\"}")
	p := s.start()
	s.status(p, complete)

	// Followed to its end.
	code, stdout, stderr := s.run(backfillArgs("ventas", "2026-11-20", "2026-11-20")...)
	if code != 0 || !regexp.MustCompile(`^Done: ventas-20261120-20261120, 48 windows, 4\d of them filled now, in [0-9.]+m?s\.\n$`).MatchString(stdout) ||
		!strings.Contains(stderr, "The daemon fills ventas-20261120-20261120; Ctrl-C ends the following only.") {
		t.Errorf("followed it exits %d: %s%s", code, stdout, stderr)
	}

	// Two at once on one operation, one on another; nothing advances meanwhile.
	detach := func(operation, from, to string) (id string) {
		t.Helper()
		code, stdout, stderr := s.run(backfillArgs(operation, from, to, "--detach")...)
		id = operation + "-" + strings.ReplaceAll(from+"-"+to, "-", "")
		id = id[:len(operation)+9] + "-" + id[len(operation)+9:]
		if code != 0 || !strings.Contains(stdout, "The daemon fills "+id+".") {
			t.Fatalf("--detach exits %d, want the id %s: %s%s", code, id, stdout, stderr)
		}
		return id
	}
	s.watch.hold.Lock()
	a := detach("ventas", "2026-11-21", "2026-11-23")
	b := detach("ventas", "2026-11-24", "2026-11-26")
	c := detach("soporte", "2026-11-20", "2026-11-26")
	s.status(p, reached(backfill.Active, a, b, c))
	if _, stdout, stderr := s.run("status", "-c", "wolkpipe.yaml"); !strings.Contains(stdout, a) || !strings.Contains(stdout, b) || !strings.Contains(stdout, c) {
		t.Errorf("status does not show the backfills: %s%s", stdout, stderr)
	}
	following := s.start(backfillArgs("ventas", "2026-11-21", "2026-11-23")...)
	cancelled := s.start(backfillArgs("ventas", "2026-11-24", "2026-11-26")...)
	following.says("filling: ")
	cancelled.says("filling: ")
	if code, stdout, stderr := s.run("backfill", "-c", "wolkpipe.yaml", "--cancel", b); code != 0 || stdout != "Ended "+b+". What was filled stays.\n" {
		t.Errorf("--cancel exits %d: %s%s", code, stdout, stderr)
	}
	cancelled.exits(1)
	if want := "wolkpipe: " + b + " was cancelled; what was filled stays\n"; !strings.HasSuffix(cancelled.stderr.String(), want) {
		t.Errorf("the follower of what was cancelled says %s", cancelled.stderr.String())
	}
	if code, _, stderr := s.run("backfill", "-c", "wolkpipe.yaml", "--cancel", b); code != 1 || !strings.Contains(stderr, "has ended already") {
		t.Errorf("--cancel a second time exits %d: %s", code, stderr)
	}
	following.signal(syscall.SIGINT)
	following.exits(1)
	if want := "The daemon goes on with it. The same command follows it again; --cancel " + a + " ends it.\n"; !strings.Contains(following.stderr.String(), want) {
		t.Errorf("the interrupted follower says %s", following.stderr.String())
	}
	s.watch.hold.Unlock()
	status := s.status(p, reached(backfill.Done, a, c))
	if line, _ := lineOf(status, b); line.State != backfill.Cancelled || line.Missing != line.Windows {
		t.Errorf("what was cancelled is %+v", line)
	}

	// Killed right after it took one on, and in the middle; a follower stays.
	s.watch.hold.Lock()
	b = detach("ventas", "2026-11-24", "2026-11-26")
	p.kill()
	s.watch.hold.Unlock()
	p = s.start()
	p.says(`"msg":"running"`)
	s.progress(p, s.calls()+20)
	s.watch.hold.Lock()
	follower := s.start(backfillArgs("ventas", "2026-11-24", "2026-11-26")...)
	follower.says("filling: ")
	p.kill()
	s.watch.hold.Unlock()
	time.Sleep(answerLimit + time.Second) // it asks in vain
	p = s.start()
	s.status(p, reached(backfill.Done, b))
	follower.exits(0)
	if want := "Done: " + b + ", 144 windows, "; !strings.HasPrefix(follower.stdout.String(), want) {
		t.Errorf("the follower ends with %q: %s", follower.stdout.String(), follower.stderr.String())
	}
	last := s.status(p, complete)
	p.signal(syscall.SIGTERM)
	p.exits(0)
	for i := range last.Operations {
		last.Operations[i].Due += 7 * 48
	}
	s.check("2026-11-20", 30*time.Minute, last)
	s.checkOverlaps()
}

// TestFollowerIgnoresAnEarlierEnd: of several daemons that answer, one may not
// have heard yet that a backfill was asked for again.
func TestFollowerIgnoresAnEarlierEnd(t *testing.T) {
	cmd := newBackfillCommand(extract.System{})
	var out strings.Builder
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	f := newFollower(cmd, "ventas-20261101-20261101", "ventas", extract.System{})
	f.since = noon
	for _, c := range []struct {
		asked time.Time
		state backfill.State
		ended bool
	}{
		{noon.Add(-time.Hour), backfill.Cancelled, false},
		{noon.Add(-time.Hour), backfill.Done, false},
		{noon, backfill.Active, false},
		{noon, backfill.Done, true},
		{noon.Add(time.Minute), backfill.Cancelled, true}, // somebody else asked again meanwhile
	} {
		s := covered(map[string]int{"ventas": 24})
		s.Operations[0].Backfills = []extract.Backfill{{ID: f.id, State: c.state, Asked: c.asked, Windows: 24, Missing: 4}}
		if ended, _ := f.show(t.Context(), s); ended != c.ended {
			t.Errorf("%s, asked for at %s: ended is %t: %s", c.state, c.asked, ended, out.String())
		}
	}
	if want := "Done: ventas-20261101-20261101, 24 windows, 4 of them filled now, in "; !strings.Contains(out.String(), want) {
		t.Errorf("it says %q, want %q", out.String(), want)
	}
}

// TestBackfillWhileDaemonStarts asks a daemon that has taken its folder and does
// not listen yet: it is waited for.
func TestBackfillWhileDaemonStarts(t *testing.T) {
	t.Parallel()
	s, _ := quickSite(t, noon, 100, chat7sim.Options{Seed: 11, Scenario: chat7sim.Scenario{Operations: brisk("ventas")}})
	s.configure("2026-11-27", "1h")
	p := s.start()
	p.says(`"msg":"running"`)
	for range 4 {
		p.kill() // the address that it leaves behind is nobody's
		p = s.start()
		for held := ""; !strings.HasPrefix(held, fmt.Sprint(p.cmd.Process.Pid, " ")); time.Sleep(time.Millisecond) {
			p.alive()
			held = s.text("data/lock")
		}
		code, stdout, stderr := s.run(backfillArgs("ventas", "2026-11-01", "2026-11-01", "--detach")...)
		if code != 0 || !strings.Contains(stdout, "The daemon fills ventas-20261101-20261101.") {
			t.Errorf("it exits %d: %s%s", code, stdout, stderr)
		}
	}
}

// TestBackfillDelaysNoLiveWindow counts, for each live window that becomes due
// while backfills run, the calls that began between then and its own: the one
// that was being made, and no more.
func TestBackfillDelaysNoLiveWindow(t *testing.T) {
	t.Parallel()
	s, clock := quickSite(t, noon, 50, chat7sim.Options{Seed: 9, Scenario: chat7sim.Scenario{
		Operations: brisk("ventas", "soporte"), Faults: chat7sim.Faults{Latency: chat7sim.Latency{Base: 4 * time.Millisecond, Random: 8 * time.Millisecond}},
	}})
	s.configure("2026-11-27", "1m")
	p := s.start()
	s.status(p, complete)
	begin := clock.Now().Add(time.Minute)
	for _, name := range []string{"ventas", "soporte"} {
		if code, _, stderr := s.run(backfillArgs(name, "2026-10-01", "2026-11-26", "--detach")...); code != 0 {
			t.Fatal(stderr)
		}
	}
	zones := map[string]window.Zone{}
	for _, op := range s.sim.Operations() {
		zone, err := window.LoadZone(op.Timezone)
		if err != nil {
			t.Fatal(err)
		}
		zones[op.Tokens[0]] = zone
	}
	s.progress(p, s.calls()+400)
	if err := clock.Sleep(t.Context(), begin.Add(10*time.Minute).Sub(clock.Now())); err != nil { // windows must become due
		t.Fatal(err)
	}
	status := s.status(p, reached(backfill.Active, "ventas-20261001-20261126", "soporte-20261001-20261126"))
	end := clock.Now().Add(-time.Minute)
	p.kill()

	looked, most, filling := 0, 0, 0
	for token, zone := range zones {
		var calls []call
		for _, c := range s.watch.all() {
			if c.token == token {
				calls = append(calls, c)
			}
		}
		for _, w := range zone.Windows(zone.Local(begin).Date(), window.Grid(time.Minute)) {
			due := w.End.Add(time.Minute)
			if due.Before(begin) || due.After(end) {
				continue
			}
			looked++
			before, found := 0, false
			for _, c := range calls {
				if c.at.Before(due) {
					continue
				}
				if found = parseLocal(t, c.from) <= w.From && parseLocal(t, c.to) >= w.To-1; found {
					break
				}
				before++
			}
			if !found {
				t.Errorf("%s was never asked for", w)
				continue
			}
			most = max(most, before)
			if before > 1 {
				t.Errorf("%s: %d calls were made after it was due and before its own", w, before)
			}
		}
		for _, c := range calls {
			if !c.at.Before(begin) && parseLocal(t, c.from).Date() < zone.Local(begin).Date() {
				filling++
			}
		}
	}
	t.Logf("%d live windows beside %d calls of backfills: at most %d calls before one that was due", looked, filling, most)
	if looked < 10 || filling < 200 {
		t.Errorf("too little to judge by: %+v", status.Operations)
	}
}

// TestSharedToken has two operations that share one token, live and with
// backfills: one call at a time.
func TestSharedToken(t *testing.T) {
	t.Parallel()
	s, _ := quickSite(t, noon, 100, chat7sim.Options{Seed: 10, Scenario: chat7sim.Scenario{
		Operations: brisk("ventas"), Faults: chat7sim.Faults{Latency: chat7sim.Latency{Base: 2 * time.Millisecond, Random: 4 * time.Millisecond}},
	}})
	text := "operations:\n"
	for _, name := range []string{"ventas", "again"} {
		text += fmt.Sprintf("  - {name: %s, url: %q, token: \"file:token-ventas\", timezone: America/Bogota, since: 2026-11-27, window: 15m}\n", name, s.url)
	}
	s.write("wolkpipe.yaml", text+"nats: {listen: \"127.0.0.1:0\"}\nstatus: {listen: \"127.0.0.1:0\"}\n")
	p := s.start()
	p.says(`"msg":"running"`)
	for _, name := range []string{"ventas", "again"} {
		if code, _, stderr := s.run(backfillArgs(name, "2026-11-25", "2026-11-26", "--detach")...); code != 0 {
			t.Fatal(stderr)
		}
	}
	s.status(p, reached(backfill.Done, "ventas-20261125-20261126", "again-20261125-20261126"))
	s.status(p, complete)
	p.signal(syscall.SIGTERM)
	p.exits(0)
	s.checkOverlaps()
	have := s.read("2026-11-25")
	one, two := tally{}, tally{}
	for k, n := range have.rows {
		half := one
		if k.operation == "again" {
			half = two
		}
		k.operation = ""
		if k.window < "2026-11-27" {
			half[k] = n
		}
	}
	if one.minus(two) > 0 || two.minus(one) > 0 || len(one) == 0 {
		t.Errorf("of one source the operations hold %d and %d rows", len(one), len(two))
	}
}
