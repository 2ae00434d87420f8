package broker

import (
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/schemas"
)

func TestStreamsAreMadeOnce(t *testing.T) {
	s := begin(t, Options{})
	js := asOwner(t, s)
	tell(t, js, 1)
	asOwner(t, s)
	if n := count(t, js, schemas.EventsStream); n != 1 {
		t.Errorf("after a second run the events stream has %d messages", n)
	}
	for _, want := range (Streams{}).configs() {
		stream, err := js.Stream(t.Context(), want.Name)
		if err != nil {
			t.Fatal(err)
		}
		have := stream.CachedInfo().Config
		if have.Duplicates != 100*time.Millisecond || !have.AllowAtomicPublish || have.Storage != jetstream.FileStorage || have.MaxAge != 0 {
			t.Errorf("stream %s has %+v", want.Name, have)
		}
		if journal := want.Name == schemas.JournalStream; have.AllowDirect == journal || have.AllowRollup != journal {
			t.Errorf("stream %s has allow_direct %v, allow_rollup %v", want.Name, have.AllowDirect, have.AllowRollup)
		}
	}
}

// A shorter window than this is refused, should a newer server take one.
func TestDuplicatesAreForgottenAsSoonAsCanBe(t *testing.T) {
	js := asOwner(t, begin(t, Options{}))
	config := Streams{}.configs()[0]
	config.Name, config.Subjects, config.Duplicates = "SHORTER", []string{"shorter"}, shortestDuplicates-time.Millisecond
	if _, err := js.CreateStream(t.Context(), config); err == nil {
		t.Error("the server takes a shorter duplicate window now: use it")
	}
}

