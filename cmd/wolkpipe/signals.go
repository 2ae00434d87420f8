package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// drainLimit is how long a command may take to end after a first signal.
const drainLimit = 25 * time.Second

// catchSignals gives a context that SIGINT and SIGTERM cancel.
func catchSignals(parent context.Context) (ctx context.Context, stop func()) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	ctx, cancel := drainOn(parent, signals, os.Exit)
	return ctx, func() {
		signal.Stop(signals)
		cancel()
	}
}

// drainOn gives a context that the first signal cancels. The second one exits
// at once with 130, the end of drainLimit with 1, unless stop came before.
func drainOn(parent context.Context, signals <-chan os.Signal, exit func(code int)) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(parent)
	stopped := make(chan struct{})
	go func() {
		select {
		case s := <-signals:
			slog.Info("ending; a second signal ends at once", "signal", s.String())
			cancel()
		case <-stopped:
			return
		}
		limit := time.NewTimer(drainLimit)
		defer limit.Stop()
		select {
		case <-signals:
			exit(130)
		case <-limit.C:
			slog.Error("did not end in time", "limit", drainLimit)
			exit(1)
		case <-stopped:
		}
	}()
	return ctx, func() {
		close(stopped)
		cancel()
	}
}
