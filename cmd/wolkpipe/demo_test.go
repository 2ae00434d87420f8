package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
)

// TestAlongside is of who ends first.
func TestAlongside(t *testing.T) {
	broken, differ := errors.New("broken"), errors.New("differ")
	until := func(end error) func(context.Context) error {
		return func(ctx context.Context) error { <-ctx.Done(); return end }
	}
	at := func(err error) func(context.Context) error {
		return func(context.Context) error { return err }
	}
	for name, c := range map[string]struct {
		run, work func(context.Context) error
		interrupt bool
		want      string
	}{
		"work":                         {run: until(nil), work: at(nil)},
		"work with an error":           {run: until(nil), work: at(differ), want: "differ"},
		"run":                          {run: at(broken), work: until(nil), want: "the pipeline ended early\nbroken"},
		"run without an error":         {run: at(nil), work: until(nil), want: "the pipeline ended early"},
		"a signal":                     {run: until(nil), work: until(differ), interrupt: true, want: "differ"},
		"a signal, and run lingers on": {run: func(context.Context) error { select {} }, work: until(differ), interrupt: true, want: "differ"},
	} {
		t.Run(name, func(t *testing.T) {
			body := func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if c.interrupt {
					cancel()
				}
				if err := alongside(ctx, c.run, c.work); (err == nil) != (c.want == "") || err != nil && err.Error() != c.want {
					t.Errorf("error %v, want %q", err, c.want)
				}
			}
			if strings.Contains(name, "lingers") {
				body(t) // its goroutine stays, which a bubble forbids
				return
			}
			synctest.Test(t, body)
		})
	}
}
