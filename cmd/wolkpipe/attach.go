package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/cmd/wolkpipe/config"
	"wolkpipe/pipeline/broker"
)

// attach reaches the NATS of an installation to look at it: the external one,
// the one that a running daemon embeds, or, where none runs, one of our own on
// the data folder, which nobody else reaches. running is false in that case.
func attach(ctx context.Context, c *config.Config, log *slog.Logger) (in *installation, running bool, err error) {
	in = &installation{config: c, log: log}
	if c.NATS.URL != "" {
		err = in.connect(ctx, "wolkpipe look", false)
		return in, true, err
	}
	if running, err = in.embedded(ctx); errors.As(err, new(*broker.InUseError)) {
		running, err = in.embedded(ctx) // a daemon that was starting may listen by now
	}
	if err != nil {
		in.Close()
		return nil, false, err
	}
	return in, running, nil
}

// embedded reaches the server that a daemon embeds, or starts one.
func (in *installation) embedded(ctx context.Context) (running bool, err error) {
	c := in.config
	nc, err := broker.Attach(c.Data, broker.RemoteOptions{Name: "wolkpipe look", TLS: broker.TLS(c.NATS.TLS), Logger: in.log})
	switch {
	case err == nil:
		in.nats = nc
		in.closers = append(in.closers, nc.Close)
		in.js, err = jetstream.New(nc)
		return true, err
	case !errors.Is(err, broker.ErrNotRunning):
		return false, err
	}
	if err := in.connect(ctx, "wolkpipe look", false); err != nil {
		return false, fmt.Errorf("looking at the data folder: %w", err)
	}
	return false, nil
}
