package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"wolkpipe/cmd/wolkpipe/config"
	"wolkpipe/pipeline"
	"wolkpipe/pipeline/backfill"
	"wolkpipe/pipeline/broker"
	"wolkpipe/pipeline/extract"
)

// backfillCommand is one call of `wolkpipe backfill`.
type backfillCommand struct {
	ask          backfill.Ask
	cancel       string
	plan, detach bool
	json         bool

	cmd    *cobra.Command
	config *config.Config
	clock  extract.Clock
}

// newBackfillCommand makes the command; where no daemon runs, its own work
// lives by clock.
func newBackfillCommand(clock extract.Clock) *cobra.Command {
	b := backfillCommand{clock: clock}
	cmd := &cobra.Command{
		Use:   "backfill -c FILE --operation NAME --from DATE --to DATE",
		Short: "Fill a range of days",
		Long: "Fill a range of days, both included, in the operation's time zone. A running\n" +
			"daemon is asked to, beside its live polling, and its progress is followed; an\n" +
			"interrupt ends the following only. Where none runs, the command does it itself;\n" +
			"an interrupt then ends the backfill. Asking again goes on where it stopped:\n" +
			"nothing is asked for twice. It takes fewest calls once `wolkpipe doctor` has\n" +
			"found that the source's counts add up.",
		Example: "  wolkpipe backfill -c wolkpipe.yaml --operation ventas --from 2026-01-01 --to 2026-06-30 --plan\n" +
			"  wolkpipe backfill -c wolkpipe.yaml --operation ventas --from 2026-01-01 --to 2026-06-30\n" +
			"  wolkpipe backfill -c wolkpipe.yaml --cancel ventas-20260101-20260630",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			b.cmd = cmd
			if b.config, err = loadConfig(cmd); err != nil {
				return err
			}
			return b.run(cmd.Context())
		},
	}
	configFlag(cmd)
	rangeFlags(cmd, &b.ask, "the operation's `NAME`")
	f := cmd.Flags()
	f.StringVar(&b.ask.Window, "window", "", "`LENGTH` of the windows of days that have none yet, such as 15m (the operation's)")
	f.BoolVar(&b.plan, "plan", false, "only tell what it would take; asks the source nothing")
	f.BoolVar(&b.detach, "detach", false, "do not follow the daemon's progress")
	f.BoolVar(&b.json, "json", false, "with --plan: print JSON")
	f.StringVar(&b.cancel, "cancel", "", "end the backfill with this `ID`; what it brought stays")
	return cmd
}

