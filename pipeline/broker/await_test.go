package broker

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/schemas"
)

func TestAwait(t *testing.T) {
	api := func(code int, number jetstream.ErrorCode) error {
		return fmt.Errorf("asking: %w", &jetstream.APIError{Code: code, ErrorCode: number})
	}
	for name, c := range map[string]struct {
		err    error
		passes bool
	}{
		"no leader of the cluster":     {api(503, 10008), true},
		"a stream without its server":  {api(500, 10118), false},
		"servers are missing":          {api(400, codeNoPeers), true},
		"no answer":                    {fmt.Errorf("asking: %w", context.DeadlineExceeded), true},
		"no stream answers":            {jetstream.ErrNoStreamResponse, true},
		"the server went away":         {nats.ErrDisconnected, true},
		"no JetStream":                 {api(503, codeNotEnabled), false},
		"none for the account":         {errors.Join(jetstream.ErrJetStreamNotEnabledForAccount, nats.ErrNoResponders), false},
		"no such setting":              {api(400, 10052), false},
		"made elsewhere, unknown here": {fmt.Errorf("%w: %w", errJustMade, jetstream.ErrStreamNotFound), true},
		"no such stream":               {jetstream.ErrStreamNotFound, false},
		"another":                      {errors.New("another"), false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tries := 0
				begin := time.Now()
				err := Await(t.Context(), quiet, func(context.Context) error {
					tries++
					return c.err
				})
				took := time.Since(begin)
				switch {
				case !errors.Is(err, c.err):
					t.Errorf("error %v", err)
				case c.passes && (took < awaitTime || took > awaitTime+5*time.Second || tries < 10):
					t.Errorf("given up after %d tries in %v", tries, took)
				case !c.passes && tries != 1:
					t.Errorf("tried %d times", tries)
				}
				tries = 0
				err = Await(t.Context(), quiet, func(context.Context) error {
					if tries++; tries < 4 {
						return c.err
					}
					return nil
				})
				if c.passes != (err == nil) {
					t.Errorf("with success at the fourth try: %v", err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				tries = 0
				_ = Await(ctx, quiet, func(context.Context) error {
					tries++
					cancel()
					return c.err
				})
				if tries != 1 {
					t.Errorf("tried %d times after the end", tries)
				}
			})
		})
	}
}

// Buckets are made and checked as streams are.
func TestBuckets(t *testing.T) {
	s := begin(t, Options{})
	nc, err := s.Connect("test")
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js := on(t, nc)
	all := Streams{Buckets: []Bucket{{Name: "CHAT7_A", Description: "one"}, {Name: "CHAT7_B"}}}
	for range 2 {
		if err := EnsureStreams(t.Context(), js, all); err != nil {
			t.Fatal(err)
		}
	}
	kv, err := js.KeyValue(t.Context(), "CHAT7_A")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Put(t.Context(), "key", []byte("value")); err != nil {
		t.Fatal(err)
	}
	// History, as an operator may want it, does no harm.
	if _, err := js.UpdateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "CHAT7_A", Description: "ours", History: 5}); err != nil {
		t.Fatal(err)
	}
	if err := EnsureStreams(t.Context(), js, all); err != nil {
		t.Error(err)
	}
	status, err := kv.Status(t.Context())
	if err != nil || status.History() != 5 {
		t.Errorf("history %d, error %v", status.History(), err)
	}
	for name, config := range map[string]jetstream.KeyValueConfig{
		"stream KV_CHAT7_A has max_age 1h0m0s and must have none: nats stream edit KV_CHAT7_A --max-age=0":              {Bucket: "CHAT7_A", TTL: time.Hour},
		"stream KV_CHAT7_B has max_bytes 1048576 and must have none: nats stream edit KV_CHAT7_B --max-bytes=-1":        {Bucket: "CHAT7_B", MaxBytes: 1 << 20},
		"stream KV_CHAT7_C has storage Memory and must have File: no edit can change that: rename or remove the stream": {Bucket: "CHAT7_C", Storage: jetstream.MemoryStorage},
	} {
		if _, err := js.CreateOrUpdateKeyValue(t.Context(), config); err != nil {
			t.Fatal(err)
		}
		all.Buckets = []Bucket{{Name: config.Bucket}}
		err := EnsureStreams(t.Context(), js, all)
		if !errors.As(err, new(*SettingError)) || !contains(err, name) {
			t.Errorf("error %v, want %s", err, name)
		}
	}
	if n := count(t, js, schemas.JournalStream); n != 0 {
		t.Errorf("the journal has %d messages", n)
	}
}

func contains(err error, text string) bool {
	return err != nil && len(err.Error()) >= len(text) && err.Error()[:len(text)] == text
}
