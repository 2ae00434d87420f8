package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"wolkpipe/cmd/wolkpipe/config"
	"wolkpipe/pipeline/chat7/chat7sim"
	"wolkpipe/pipeline/window"
)

// demoLive is how many live windows the demo polls of each operation.
const demoLive = 3

func newDemoCommand() *cobra.Command {
	var d demo
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Do the whole job against a simulator, with no configuration",
		Long: "Start the simulator and the embedded NATS server, fill some days of two\n" +
			"operations, poll a few live windows with the clock running fast, and compare\n" +
			"events and lake with the simulator's truth. Everything stays in the folder.",
		Example: "  wolkpipe demo\n  wolkpipe demo --days 7 --dir /tmp/wolkpipe-demo --serve",
		RunE: func(cmd *cobra.Command, _ []string) error {
			d.out, d.log = cmd.OutOrStdout(), cmd.ErrOrStderr()
			return d.run(cmd.Context())
		},
	}
	cmd.Flags().IntVar(&d.days, "days", 2, "fill `N` days before today")
	cmd.Flags().StringVar(&d.dir, "dir", "", "`FOLDER` for data, lake and configuration (a new temporary one)")
	cmd.Flags().BoolVar(&d.serve, "serve", false, "stay up until interrupted")
	return cmd
}

// demo is one run of the demonstration.
type demo struct {
	days  int
	dir   string
	serve bool
	out   io.Writer // results
	log   io.Writer // progress

	clock *fastClock
	sim   *chat7sim.Sim
	in    *installation
	from  window.Date
	start time.Time
}

func (d *demo) run(ctx context.Context) error {
	if d.days < 1 || d.days > 366 {
		return usagef("--days %d is not between 1 and 366", d.days)
	}
	if err := d.prepare(ctx); err != nil {
		return err
	}
	server, err := d.simulate(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = server.Close() }()
	c, err := d.configure(server.Addr)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(d.log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if d.in, err = install(ctx, c, installed{clock: d.clock, log: log}); err != nil {
		return err
	}
	defer d.in.Close()
	if err := d.in.serve(ctx); err != nil {
		return err
	}
	return alongside(ctx, d.in.pipeline.Run, func(ctx context.Context) error { return d.work(ctx, c) })
}

// work is what the demo does while the pipeline runs.
func (d *demo) work(ctx context.Context, c *config.Config) error {
	if err := d.fill(ctx); err != nil {
		return err
	}
	differ, err := d.report(ctx)
	if err != nil {
		return err
	}
	d.commands(c)
	if d.serve {
		_, _ = fmt.Fprintf(d.out, "\nStaying up until interrupted (Ctrl-C). Status: %s\n", d.in.page.URL())
		<-ctx.Done()
		return nil
	}
	if differ {
		return errDifferences
	}
	return nil
}

// interruptedDrain is how long an interrupted demo lets the pipeline drain:
// what is left undone, it does when the demo is gone on with.
const interruptedDrain = time.Second

// alongside does work while run runs, and ends run after it. Where run ends
// first, so does the context of work, and run's end is the error.
func alongside(ctx context.Context, run, work func(context.Context) error) error {
	working, stop := context.WithCancel(ctx)
	defer stop()
	watched, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	early := false // read once done has told
	go func() {
		err := run(working)
		early = working.Err() == nil
		done <- err
		cancel()
	}()
	err := work(watched)
	stop()
	var overdue <-chan time.Time
	if ctx.Err() != nil {
		overdue = time.After(interruptedDrain)
	}
	select {
	case ran := <-done:
		if early {
			return errors.Join(errors.New("the pipeline ended early"), ran)
		}
		return errors.Join(err, ran)
	case <-overdue:
		return err
	}
}

// prepare makes the folder. One that holds a demo already is gone on with.
func (d *demo) prepare(context.Context) (err error) {
	if d.dir == "" {
		d.dir, err = os.MkdirTemp("", "wolkpipe-demo-")
	} else if d.dir, err = filepath.Abs(d.dir); err == nil {
		err = os.MkdirAll(d.dir, 0o700)
	}
	if err != nil {
		return fmt.Errorf("making the demo's folder: %w: give --dir another", err)
	}
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		return fmt.Errorf("looking into the demo's folder: %w", err)
	}
	if _, err := os.Stat(d.configPath()); len(entries) > 0 && errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("the folder %s is not empty and holds no demo: give --dir another", d.dir)
	}
	d.clock, d.start = newFastClock(time.Now()), time.Now()
	return nil
}

