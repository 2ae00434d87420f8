package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"wolkpipe/cmd/wolkpipe/config"
	"wolkpipe/pipeline"
	"wolkpipe/pipeline/backfill"
	"wolkpipe/pipeline/window"
)

func newVerifyCommand() *cobra.Command {
	var ask backfill.Ask
	var repair, asJSON bool
	cmd := &cobra.Command{
		Use:   "verify -c FILE --operation NAME --from DATE --to DATE",
		Short: "Compare source, journal, events and lake",
		Long: "Compare, window by window, what the source says of a range of days, both\n" +
			"included, with the journal, and the journal with what consumers find in the\n" +
			"events and the lake. Where counts add up, the source is asked once a month of\n" +
			"days, and more only where something changed. Exits 3 where anything differs.\n" +
			"With --repair the journal is mended from the source, the sinks from the journal,\n" +
			"and all is compared again.",
		Example: "  wolkpipe verify -c wolkpipe.yaml --operation ventas --from 2026-11-01 --to 2026-11-26\n" +
			"  wolkpipe verify -c wolkpipe.yaml --operation ventas --from 2026-11-01 --to 2026-11-26 --repair",
		RunE: func(cmd *cobra.Command, _ []string) error { return verify(cmd, ask, repair, asJSON) },
	}
	configFlag(cmd)
	rangeFlags(cmd, &ask, "the operation's `NAME`")
	cmd.Flags().BoolVar(&repair, "repair", false, "mend what differs")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func verify(cmd *cobra.Command, ask backfill.Ask, repair, asJSON bool) error {
	ctx := cmd.Context()
	c, err := loadConfig(cmd)
	if err != nil {
		return err
	}
	request, err := requestOf(c, ask, time.Now())
	if err != nil {
		return err
	}
	c = one(c, ask.Operation)
	if err := c.CheckReferences(os.LookupEnv); err != nil {
		return err
	}
	in, _, err := attach(ctx, c, newLogger(c))
	if err != nil {
		return err
	}
	defer in.Close()
	if err := in.beside(ctx); err != nil {
		return err
	}
	defer in.letGo(ctx)
	tell := func(what string) { _, _ = fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s\n", ask.Operation, what) }
	v, err := in.pipeline.Verify(ctx, ask.Operation, request.From, request.To, repair, tell)
	if err != nil {
		return err
	}
	if asJSON {
		err = writeJSON(cmd.OutOrStdout(), v)
	} else {
		err = writeVerification(cmd.OutOrStdout(), v)
	}
	if err == nil && !v.Agrees() {
		err = toldError{errDifferences}
	}
	return err
}

// letGo gives up the leases that a command took.
func (in *installation) letGo(ctx context.Context) {
	closing, stop := context.WithTimeout(context.WithoutCancel(ctx), answerLimit)
	defer stop()
	if err := in.pipeline.LetGo(closing); err != nil {
		in.log.Warn("the lease of a token was not given up; others wait for its end", "error", err)
	}
}

// mostLines is how many differences of a kind are printed; JSON has all.
const mostLines = 20

func writeVerification(w io.Writer, v pipeline.Verification) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(what, format string, args ...any) {
		_, _ = fmt.Fprintf(t, "  %s\t%s\n", what, fmt.Sprintf(format, args...)) // Flush tells
	}
	_, _ = fmt.Fprintf(t, "%s, %s to %s, %d windows, %d calls\n", v.Operation, v.From, v.To, v.Windows, v.Calls)
	switch {
	case v.Windows > 0 && len(v.Missing) == v.Windows:
		line("source", "not asked: the journal has nothing of these days")
	case len(v.Changed)+len(v.Unsure) == 0:
		line("source", "agrees with the journal")
	default:
		line("source", "%s, %s", count(len(v.Changed), "window changed", "windows changed"),
			count(len(v.Unsure), "day moved while it was compared", "days moved while they were compared"))
	}
	if len(v.Missing) == 0 {
		line("journal", "complete")
	} else {
		line("journal", "%s", count(len(v.Missing), "window is missing", "windows are missing"))
	}
	for _, s := range v.Stores {
		said := "agrees with the journal"
		switch {
		case !s.Compared:
			said = "follows the journal; what it keeps is not compared"
		case len(s.Differences)+len(s.Unknown) > 0:
			said = fmt.Sprintf("%s, %s", count(len(s.Differences), "difference", "differences"),
				count(len(s.Unknown), "window that the journal lacks", "windows that the journal lacks"))
		}
		if s.Mended > 0 {
			said += fmt.Sprintf("; %s", count(s.Mended, "window mended", "windows mended"))
		}
		line(s.Sink, "%s", said)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return writeDetails(w, v)
}

func writeDetails(w io.Writer, v pipeline.Verification) error {
	var lines []string
	for _, c := range v.Changed {
		for _, r := range c.Rows {
			lines = append(lines, fmt.Sprintf("source: %s %s, agent %q, code %q: %d, the journal has %d", v.Operation, c.Window, r.Agent, r.Code, r.Source, r.Have))
		}
		if len(c.Rows) == 0 {
			lines = append(lines, fmt.Sprintf("source: %s %s: other rows that cannot be read", v.Operation, c.Window))
		}
	}
	for _, day := range v.Unsure {
		lines = append(lines, fmt.Sprintf("source: %s %s: moved while it was compared: verify again later", v.Operation, day))
	}
	lines = clipped(lines)
	lines = append(lines, clipped(byDay("journal: "+v.Operation, v.Missing, "never observed: --repair or `wolkpipe backfill` asks for it"))...)
	for _, s := range v.Stores {
		var all []string
		for _, d := range s.Differences {
			all = append(all, s.Sink+": "+d)
		}
		all = append(all, byDay(s.Sink+": "+v.Operation, s.Unknown, "there, but not in the journal")...)
		lines = append(lines, clipped(all)...)
	}
	for _, line := range lines {
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

// byDay tells of windows, sorted, a day a line.
func byDay(what string, locals []string, said string) (lines []string) {
	for len(locals) > 0 {
		day, n := locals[0][:len("2006-01-02")], 0
		for n < len(locals) && locals[n][:len(day)] == day {
			n++
		}
		where := locals[0]
		if n > 1 {
			where = fmt.Sprintf("%s, %d windows from %s to %s", day, n, locals[0][len(day)+1:], locals[n-1][len(day)+1:])
		}
		lines = append(lines, fmt.Sprintf("%s %s: %s", what, where, said))
		locals = locals[n:]
	}
	return lines
}

// clipped leaves out what would fill a screen.
func clipped(lines []string) []string {
	if len(lines) <= mostLines {
		return lines
	}
	return append(lines[:mostLines:mostLines], fmt.Sprintf("… and %d more: --json has all", len(lines)-mostLines))
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func newResyncCommand() *cobra.Command {
	var sink string
	var ask backfill.Ask
	cmd := &cobra.Command{
		Use:   "resync -c FILE --sink NAME",
		Short: "Make a sink hold what the journal says",
		Long: "Make a sink hold what the journal says, of all operations and days or of those\n" +
			"that are named. It spends no call and writes only what differs. A daemon may run.",
		Example: "  wolkpipe resync -c wolkpipe.yaml --sink lake\n" +
			"  wolkpipe resync -c wolkpipe.yaml --sink lake --operation ventas --from 2026-11-01 --to 2026-11-26",
		RunE: func(cmd *cobra.Command, _ []string) error { return resync(cmd, sink, ask) },
	}
	configFlag(cmd)
	cmd.Flags().StringVar(&sink, "sink", "", "the sink's `NAME`, or quarantine")
	rangeFlags(cmd, &ask, "only operation `NAME`")
	return cmd
}

func resync(cmd *cobra.Command, sink string, ask backfill.Ask) error {
	ctx := cmd.Context()
	c, err := loadConfig(cmd)
	if err != nil {
		return err
	}
	if err := missing("sink", sink); err != nil {
		return err
	}
	known := []string{config.Quarantine}
	for _, s := range c.Sinks {
		known = append(known, s.Name)
	}
	if !slices.Contains(known, sink) {
		return unknownName("sink", sink, known)
	}
	from, to := window.Date(0), window.Date(-1) // all
	if (ask.From == "") != (ask.To == "") {
		return usagef("--from and --to go together")
	}
	if ask.From != "" {
		if err := dates(ask); err != nil {
			return err
		}
		from, _ = window.ParseDate(ask.From)
		if to, _ = window.ParseDate(ask.To); to < from {
			return usagef("the range ends before it begins: %s is after %s", from, to)
		}
	}
	if err := keepOperation(c, ask.Operation); err != nil {
		return err
	}
	in, _, err := attach(ctx, c, newLogger(c))
	if err != nil {
		return err
	}
	defer in.Close()
	if err := in.beside(ctx); err != nil {
		return err
	}
	var names []string
	for _, op := range c.Operations {
		names = append(names, op.Name)
	}
	p := newProgress(cmd.ErrOrStderr())
	p.unit = "days"
	change, err := in.pipeline.Resync(ctx, sink, names, from, to, func(done, total int) { p.show("comparing "+sink, done, total, 0) })
	p.done()
	if err != nil {
		return errors.Join(err, fmt.Errorf("what was written stays; run it again"))
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s holds what the journal says: %s, %s, %s written.\n", sink,
		count(change.Windows, "window", "windows"), count(change.Rows, "row", "rows"), count(change.Writes, "batch or object", "batches or objects"))
	return err
}
