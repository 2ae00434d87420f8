package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/schemas"
)

// The stream of chunks that no handler can decode.
const (
	PoisonStream   = "CHAT7_POISON"
	PoisonSubjects = "chat7.poison.>"
)

// shortestDuplicates is the shortest duplicate window that a server takes.
// Publications are guarded by expected sequences; ids that the server
// remembers cost memory, and refuse a batch that may be wanted.
const shortestDuplicates = 100 * time.Millisecond

// anyDuplicates is the duplicate window of streams that see no message ids.
const anyDuplicates = math.MaxInt64 * time.Nanosecond

// Streams are the settings that an installation may choose.
type Streams struct {
	Replicas int          // of every stream and bucket; 0 means 1
	Buckets  []Bucket     // KV buckets to make and check besides
	Log      *slog.Logger // nil: slog.Default()
}

func (s Streams) configs() []jetstream.StreamConfig {
	base := func(name, subjects, description string) jetstream.StreamConfig {
		return jetstream.StreamConfig{
			Name: name, Subjects: []string{subjects}, Description: description,
			Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardOld, Storage: jetstream.FileStorage,
			MaxMsgs: -1, MaxBytes: -1, MaxMsgsPerSubject: -1, MaxMsgSize: -1, MaxConsumers: -1,
			Replicas: max(s.Replicas, 1), Duplicates: shortestDuplicates,
			AllowAtomicPublish: true,
		}
	}
	journal := base(schemas.JournalStream, schemas.JournalSubjects, "wolkpipe: what the source said; wolkpipe's alone")
	journal.AllowRollup = true // of settled days
	events := base(schemas.EventsStream, schemas.EventsSubjects, "wolkpipe: events for consumers")
	events.AllowMsgTTL = true // of row events, where configured
	events.AllowDirect = true
	quarantine := base(schemas.QuarantineStream, schemas.QuarantineSubjects, "wolkpipe: rows that could not be read")
	quarantine.AllowDirect = true
	poison := base(PoisonStream, PoisonSubjects, "wolkpipe: chunks that could not be decoded")
	poison.AllowDirect = true
	return []jetstream.StreamConfig{journal, events, quarantine, poison}
}

// EnsureStreams makes sure that the pipeline's streams and buckets exist with
// settings that keep its guarantees. It creates those that are missing and
// never changes one that exists: for each setting that is wrong the error holds
// a [*SettingError]. A cluster that elects a leader is waited for: see [Await].
func EnsureStreams(ctx context.Context, js jetstream.JetStream, s Streams) error {
	await := func(try func(context.Context) error) error { return Await(ctx, s.Log, try) }
	if err := await(func(ctx context.Context) error { return checkServer(ctx, js) }); err != nil {
		return err
	}
	warnOfServers(ctx, js.Conn(), s.Log)
	var errs []error
	ensure := func(want jetstream.StreamConfig, ensure func(context.Context) (jetstream.StreamConfig, error)) error {
		return await(func(ctx context.Context) error {
			have, err := ensure(ctx)
			if err == nil {
				errs = append(errs, check(want, have)...)
			}
			return err
		})
	}
	for _, want := range s.configs() {
		err := ensure(want, func(ctx context.Context) (jetstream.StreamConfig, error) { return ensureStream(ctx, js, want) })
		if err != nil {
			return err
		}
	}
	for _, b := range s.Buckets {
		err := ensure(b.config(s.Replicas), func(ctx context.Context) (jetstream.StreamConfig, error) { return b.ensure(ctx, js, s.Replicas) })
		if err != nil {
			return err
		}
	}
	return errors.Join(errs...)
}

// ensureStream gives the settings of a stream, created if missing. They are
// the server's answer: a server that does not know a setting leaves it out.
func ensureStream(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig) (jetstream.StreamConfig, error) {
	stream, err := js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		stream, err = js.CreateStream(ctx, want)
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			if stream, err = js.Stream(ctx, want.Name); errors.Is(err, jetstream.ErrStreamNotFound) { // another replica was faster
				err = fmt.Errorf("%w: %w", errJustMade, err)
			}
		}
		if err != nil {
			return want, fmt.Errorf("creating stream %s with %d replicas: %w", want.Name, want.Replicas, err)
		}
	}
	if err != nil {
		return want, fmt.Errorf("reading the settings of stream %s: %w", want.Name, err)
	}
	return stream.CachedInfo().Config, nil
}

// atomicLevel is the JetStream API level of servers 2.12, the first with
// atomic batches.
const atomicLevel = 2

func checkServer(ctx context.Context, js jetstream.JetStream) error {
	info, err := js.AccountInfo(ctx)
	version := js.Conn().ConnectedServerVersion()
	switch {
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount),
		errors.Is(err, nats.ErrNoResponders):
		return fmt.Errorf("the NATS server (version %s) has no JetStream for this account: enable it: %w", version, err)
	case err != nil:
		return fmt.Errorf("asking the NATS server for JetStream: %w", err)
	case info.API.Level < atomicLevel:
		return fmt.Errorf("the NATS server (version %s) has no atomic batches: wolkpipe needs 2.12 or newer on every server", version)
	}
	return nil
}
