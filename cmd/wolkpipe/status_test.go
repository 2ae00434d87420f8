package main

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/pipeline"
)

// TestStatusChangesNothing asks an installation that never ran, and one whose
// streams were made but nothing else.
func TestStatusChangesNothing(t *testing.T) {
	path := folder(t, 0)
	dir := filepath.Dir(path)
	names := func() (all []string) {
		t.Helper()
		server, js := serveFolder(t, dir)
		defer server.Close()
		defer js.Conn().Close()
		list := js.StreamNames(t.Context())
		for name := range list.Name() {
			all = append(all, name)
		}
		if err := list.Err(); err != nil {
			t.Fatal(err)
		}
		return all
	}
	empty := func() {
		t.Helper()
		server, js := serveFolder(t, dir)
		defer server.Close()
		defer js.Conn().Close()
		for name := range js.StreamNames(t.Context()).Name() {
			if err := js.DeleteStream(t.Context(), name); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, prepare := range []func(){func() {}, empty} {
		prepare()
		before := names()
		out, log, err := runCommand(t.Context(), newStatusCommand(), "-c", path)
		if err != nil || !strings.Contains(out, "\nventas") || !strings.Contains(log, "start `wolkpipe run`") {
			t.Errorf("%s%s%v", out, log, err)
		}
		if after := names(); strings.Join(after, " ") != strings.Join(before, " ") {
			t.Errorf("streams %v, before %v", after, before)
		}
	}
}

// TestStatusKeepsReplicas compares what a look gives to the pipeline with what
// the bucket has.
func TestStatusKeepsReplicas(t *testing.T) {
	server, js := serveFolder(t, filepath.Dir(folder(t, 0)))
	defer server.Close()
	defer js.Conn().Close()
	in := &installation{js: js}
	if n, err := in.stateReplicas(t.Context()); n != 0 || err != nil {
		t.Fatalf("%d, %v without a bucket", n, err)
	}
	if _, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: pipeline.StateBucket, Replicas: 1}); err != nil {
		t.Fatal(err)
	}
	if n, err := in.stateReplicas(t.Context()); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

// TestAskSilentDaemon asks one that takes requests and never answers.
func TestAskSilentDaemon(t *testing.T) {
	server, js := serveFolder(t, t.TempDir())
	defer server.Close()
	defer js.Conn().Close()
	var s pipeline.Status
	if err := control(t.Context(), js.Conn(), pipeline.StatusSubject, nil, &s); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("error %v where no daemon is", err)
	}
	if _, err := js.Conn().SubscribeSync(pipeline.StatusSubject); err != nil {
		t.Fatal(err)
	}
	if err := controlWithin(t.Context(), 10*time.Millisecond, js.Conn(), pipeline.StatusSubject, nil, &s); err == nil || !strings.Contains(err.Error(), "did not answer wolkpipe.status within 10ms") {
		t.Errorf("error %v", err)
	}
}
