package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// awaitTime is how long a start waits for NATS: an election takes some
// seconds, the restart of a server less than a minute.
const awaitTime = time.Minute

// Await tries until try succeeds, as long as its error is one that a cluster
// gives while it elects a leader or a server of it is started again: for a
// minute at the most. It is for what a process needs at its start, where it
// would otherwise end for what is over in a moment. try must be safe to repeat.
func Await(ctx context.Context, log *slog.Logger, try func(context.Context) error) error {
	if log == nil {
		log = slog.Default()
	}
	begin, told := time.Now(), false
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		err := try(ctx)
		switch {
		case err == nil:
			if told {
				log.Info("nats: ready", "after", time.Since(begin).Round(time.Millisecond))
			}
			return nil
		case ctx.Err() != nil, !passing(err):
			return err
		case time.Since(begin) > awaitTime:
			return fmt.Errorf("NATS was not ready within %s: check that enough of its servers run: %w", awaitTime, err)
		case !told:
			log.Warn("nats: not ready yet; trying again", "for", awaitTime, "error", err)
			told = true
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}

// Codes of the server's errors.json that the client library does not name.
const (
	codeNotEnabled           = 10076 // JetStream, on this server
	codeNotEnabledForAccount = 10039
	codeNoPeers              = 10005 // too few servers have room, or are there, for the replicas
)

// errJustMade means that another process has made what this server does not
// know of yet.
var errJustMade = errors.New("another process has just made it")

// passing reports whether an error may be over in a moment.
func passing(err error) bool {
	if errors.Is(err, errJustMade) || errors.Is(err, jetstream.ErrBucketExists) {
		return true
	}
	var api *jetstream.APIError
	if errors.As(err, &api) {
		switch api.ErrorCode {
		case codeNotEnabled, codeNotEnabledForAccount:
			return false
		case codeNoPeers:
			return true
		}
		return api.Code == 503
	}
	for _, passes := range []error{
		context.DeadlineExceeded, // of a request that nobody answered
		nats.ErrTimeout, nats.ErrDisconnected, nats.ErrConnectionReconnecting, nats.ErrStaleConnection, nats.ErrReconnectBufExceeded,
		nats.ErrNoResponders, jetstream.ErrNoStreamResponse,
	} {
		if errors.Is(err, passes) {
			return !errors.Is(err, jetstream.ErrJetStreamNotEnabled) && !errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount)
		}
	}
	return false
}
