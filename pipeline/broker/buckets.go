package broker

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// Bucket is a KV bucket that the pipeline keeps what it must remember in.
type Bucket struct {
	Name        string
	Description string // of one that is made
}

// config is what the bucket's stream must have: everything is kept until it
// is overwritten.
func (b Bucket) config(replicas int) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: "KV_" + b.Name, Subjects: []string{"$KV." + b.Name + ".>"},
		Retention: jetstream.LimitsPolicy, Storage: jetstream.FileStorage,
		MaxMsgs: -1, MaxBytes: -1, MaxMsgsPerSubject: 1, MaxMsgSize: -1, MaxConsumers: -1,
		Replicas: max(replicas, 1), Duplicates: anyDuplicates, AllowRollup: true, AllowDirect: true,
	}
}

// ensure gives the settings of the bucket's stream, created if missing.
func (b Bucket) ensure(ctx context.Context, js jetstream.JetStream, replicas int) (jetstream.StreamConfig, error) {
	stream, err := js.Stream(ctx, "KV_"+b.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		_, err = js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
			Bucket: b.Name, Description: b.Description, History: 1, Storage: jetstream.FileStorage, Replicas: max(replicas, 1),
		})
		if err != nil && !errors.Is(err, jetstream.ErrBucketExists) { // another replica may be faster
			return jetstream.StreamConfig{}, fmt.Errorf("creating bucket %s with %d replicas: %w", b.Name, max(replicas, 1), err)
		}
		if stream, err = js.Stream(ctx, "KV_"+b.Name); errors.Is(err, jetstream.ErrStreamNotFound) {
			err = fmt.Errorf("%w: %w", errJustMade, err)
		}
	}
	if err != nil {
		return jetstream.StreamConfig{}, fmt.Errorf("reading the settings of bucket %s: %w", b.Name, err)
	}
	return stream.CachedInfo().Config, nil
}
