package main

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"wolkpipe/cmd/wolkpipe/config"
)

func TestDrainOn(t *testing.T) {
	const none = -1
	log := slog.Default()
	defer slog.SetDefault(log)
	slog.SetDefault(slog.New(slog.DiscardHandler))
	for name, c := range map[string]struct {
		signals   int
		stopAfter time.Duration // from the first signal
		exit      int
		at        time.Duration
	}{
		"no signal":      {0, time.Second, none, 0},
		"drained":        {1, drainLimit - 1, none, 0},
		"not drained":    {1, drainLimit + 1, 1, drainLimit},
		"second signal":  {2, drainLimit + 1, 130, 0},
		"stopped before": {0, 0, none, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				signals := make(chan os.Signal, 2)
				exit, at, begin := none, time.Duration(0), time.Now()
				ctx, stop := drainOn(t.Context(), signals, func(code int) { exit, at = code, time.Since(begin) })
				for range c.signals {
					signals <- syscall.SIGTERM
				}
				synctest.Wait()
				if cancelled := ctx.Err() == context.Canceled; cancelled != (c.signals > 0) {
					t.Errorf("cancelled %v after %d signals", cancelled, c.signals)
				}
				time.Sleep(c.stopAfter)
				stop()
				synctest.Wait()
				if exit != c.exit || at != c.at {
					t.Errorf("exit %d at %v, want %d at %v", exit, at, c.exit, c.at)
				}
			})
		})
	}
}

func TestLogHandler(t *testing.T) {
	const text, json = `level=WARN msg=m`, `"level":"WARN","msg":"m"`
	for _, c := range []struct {
		format   string
		terminal bool
		want     string
	}{
		{config.AutoFormat, true, text}, {config.AutoFormat, false, json},
		{config.TextFormat, false, text}, {config.JSONFormat, true, json},
	} {
		var out bytes.Buffer
		log := slog.New(logHandler(&out, c.terminal, config.Log{Level: slog.LevelWarn, Format: c.format}))
		log.Info("below the level")
		log.Warn("m")
		if got := out.String(); !strings.Contains(got, c.want) || strings.Contains(got, "below") {
			t.Errorf("%s, terminal %v: %s", c.format, c.terminal, got)
		}
	}
}
