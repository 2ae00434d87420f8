package events

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/sinktest"
)

// writerURL in the environment makes the test binary a process that tells
// one version of a day after another until it is killed.
const writerURL = "WOLKPIPE_TEST_EVENTS_WRITER"

func TestMain(m *testing.M) {
	if url := os.Getenv(writerURL); url != "" {
		if err := write(url); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

func write(url string) error {
	nc, err := nats.Connect(url)
	if err != nil {
		return err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	ctx := context.Background()
	s, err := Open(ctx, Options{JetStream: js})
	if err != nil {
		return err
	}
	h, err := s.Load(ctx, testKey)
	if err != nil {
		return err
	}
	// Where the one before was killed, or a little further.
	first := 1
	for _, w := range h.(*held).state.windows {
		first = max(first, int(w.observedAt.Sub(window(0).ObservedAt)/time.Second))
	}
	for v := first; ; v++ {
		fmt.Println(v)
		if _, err := h.Commit(ctx, version(v)); err != nil {
			return err
		}
		if h, err = s.Load(ctx, testKey); err != nil {
			return err
		}
	}
}

// version is a day of 60 windows, one of 1,200 rows among them: several
// batches, and a change that is told as two revisions.
func version(v int) *sinks.Day {
	day := theDay()
	for i := range 60 {
		rows := 20
		if i == 30 {
			rows = 1200
		}
		counts := make([]int64, rows)
		for j := range counts {
			counts[j] = int64((i+j+v)%5 + 1)
		}
		day.Windows = append(day.Windows, again(window(i, counts...), v))
	}
	if v%2 == 0 {
		day.State = schemas.Settled
	}
	return day
}

func TestKilledWriter(t *testing.T) {
	url, js := newStream(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	partial := 0
	for round := range 8 {
		last := killedWriter(t, self, url)
		seen := map[time.Time]bool{}
		for _, w := range load(t, openSink(t, url)).(*held).state.windows {
			seen[w.observedAt] = true
		}
		if len(seen) > 1 {
			partial++
		}
		day := version(last + round%2)
		commitTo(t, load(t, openSink(t, url)), day)
		a := auditAll(t, js)
		if d := sinktest.Diff(day.Windows, a.contents(testKey)); d != "" {
			t.Fatalf("round %d, after version %d: the stream does not hold the day (wanted -, held +):\n%s", round, last, d)
		}
		if a.days[testKey].State != day.State {
			t.Fatalf("round %d: the day is told as %s, is %s", round, a.days[testKey].State, day.State)
		}
	}
	t.Logf("%d of 8 kills left a day told in part", partial)
}

// killedWriter lets a process write for a moment, kills it, and gives the
// version that it was at.
func killedWriter(t *testing.T, self, url string) (last int) {
	t.Helper()
	cmd := exec.Command(self, "-test.run=^$")
	cmd.Env = append(os.Environ(), writerURL+"="+url)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for range 1 + rand.IntN(4) {
		if !lines.Scan() {
			t.Fatal("the writer ended by itself")
		}
		if _, err := fmt.Sscan(lines.Text(), &last); err != nil {
			t.Fatal(err)
		}
	}
	kill := time.AfterFunc(time.Duration(rand.IntN(60))*time.Millisecond, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	for lines.Scan() {
		if _, err := fmt.Sscan(lines.Text(), &last); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Fatalf("the writer ended by itself: %v", err)
	}
	return last
}
