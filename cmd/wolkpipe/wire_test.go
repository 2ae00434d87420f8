package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"wolkpipe/cmd/wolkpipe/config"
)

// TestWarnOfSettle tells of ages that somebody chose, and of nothing else.
func TestWarnOfSettle(t *testing.T) {
	c := &config.Config{Operations: []config.Operation{
		{Name: "default", Settle: config.DefaultSettle()}, {Name: "never", Settle: []time.Duration{}},
	}}
	var text bytes.Buffer
	log := slog.New(slog.NewTextHandler(&text, nil))
	if warnOfSettle(c, log); text.Len() > 0 {
		t.Errorf("told: %s", text.String())
	}
	c.Operations = append(c.Operations, config.Operation{Name: "chosen", Settle: []time.Duration{time.Hour}})
	if warnOfSettle(c, log); strings.Count(text.String(), "\n") != 1 || !strings.Contains(text.String(), "operations=[chosen]") {
		t.Errorf("told: %q", text.String())
	}
}