func TestReplicasStartTogether(t *testing.T) {
	s := begin(t, Options{})
	nc, err := s.Connect("test")
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js := on(t, nc)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := EnsureStreams(t.Context(), js, Streams{}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestSettingsThatBreakGuarantees(t *testing.T) {
	journal, events := schemas.JournalStream, schemas.EventsStream
	for _, c := range []struct {
		stream, setting, mend string
		change                func(*jetstream.StreamConfig)
	}{
		{events, "max_age", "nats stream edit CHAT7_EVENTS --max-age=0", func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour }},
		{events, "max_msgs", "nats stream edit CHAT7_EVENTS --max-msgs=-1", func(c *jetstream.StreamConfig) { c.MaxMsgs = 10 }},
		{events, "max_bytes", "nats stream edit CHAT7_EVENTS --max-bytes=-1", func(c *jetstream.StreamConfig) { c.MaxBytes = 1 << 20 }},
		{events, "max_msgs_per_subject", "nats stream edit CHAT7_EVENTS --max-msgs-per-subject=-1", func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 1 }},
		{events, "max_msg_size", "nats stream edit CHAT7_EVENTS --max-msg-size=-1", func(c *jetstream.StreamConfig) { c.MaxMsgSize = 100 }},
		{events, "retention", "nats stream edit CHAT7_EVENTS --retention=limits", func(c *jetstream.StreamConfig) { c.Retention = jetstream.InterestPolicy }},
		{events, "storage", "no edit can change that", func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage }},
		{events, "subjects", "nats stream edit CHAT7_EVENTS --subjects='chat7.events.>'", func(c *jetstream.StreamConfig) { c.Subjects = []string{"chat7.events.*.row.>"} }},
		{events, "allow_atomic", "nats stream edit CHAT7_EVENTS --allow-batch", func(c *jetstream.StreamConfig) { c.AllowAtomicPublish = false }},
		{events, "allow_msg_ttl", "nats stream edit CHAT7_EVENTS --allow-msg-ttl", func(c *jetstream.StreamConfig) { c.AllowMsgTTL = false }},
		{events, "duplicate_window", "nats stream edit CHAT7_EVENTS --dupe-window=100ms", func(c *jetstream.StreamConfig) { c.Duplicates = 2 * time.Minute }},
		{events, "no_ack", "nats stream edit CHAT7_EVENTS --ack", func(c *jetstream.StreamConfig) { c.NoAck = true; c.AllowAtomicPublish = false }},
		{events, "max_consumers", "no edit can change that", func(c *jetstream.StreamConfig) { c.MaxConsumers = 5 }},
		{events, "consumer_limits", "nats stream edit CHAT7_EVENTS --interactive", func(c *jetstream.StreamConfig) { c.ConsumerLimits.MaxAckPending = 10 }},
		{events, "subject_delete_marker_ttl", "no edit can change that", func(c *jetstream.StreamConfig) { c.SubjectDeleteMarkerTTL, c.AllowRollup = time.Hour, true }},
		{events, "persist_mode", "no edit can change that", func(c *jetstream.StreamConfig) {
			c.PersistMode, c.AllowAtomicPublish = jetstream.AsyncPersistMode, false
		}},
		{journal, "allow_rollup_hdrs", "nats stream edit CHAT7_JOURNAL --allow-rollup", func(c *jetstream.StreamConfig) { c.AllowRollup = false }},
		{journal, "allow_direct", "nats stream edit CHAT7_JOURNAL --no-allow-direct", func(c *jetstream.StreamConfig) { c.AllowDirect = true }},
		{journal, "deny_purge", "no edit can change that", func(c *jetstream.StreamConfig) { c.DenyPurge = true; c.AllowRollup = false }},
		{journal, "subject_transform", "nats stream edit CHAT7_JOURNAL --no-transform", func(c *jetstream.StreamConfig) {
			c.SubjectTransform = &jetstream.SubjectTransformConfig{Source: "chat7.journal.>", Destination: "chat7.journal.x.>"}
		}},
	} {
		t.Run(c.setting, func(t *testing.T) {
			s := begin(t, Options{})
			nc, err := s.Connect("test")
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			js := on(t, nc)
			var changed jetstream.StreamConfig
			for _, config := range (Streams{}).configs() {
				if config.Name == c.stream {
					changed = config
				}
			}
			c.change(&changed)
			before, err := js.CreateStream(t.Context(), changed)
			if err != nil {
				t.Fatal(err)
			}
			err = EnsureStreams(t.Context(), js, Streams{})
			var wrong *SettingError
			if !errors.As(err, &wrong) {
				t.Fatalf("error %v", err)
			}
			if !strings.Contains(err.Error(), "stream "+c.stream+" has "+c.setting+" ") || !strings.Contains(err.Error(), c.mend) {
				t.Errorf("error %v, want one of %s with %q", err, c.setting, c.mend)
			}
			after, err := js.Stream(t.Context(), c.stream)
			if err != nil {
				t.Fatal(err)
			}
			if a, b := after.CachedInfo().Config, before.CachedInfo().Config; !reflect.DeepEqual(a, b) {
				t.Errorf("the stream was changed from %+v to %+v", b, a)
			}
		})
	}
}

func TestFewerReplicas(t *testing.T) {
	want, have := Streams{Replicas: 3}.configs()[0], Streams{}.configs()[0]
	errs := check(want, have)
	if len(errs) != 1 || !strings.Contains(errs[0].Error(), "num_replicas 1 and must have 3: nats stream edit CHAT7_JOURNAL --replicas=3") {
		t.Errorf("errors %v", errs)
	}
	if errs := check(have, want); len(errs) != 0 {
		t.Errorf("more replicas than asked for: %v", errs)
	}
}

// What harms nothing is the operator's to choose.
func TestSettingsThatAreFree(t *testing.T) {
	s := begin(t, Options{})
	js := asOwner(t, s)
	config := Streams{}.configs()[1]
	config.Description, config.Compression, config.DenyDelete = "ours", jetstream.S2Compression, false
	if _, err := js.UpdateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	asOwner(t, s)
}