func (b *backfillCommand) run(ctx context.Context) error {
	if b.cancel != "" {
		if b.ask != (backfill.Ask{}) || b.plan || b.detach || b.json {
			return usagef("--cancel goes with no other flag but -c")
		}
		return b.end(ctx)
	}
	switch {
	case b.detach && b.plan:
		return usagef("--detach does not go with --plan")
	case b.json && !b.plan:
		return usagef("--json goes with --plan only")
	}
	request, err := requestOf(b.config, b.ask, b.clock.Now())
	if err != nil {
		return err
	}
	if b.plan {
		b.config = one(b.config, request.Operation)
		return b.forecast(ctx, request)
	}
	for begun := time.Now(); ; {
		err := b.try(ctx, request)
		if !coming(err) || time.Since(begun) > startLimit {
			return err
		}
		select {
		case <-time.After(lookEvery):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// startLimit is how long a process that holds the data folder may take until
// it listens to requests, or has let go of it.
const startLimit = 10 * time.Second

// coming tells of an error that it is of a daemon which is about to start or
// to end.
func coming(err error) bool {
	return errors.As(err, new(*broker.InUseError)) || errors.Is(err, nats.ErrNoServers) || errors.Is(err, errSilent)
}

// errSilent means that a process holds the data folder and takes no requests.
var errSilent = errors.New("the process that holds the data folder takes no requests")

// try asks a daemon, or does the work where none runs.
func (b *backfillCommand) try(ctx context.Context, request backfill.Request) error {
	in, running, err := attach(ctx, b.config, newLogger(b.config))
	if err != nil {
		return err
	}
	defer in.Close()
	if running {
		var named pipeline.Named
		err := control(ctx, in.nats, pipeline.BackfillSubject, b.ask, &named)
		switch {
		case err == nil:
			return b.asked(ctx, in, named.ID)
		case !errors.Is(err, nats.ErrNoResponders):
			return err
		case b.config.NATS.URL == "":
			return fmt.Errorf("%w: %s", errSilent, b.config.Data)
		}
	}
	in.Close()
	return b.alone(ctx, request)
}

// operation is the one that is asked for, without its source.
func (b *backfillCommand) operation() pipeline.Operation {
	return operationOf(one(b.config, b.ask.Operation).Operations[0])
}

// asked follows what a daemon was asked to do.
func (b *backfillCommand) asked(ctx context.Context, in *installation, id string) error {
	out := b.cmd.OutOrStdout()
	var err error
	if b.detach {
		_, err = fmt.Fprintf(out, "The daemon fills %s. See it in `wolkpipe status`; end it with --cancel %s.\n", id, id)
		return err
	}
	_, _ = fmt.Fprintf(b.cmd.ErrOrStderr(), "The daemon fills %s; Ctrl-C ends the following only.\n", id)
	f := newFollower(b.cmd, id, b.ask.Operation, b.clock)
	if f.since, err = in.askedAt(ctx, id); err != nil {
		return err
	}
	err = f.follow(ctx, func(ctx context.Context) (s pipeline.Status, err error) {
		err = control(ctx, in.nats, pipeline.StatusSubject, nil, &s)
		return s, err
	})
	if ctx.Err() != nil {
		_, _ = fmt.Fprintf(b.cmd.ErrOrStderr(), "The daemon goes on with it. The same command follows it again; --cancel %s ends it.\n", id)
		return errInterrupted
	}
	return err
}

// askedAt is when a backfill was last asked for: of several daemons, one may
// still know of an earlier time that it has ended.
func (in *installation) askedAt(ctx context.Context, id string) (time.Time, error) {
	kv, err := in.state(ctx)
	if err != nil {
		return time.Time{}, err
	}
	book, err := backfill.Open(ctx, kv)
	if err != nil {
		return time.Time{}, err
	}
	defer book.Close()
	r, _ := book.Find(id)
	return r.Asked, nil
}

// alone does the work in this process.
func (b *backfillCommand) alone(ctx context.Context, request backfill.Request) error {
	if b.detach {
		return usagef("--detach needs a running daemon: start `wolkpipe run`")
	}
	if err := one(b.config, request.Operation).CheckReferences(os.LookupEnv); err != nil {
		return err
	}
	log := newLogger(b.config)
	in, err := install(ctx, b.config, installed{clock: b.clock, log: log, fill: true})
	if err != nil {
		return err
	}
	defer in.Close()
	if err := in.pipeline.Look(ctx); err != nil { // so that what is missing is told from the first
		return err
	}
	if _, err := in.pipeline.Backfill(ctx, b.ask); err != nil {
		return err
	}
	id := request.ID()
	_, _ = fmt.Fprintf(b.cmd.ErrOrStderr(), "No daemon runs: filling %s here.\n", id)
	f := newFollower(b.cmd, id, request.Operation, b.clock)
	f.stops = true
	f.take = func(ctx context.Context) (err error) {
		for try := range handOverTries {
			if err = in.pipeline.Converge(ctx, request.Operation, request.From, request.To); err == nil || ctx.Err() != nil {
				break
			}
			_ = extract.System{}.Sleep(ctx, time.Second<<try)
		}
		return err
	}
	err = alongside(ctx, in.pipeline.Run, func(ctx context.Context) error {
		err := f.follow(ctx, func(ctx context.Context) (pipeline.Status, error) { return in.pipeline.Status(ctx), nil })
		if err == nil {
			err = b.stay(ctx, in.pipeline)
		}
		return err
	})
	if err == nil {
		return nil
	}
	// A daemon that starts later would go on with it, though it was ended here.
	ending, stop := context.WithTimeout(context.WithoutCancel(ctx), answerLimit)
	defer stop()
	for _, r := range in.pipeline.Active() {
		if err := in.pipeline.Cancel(ending, r.ID()); err != nil && !errors.As(err, new(*pipeline.AskError)) {
			return err
		}
	}
	if ctx.Err() == nil {
		return err
	}
	_, _ = fmt.Fprintln(b.cmd.ErrOrStderr(), "Ended. What was filled stays; the same command goes on with the rest.")
	return errInterrupted
}

// handOverTries is how often a sink is tried, after pauses that double from 1 s.
const handOverTries = 4

// stay waits for what other commands have asked of this process meanwhile.
func (b *backfillCommand) stay(ctx context.Context, p *pipeline.Pipeline) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	told := ""
	for {
		active := p.Active()
		if len(active) == 0 {
			if told != "" { // who asked looks on, and is to see the end
				return extract.System{}.Sleep(ctx, 4*lookEvery)
			}
			return nil
		}
		if id := active[0].ID(); id != told {
			_, _ = fmt.Fprintf(b.cmd.ErrOrStderr(), "Another command asked this process to fill %s; it stays until that is done.\n", id)
			told = id
		}
		for _, o := range p.Status(ctx).Operations {
			if o.Operation == active[0].Operation && o.State == "bad_token" {
				return errors.New(o.Error)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// end cancels a backfill.
func (b *backfillCommand) end(ctx context.Context) error {
	in, _, err := attach(ctx, b.config, newLogger(b.config))
	if err != nil {
		return err
	}
	defer in.Close()
	err = control(ctx, in.nats, pipeline.CancelSubject, pipeline.Named{ID: b.cancel}, &pipeline.Named{})
	if errors.Is(err, nats.ErrNoResponders) {
		err = b.endStored(ctx, in)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(b.cmd.OutOrStdout(), "Ended %s. What was filled stays.\n", b.cancel)
	return err
}

// endStored cancels where no daemon runs.
func (b *backfillCommand) endStored(ctx context.Context, in *installation) error {
	replicas, err := in.stateReplicas(ctx)
	if err != nil {
		return err
	}
	if replicas == 0 {
		return fmt.Errorf("%w: %q", backfill.ErrUnknown, b.cancel)
	}
	kv, err := in.state(ctx)
	if err != nil {
		return err
	}
	book, err := backfill.Open(ctx, kv)
	if err != nil {
		return err
	}
	defer book.Close()
	if err := book.End(ctx, b.cancel, backfill.Cancelled, b.clock.Now().UTC()); err != nil {
		return fmt.Errorf("%w: %q", err, b.cancel)
	}
	return nil
}
