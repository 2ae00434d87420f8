package main

import (
	"io"
	"log/slog"
	"os"

	"golang.org/x/term"

	"wolkpipe/cmd/wolkpipe/config"
)

// newLogger is the log of a configured command, which from then on is the
// default one as well.
func newLogger(c *config.Config) *slog.Logger { return setLogger(c.Log) }

func setLogger(l config.Log) *slog.Logger {
	log := slog.New(logHandler(os.Stderr, isTerminal(os.Stderr), l))
	slog.SetDefault(log)
	return log
}

// logHandler writes text or JSON; which of them is automatic where a person
// may be watching.
func logHandler(w io.Writer, terminal bool, l config.Log) slog.Handler {
	o := &slog.HandlerOptions{Level: l.Level}
	if l.Format == config.TextFormat || l.Format != config.JSONFormat && terminal {
		return slog.NewTextHandler(w, o)
	}
	return slog.NewJSONHandler(w, o)
}

// isTerminal reports whether w is a person's terminal.
func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