func (d *demo) configPath() string { return filepath.Join(d.dir, "wolkpipe.yaml") }

// simulate serves the simulator on loopback.
func (d *demo) simulate(ctx context.Context) (*http.Server, error) {
	operations := chat7sim.DefaultOperations()
	for i := range operations {
		operations[i].Weekends = true
		operations[i].Licences = 1 + d.days*288/500 // the demo fills window by window, in one day
	}
	var err error
	d.sim, err = chat7sim.New(chat7sim.Options{Scenario: chat7sim.Scenario{Operations: operations}, Seed: 7, Now: d.clock.Now})
	if err != nil {
		return nil, err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("serving the simulator: %w", err)
	}
	server := simServer(d.sim)
	server.Addr = l.Addr().String()
	go func() { _ = server.Serve(l) }()
	return server, nil
}

// configure writes a configuration like any other, and reads it.
func (d *demo) configure(simulator string) (*config.Config, error) {
	var b strings.Builder
	b.WriteString("# written by `wolkpipe demo`; the source is its simulator\noperations:\n")
	for _, op := range d.sim.Operations() {
		zone, err := window.LoadZone(op.Timezone)
		if err != nil {
			return nil, err
		}
		d.from = zone.Local(d.start).Date() - window.Date(d.days)
		token := "token-" + op.Name
		if err := os.WriteFile(filepath.Join(d.dir, token), []byte(op.Tokens[0]+"\n"), 0o600); err != nil {
			return nil, fmt.Errorf("writing the demo's token: %w", err)
		}
		fmt.Fprintf(&b, "  - {name: %s, url: \"http://%s\", token: \"file:%s\", timezone: %s, since: %s}\n",
			op.Name, simulator, token, op.Timezone, d.from)
	}
	b.WriteString("nats: {listen: \"127.0.0.1:0\"}\nstatus: {listen: \"127.0.0.1:0\"}\n")
	if err := os.WriteFile(d.configPath(), []byte(b.String()), 0o600); err != nil {
		return nil, fmt.Errorf("writing the demo's configuration: %w", err)
	}
	return config.Load(d.configPath(), os.LookupEnv)
}

// fill waits until the days are filled, then lets the clock run fast until a
// few live windows have been polled, and everything is where it belongs.
func (d *demo) fill(ctx context.Context) error {
	progress := newProgress(d.log)
	defer progress.done()
	_, _ = fmt.Fprintf(d.log, "Filling %d days and today of %s in windows of 5 minutes, over HTTP…\n", d.days, names(d.sim.Operations()))
	if err := d.wait(ctx, progress, "filling", func() bool { return true }); err != nil {
		return err
	}
	d.clock.rate(300)
	defer d.clock.rate(1)
	until := d.clock.Now().Add(demoLive*5*time.Minute + time.Minute)
	if err := d.wait(ctx, progress, "polling live, the clock 300 times as fast", func() bool { return d.clock.Now().After(until) }); err != nil {
		return err
	}
	d.clock.rate(1)
	if err := d.wait(ctx, progress, "polling live", func() bool { return true }); err != nil {
		return err
	}
	return d.in.pipeline.ConvergeAll(ctx)
}

// wait shows progress until nothing is missing and enough is true.
func (d *demo) wait(ctx context.Context, progress *progress, what string, enough func() bool) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		due, missing, backlog, problem := d.state(ctx)
		progress.show(what, due-missing, due, backlog)
		if due > 0 && missing == 0 && backlog == 0 && enough() {
			return nil
		}
		if problem != "" {
			return fmt.Errorf("the demo is stuck: %s", problem)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.New("interrupted: run it again with --dir " + d.dir + " to go on")
		}
	}
}

func (d *demo) state(ctx context.Context) (due, missing, backlog int, problem string) {
	s := d.in.pipeline.Status(ctx)
	for _, o := range s.Operations {
		if o.Due == 0 {
			return 0, 0, 0, "" // not counted yet
		}
		due, missing = due+o.Due, missing+o.Missing
		if o.State == "bad_token" || o.State == "quota" {
			problem = o.Error
		}
	}
	for _, k := range s.Sinks {
		backlog += k.Backlog
	}
	return due, missing, backlog, problem
}

func names(operations []chat7sim.Operation) string {
	var all []string
	for _, op := range operations {
		all = append(all, op.Name+" ("+op.Timezone+")")
	}
	return strings.Join(all, " and ")
}
