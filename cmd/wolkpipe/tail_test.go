package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"wolkpipe/pipeline/broker"
	"wolkpipe/schemas"
)

// slowConsumer has a number of events, and takes its time for each. Afterwards
// its Next blocks until it is released, whatever context it is given.
type slowConsumer struct {
	jetstream.Consumer
	events   uint64
	each     time.Duration
	given    uint64
	released chan struct{}
	pending  uint64 // that it says are there, beyond events
}

func (c *slowConsumer) CachedInfo() *jetstream.ConsumerInfo {
	return &jetstream.ConsumerInfo{NumPending: c.events + c.pending}
}

func (c *slowConsumer) Messages(...jetstream.PullMessagesOpt) (jetstream.MessagesContext, error) {
	return slowMessages{slowConsumer: c}, nil
}

type slowMessages struct {
	jetstream.MessagesContext
	*slowConsumer
}

func (c slowMessages) Next(...jetstream.NextOpt) (jetstream.Msg, error) {
	if c.given == c.events {
		<-c.released
		return nil, jetstream.ErrMsgIteratorClosed
	}
	time.Sleep(c.each)
	c.given++
	return storedEvent{n: c.given, left: c.events + c.pending - c.given}, nil
}

func (c slowMessages) Stop() {}

type storedEvent struct {
	jetstream.Msg
	n, left uint64
}

func (e storedEvent) Data() []byte { return fmt.Append(nil, e.n) }

func (e storedEvent) Metadata() (*jetstream.MsgMetadata, error) {
	return &jetstream.MsgMetadata{NumPending: e.left}, nil
}

// TestFollow is of the ends that following has.
func TestFollow(t *testing.T) {
	for name, c := range map[string]struct {
		consumer slowConsumer
		stored   bool
		cancel   time.Duration // when ctx ends; 0: never
		shown    int
		want     string // of the error
	}{
		"nothing stored":                    {stored: true},
		"stored, slowly":                    {consumer: slowConsumer{events: 3, each: 20 * time.Second}, stored: true, shown: 3},
		"stored, and NATS stalls":           {consumer: slowConsumer{events: 2, pending: 1}, stored: true, shown: 2, want: "none has come for 30s"},
		"stored, interrupted":               {consumer: slowConsumer{events: 2, pending: 1}, stored: true, shown: 2, cancel: time.Second, want: "context canceled"},
		"as they come, for an hour":         {consumer: slowConsumer{events: 2, each: 30 * time.Minute}, shown: 2, cancel: 2 * time.Hour},
		"as they come, none, NATS away":     {cancel: time.Second},
		"as they come, all of them at once": {consumer: slowConsumer{events: 700}, shown: 700, cancel: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if c.cancel > 0 {
					time.AfterFunc(c.cancel, cancel)
				}
				consumer := c.consumer
				consumer.released = make(chan struct{})
				defer close(consumer.released)
				shown := 0
				err := follow(ctx, &consumer, c.stored, func([]byte) error { shown++; return nil })
				if shown != c.shown {
					t.Errorf("%d events shown, want %d", shown, c.shown)
				}
				if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
					t.Errorf("error %v, want %q", err, c.want)
				}
			})
		})
	}
}

// folder is an installation's data folder with the streams made and n events
// of operation ventas, and a configuration for it.
func folder(t *testing.T, n int) (path string) {
	t.Helper()
	dir := t.TempDir()
	server, js := serveFolder(t, dir)
	defer server.Close()
	defer js.Conn().Close()
	if err := broker.EnsureStreams(t.Context(), js, broker.Streams{}); err != nil {
		t.Fatal(err)
	}
	tell(t, js, 0, n)
	path = filepath.Join(dir, "wolkpipe.yaml")
	text := "operations:\n  - {name: ventas, server: \"0042\", token: env:TOKEN, timezone: America/Bogota}\nnats: {listen: \"127.0.0.1:0\"}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// serveFolder does what a daemon does for its NATS.
func serveFolder(t *testing.T, dir string) (*broker.Server, jetstream.JetStream) {
	t.Helper()
	server, err := broker.Start(t.Context(), broker.Options{Dir: filepath.Join(dir, "data"), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	nc, err := server.Connect("test")
	if err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return server, js
}

// tell publishes the events numbered from, up to but not including to.
func tell(t *testing.T, js jetstream.JetStream, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		if _, err := js.Publish(t.Context(), schemas.RowSubject("ventas", "CODE"), fmt.Appendf(nil, `{"n": %d}`, i)); err != nil {
			t.Fatal(err)
		}
	}
}

// runCommand carries out one command line of wolkpipe in this process.
func runCommand(ctx context.Context, cmd *cobra.Command, args ...string) (stdout, stderr string, err error) {
	var out, log bytes.Buffer
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetOut(&out)
	cmd.SetErr(&log)
	cmd.SetArgs(args)
	err = cmd.ExecuteContext(ctx)
	return out.String(), log.String(), err
}

// TestTailWithoutDaemon shows what is stored, and ends.
func TestTailWithoutDaemon(t *testing.T) {
	const n = 600 // more than are fetched at once
	path := folder(t, n)
	for _, args := range [][]string{{}, {"--since", "1h"}, {"--operation", "ventas"}, {"--code", "CODE"}} {
		out, _, err := runCommand(t.Context(), newTailCommand(), append(args, "-c", path)...)
		if err != nil {
			t.Fatalf("%v: %v", args, err)
		}
		if got := strings.Count(out, "\n"); got != n || !strings.HasPrefix(out, "{\"n\":0}\n") {
			t.Errorf("%v: %d events, want %d", args, got, n)
		}
	}
	out, _, err := runCommand(t.Context(), newTailCommand(), "-c", path, "--code", "NONE")
	if out != "" || err != nil {
		t.Errorf("a code that nobody uses: %q, %v", out, err)
	}
}

// TestTailLosesNothing has the consumer's connection cut before its first
// event, and events published meanwhile.
func TestTailLosesNothing(t *testing.T) {
	dir := filepath.Dir(folder(t, 3))
	server, js := serveFolder(t, dir)
	defer server.Close()
	defer js.Conn().Close()
	nc, err := broker.Attach(filepath.Join(dir, "data"), broker.RemoteOptions{Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	other, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	consumer, err := tailOptions{}.consumer(t.Context(), other, false)
	if err != nil {
		t.Fatal(err)
	}
	tell(t, js, 3, 5)
	stream, err := js.Stream(t.Context(), schemas.EventsStream)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.DeleteConsumer(t.Context(), consumer.CachedInfo().Name); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var shown []string
	enough := errors.New("enough")
	err = follow(ctx, consumer, false, func(data []byte) error {
		if shown = append(shown, string(data)); len(shown) == 2 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || fmt.Sprint(shown) != `[{"n": 3} {"n": 4}]` {
		t.Errorf("shown %v, %v", shown, err)
	}
}
