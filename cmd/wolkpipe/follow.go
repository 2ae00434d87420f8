package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"wolkpipe/pipeline"
	"wolkpipe/pipeline/backfill"
	"wolkpipe/pipeline/extract"
)

// follower shows how a backfill gets on, until it has ended.
type follower struct {
	id, operation string
	out, log      io.Writer
	progress      *progress
	clock         extract.Clock
	began         time.Time
	since         time.Time                   // what was told before it was asked for does not count
	missing       int                         // when it began
	waits         string                      // the reason that was told last
	stops         bool                        // a bad token is an end: nobody else goes on
	take          func(context.Context) error // makes the sinks take all; nil: somebody else does
}

func newFollower(cmd *cobra.Command, id, operation string, clock extract.Clock) *follower {
	return &follower{
		id: id, operation: operation, out: cmd.OutOrStdout(), log: cmd.ErrOrStderr(), clock: clock,
		progress: newProgress(cmd.ErrOrStderr()), began: time.Now(), missing: -1,
	}
}

// lookEvery is how often progress is looked at.
const lookEvery = 250 * time.Millisecond

// lost is how long a daemon may be away, to be restarted say.
const lost = 2 * time.Minute

func (f *follower) follow(ctx context.Context, status func(context.Context) (pipeline.Status, error)) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	defer f.progress.done()
	heard := time.Now()
	for {
		s, err := status(ctx)
		switch {
		case err == nil:
			heard = time.Now()
			if ended, err := f.show(ctx, s); ended || err != nil {
				return err
			}
		case ctx.Err() == nil && time.Since(heard) > lost:
			return fmt.Errorf("following %s: the daemon is away; it goes on when it is back: %w", f.id, err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// show tells of a status what is new in it.
func (f *follower) show(ctx context.Context, s pipeline.Status) (ended bool, err error) {
	var b *extract.Backfill
	var waits extract.Status
	for _, o := range s.Operations {
		if o.Operation != f.operation {
			continue
		}
		waits = o.Status
		for i := range o.Backfills {
			if o.Backfills[i].ID == f.id {
				b = &o.Backfills[i]
			}
		}
	}
	if waits.State == "bad_token" && f.stops {
		return true, errors.New(waits.Error)
	}
	if b == nil || b.Asked.Before(f.since) || waits.Reading {
		return false, nil // not taken up yet
	}
	if f.missing < 0 {
		f.missing = b.Missing
	}
	switch b.State {
	case backfill.Cancelled:
		return true, fmt.Errorf("%s was cancelled; what was filled stays", f.id)
	case backfill.Done:
		return f.done(ctx, s, b)
	}
	f.wait(waits)
	if waits.Until == nil {
		what := "filling"
		if b.Missing == 0 {
			what = "comparing with the source"
		}
		f.progress.show(what, b.Windows-b.Missing, b.Windows, backlog(s))
	}
	return false, nil
}

// wait tells why nothing goes on, once for each reason.
func (f *follower) wait(s extract.Status) {
	if s.State == "running" || s.Error == "" || s.Until != nil && s.Until.Sub(f.clock.Now()) < 10*time.Second {
		f.waits = ""
		return
	}
	reason := s.State + s.Error
	if reason != f.waits {
		f.progress.finish()
		until := ""
		if s.Until != nil {
			until = " until " + s.Until.Local().Format("2006-01-02 15:04:05")
		}
		_, _ = fmt.Fprintf(f.log, "waiting%s: %s\n", until, s.Error)
	}
	f.waits = reason
}

// done tells the result, once the sinks have it where that is waited for.
func (f *follower) done(ctx context.Context, s pipeline.Status, b *extract.Backfill) (ended bool, err error) {
	if f.take != nil {
		f.progress.show("handing over to the sinks", b.Windows, b.Windows, backlog(s))
		if err := f.take(ctx); err != nil {
			return true, fmt.Errorf("%s is filled, but %w: once that is mended, `wolkpipe run` or `wolkpipe resync` hands it over", f.id, err)
		}
	}
	f.progress.finish()
	_, err = fmt.Fprintf(f.out, "Done: %s, %d windows, %d of them filled now, in %s.\n",
		f.id, b.Windows, f.missing, time.Since(f.began).Round(100*time.Millisecond))
	return true, err
}

func backlog(s pipeline.Status) (windows int) {
	for _, k := range s.Sinks {
		windows += k.Backlog
	}
	return windows
}
