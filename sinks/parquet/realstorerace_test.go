package parquet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/sinktest"
	"wolkpipe/sinks/sinktest/servers"
)

// realConditions: of several who create an object, and of several who
// replace it, one wins and all others are told so, in one request and in
// several parts.
func realConditions(t *testing.T, r *remote) {
	r.set(t)
	u, err := url.Parse(r.url)
	if err != nil {
		t.Fatal(err)
	}
	var stores []store
	for range 3 {
		st, _, err := openStore(t.Context(), u, "")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = st.close() }()
		stores = append(stores, st)
	}
	const large = 5
	for round := range large + 1 {
		size := 3000 // S3 and GCS send what is over 16 MiB in parts, Azure what is over 8
		if round == large {
			size = 17 << 20
		}
		name := fmt.Sprintf("race/%d", round)
		for turn := range 2 {
			_, guard, err := stores[0].get(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			putAtOnce(t, stores, name, guard, size, turn)
		}
		before, guard, err := stores[0].get(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		for _, wrong := range []string{"", conditions[u.Scheme].stale} {
			if err := stores[1].put(t.Context(), name, []byte("wrong"), wrong); !errors.Is(err, sinks.ErrConflict) {
				t.Fatalf("a put on the guard %q in place of %q gives %v", wrong, guard, err)
			}
		}
		if after, _, err := stores[2].get(t.Context(), name); err != nil || !bytes.Equal(before, after) {
			t.Fatalf("a refused put changed the object, %v", err)
		}
	}
	// An object that has gone is not made again by who meant to replace it.
	_, guard, err := stores[0].get(t.Context(), "race/0")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.bucket(t).Delete(t.Context(), "race/0"); err != nil {
		t.Fatal(err)
	}
	if err := stores[0].put(t.Context(), "race/0", []byte("again"), guard); !errors.Is(err, sinks.ErrConflict) {
		t.Fatalf("replacing an object that has gone gives %v", err)
	}
}

// putAtOnce lets every store put on one guard. No content is ever put twice:
// on S3 the guard is the content's.
func putAtOnce(t *testing.T, stores []store, name, guard string, size, turn int) {
	t.Helper()
	contents, errs := make([][]byte, len(stores)), make([]error, len(stores))
	var all sync.WaitGroup
	start := make(chan struct{})
	for i, st := range stores {
		contents[i] = make([]byte, size)
		_, _ = rand.NewChaCha8([32]byte{byte(i), byte(turn)}).Read(contents[i]) // it never fails
		all.Go(func() {
			<-start
			errs[i] = st.put(t.Context(), name, contents[i], guard)
		})
	}
	close(start)
	all.Wait()
	winner := -1
	for i, err := range errs {
		switch {
		case err == nil && winner >= 0:
			t.Fatalf("%s: writers %d and %d both replaced %q", name, winner, i, guard)
		case err == nil:
			winner = i
		case !errors.Is(err, sinks.ErrConflict):
			t.Fatalf("%s: writer %d got %v", name, i, err)
		}
	}
	if winner < 0 {
		t.Fatalf("%s: nobody won", name)
	}
	if data, _, err := stores[0].get(t.Context(), name); err != nil || !bytes.Equal(data, contents[winner]) {
		t.Fatalf("%s: what is read is not what the winner wrote, %v", name, err)
	}
}

const raceWriters, raceRounds = 8, 5

// raceWindows are what a writer sees in a round: windows that are its own.
func raceWindows(writer, round int) []schemas.Window {
	var windows []schemas.Window
	for i := range 3 {
		w := win((i*raceRounds+round)*raceWriters+writer, 0, row(fmt.Sprint("writer ", writer), fmt.Sprint(round), int64(i+1)))
		w.Revision, w.ObservedAt = 0, epoch.AddDate(0, 0, 1)
		windows = append(windows, w)
	}
	return windows
}

// judged is a sink whose commits are counted by how they ended.
type judged struct {
	*Sink
	mu             sync.Mutex
	won, conflicts int
	other          error
}

func (j *judged) Load(ctx context.Context, key sinks.Key) (sinks.Held, error) {
	h, err := j.Sink.Load(ctx, key)
	return &judgedHeld{h, j}, err
}

type judgedHeld struct {
	sinks.Held
	judged *judged
}

func (h *judgedHeld) Commit(ctx context.Context, day *sinks.Day) (sinks.Change, error) {
	change, err := h.Held.Commit(ctx, day)
	h.judged.mu.Lock()
	defer h.judged.mu.Unlock()
	switch {
	case err == nil:
		h.judged.won++
	case errors.Is(err, sinks.ErrConflict):
		h.judged.conflicts++
	default:
		h.judged.other = err
	}
	return change, err
}

// realRace: many writers on one day over several handles, all of one
// journal that grows. No window of anybody is lost, no commit ends but by
// winning or a conflict, and a reader always finds whole objects.
func realRace(t *testing.T, r *remote) {
	bucket := r.bucket(t)
	reader := r.open(t, "race")
	var handles []*judged
	for range 3 {
		handles = append(handles, &judged{Sink: r.open(t, "race")})
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	reading := make(chan error, 1)
	go func() { reading <- poll(ctx, reader, key) }()
	source := sinktest.NewSource()
	var all sync.WaitGroup
	for writer := range raceWriters {
		all.Go(func() {
			for round := range raceRounds {
				source.Observe(key, raceWindows(writer, round)...)
				if _, _, err := sinks.Converge(ctx, handles[writer%len(handles)], source, key); err != nil {
					t.Errorf("writer %d: %v", writer, err)
					return
				}
			}
		})
	}
	all.Wait()
	stop()
	if err := <-reading; err != nil {
		t.Error(err)
	}
	conflicts := 0
	for _, j := range handles {
		conflicts += j.conflicts
		if j.other != nil {
			t.Errorf("a commit ended with %v", j.other)
		}
	}
	t.Logf("%d commits were refused", conflicts)
	h := &realHarness{r, bucket, "race/"}
	if d := sinktest.Diff(source.Windows(key), h.Contents(t, key)); d != "" {
		t.Errorf("the lake is not what the journal says:\n%s", d)
	}
}

// The variables that make TestRealWriter one of several writers.
const (
	realWriter = "WOLKPIPE_TEST_REAL_WRITER"
	realURL    = "WOLKPIPE_TEST_REAL_URL"
)

// TestRealWriter is the process that TestRealProcesses starts.
func TestRealWriter(t *testing.T) {
	if os.Getenv(realWriter) == "" {
		t.Skip("it is a process of TestRealProcesses")
	}
	writer, err := strconv.Atoi(os.Getenv(realWriter))
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), Options{Bucket: os.Getenv(realURL), Prefix: "processes"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	source := sinktest.NewSource()
	for round := range raceRounds {
		source.Observe(key, raceWindows(writer, round)...)
		if _, _, err := sinks.Converge(t.Context(), s, source, key); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRealProcesses: the same among processes, each of which knows of its own
// windows alone.
func TestRealProcesses(t *testing.T) {
	server := servers.S3(t)
	server.CreateBucket(t, realBucket)
	r := s3Remote(server)
	source := sinktest.NewSource()
	var all sync.WaitGroup
	for writer := range raceWriters {
		for round := range raceRounds {
			source.Observe(key, raceWindows(writer, round)...)
		}
		all.Go(func() {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestRealWriter$", "-test.count=1")
			cmd.Env = append(append(os.Environ(), r.env...), realWriter+"="+strconv.Itoa(writer), realURL+"="+r.url)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("writer %d: %v\n%s", writer, err, out)
			}
		})
	}
	all.Wait()
	h := &realHarness{r, r.bucket(t), "processes/"}
	if d := sinktest.Diff(source.Windows(key), h.Contents(t, key)); d != "" {
		t.Errorf("the lake is not what the journal says:\n%s", d)
	}
}
