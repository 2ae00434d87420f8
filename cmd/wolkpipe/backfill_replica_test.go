package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"wolkpipe/pipeline/backfill"
	"wolkpipe/pipeline/chat7/chat7sim"
	"wolkpipe/pipeline/window"
)

// startNATS starts a NATS server that is nobody's own.
func startNATS(t *testing.T) (url string) {
	t.Helper()
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), SyncAlways: true, NoLog: true, NoSigs: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(patience) {
		t.Fatal("the NATS server does not start")
	}
	return s.ClientURL()
}

// TestReplicasBackfill has two daemons on one NATS with one operation, live
// and with backfills. One is stopped for longer than any lease and goes on; one
// is killed while the source works on its call. No call meets another on the
// token, and in the end all is the truth, no event twice.
//
// WOLKPIPE_TEST_KILLS and WOLKPIPE_TEST_SEED make it longer, or another one.
func TestReplicasBackfill(t *testing.T) {
	t.Parallel()
	rounds, seed := number(t, "WOLKPIPE_TEST_KILLS", 3), number(t, "WOLKPIPE_TEST_SEED", 1)
	rng := rand.New(rand.NewPCG(seed, 4))
	s, clock := quickSite(t, noon, 30, chat7sim.Options{Seed: seed, Scenario: chat7sim.Scenario{
		Operations: brisk("ventas"),
		Faults: chat7sim.Faults{
			Latency: chat7sim.Latency{Base: 3 * time.Millisecond, Random: 6 * time.Millisecond}, ServerErrors: 0.005, OddNames: 0.3, Shuffled: true,
		},
	}})
	s.nats = startNATS(t)
	configs := []string{"wolkpipe.yaml", "two.yaml"}
	for i, data := range []string{"data", "data-two"} {
		s.configure("2026-11-27", "15m", fmt.Sprintf("nats: {url: %q}", s.nats), "status: {listen: \"127.0.0.1:0\"}", "data: "+data,
			fmt.Sprintf("sinks: [{name: events, kind: events}, {name: lake, kind: parquet, bucket: %q}]", "file://"+s.path("data", "lake")))
		if i == 1 {
			s.write(configs[1], s.text(configs[0]))
		}
	}
	s.write("wolkpipe.yaml", strings.Replace(s.text("wolkpipe.yaml"), "data: data-two", "data: data", 1))
	daemons := make([]*process, 2)
	start := func(i int) {
		daemons[i] = s.start("run", "-c", configs[i])
		daemons[i].says(`"msg":"running"`)
	}
	start(0)
	start(1)
	last := window.DateOf(2026, 11, 26)
	first := last - window.Date(rounds) // a day's work for each round, and one more
	from, to, windows := first.String(), last.String(), 96*int(rounds+1)
	id := fmt.Sprintf("ventas-%s-%s", first.Compact(), last.Compact())
	code, stdout, stderr := s.run(backfillArgs("ventas", from, to, "--detach")...)
	if code != 0 {
		t.Fatalf("--detach exits %d: %s%s", code, stdout, stderr)
	}
	follower := s.start(backfillArgs("ventas", from, to)...)
	follower.says("filling: ") // where no daemon answers it would begin to work itself

	// The source works on a call for so long whatever becomes of the caller: a
	// minute at the most. A lease is over by half of what one is stopped for.
	const works, stopped = 1500 * time.Millisecond, 5 * time.Second
	callers := 0
	for round := range rounds {
		came := daemons[0].waits(s.watch.stallNext(works))
		for _, i := range rng.Perm(2) { // until it is that of the caller
			if round%2 == 0 {
				daemons[i].kill()
			} else {
				daemons[i].signal(syscall.SIGSTOP)
			}
			if round%2 == 1 {
				break
			}
			select {
			case <-came.Context().Done(): // the caller is gone
				callers++
			case <-time.After(200 * time.Millisecond):
				continue
			}
			break
		}
		if round%2 == 1 {
			time.Sleep(stopped) // the other one works meanwhile
		}
		for i, p := range daemons {
			select {
			case <-p.ended:
				start(i)
			default:
				p.signal(syscall.SIGCONT)
			}
		}
		s.progress(daemons[0], s.calls()+20+rng.Int64N(20))
	}
	s.status(daemons[0], reached(backfill.Done, id))
	follower.exits(0)
	if want := fmt.Sprintf("Done: %s, %d windows, ", id, windows); !strings.HasPrefix(follower.stdout.String(), want) {
		t.Errorf("the follower ends with %q: %s", follower.stdout.String(), follower.stderr.String())
	}
	end := s.status(daemons[0], complete)
	for _, p := range daemons {
		p.signal(syscall.SIGTERM)
	}
	for _, p := range daemons {
		p.exits(0)
	}
	t.Logf("%d rounds, %d calls open when their process was killed, %s on the clock", rounds, callers, clock.Now().Sub(noon).Round(time.Minute))
	end.Operations[0].Due += windows
	s.check(from, 15*time.Minute, end)
	s.checkOverlaps()
}

// TestBackfillWithoutDaemonOnExternalNATS does the work itself where others own
// the NATS server, and no daemon answers.
func TestBackfillWithoutDaemonOnExternalNATS(t *testing.T) {
	t.Parallel()
	s, _ := quickSite(t, noon, 100, chat7sim.Options{Seed: 12, Scenario: chat7sim.Scenario{Operations: brisk("ventas")}})
	s.nats = startNATS(t)
	s.configure("2026-11-27", "1h", fmt.Sprintf("nats: {url: %q}", s.nats), "status: {listen: \"127.0.0.1:0\"}")
	args := backfillArgs("ventas", "2026-11-01", "2026-11-02")
	if code, _, stderr := s.run(append(args, "--detach")...); code != 2 || !strings.Contains(stderr, "--detach needs a running daemon") {
		t.Errorf("--detach exits %d: %s", code, stderr)
	}
	if code, _, stderr := s.run("backfill", "-c", "wolkpipe.yaml", "--cancel", "ventas-20261101-20261102"); code != 1 || !strings.Contains(stderr, "no backfill has this id") {
		t.Errorf("--cancel exits %d: %s", code, stderr)
	}
	code, stdout, stderr := s.run(args...)
	if want := "Done: ventas-20261101-20261102, 48 windows, 48 of them filled now, "; code != 0 || !strings.HasPrefix(stdout, want) {
		t.Errorf("it exits %d, want %q: %s%s", code, want, stdout, stderr)
	}
	s.check("2026-11-01", time.Hour, covered(map[string]int{"ventas": 48}))
}
