package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"wolkpipe/pipeline"
)

// erasing are the flags of erase.
type erasing struct {
	agent, operation  string
	plan, yes, asJSON bool
}

func newEraseCommand() *cobra.Command {
	var e erasing
	cmd := &cobra.Command{
		Use:   "erase -c FILE --agent NAME",
		Short: "Erase an agent's name from everything that is kept",
		Long: "Erase an agent's name from the journal, the events, the lakes and the quarantine,\n" +
			"and keep it out when the source tells it again. The counts stay, under a name\n" +
			"that says nothing: \"erased:\" and 16 hex digits, the same in all windows of an\n" +
			"operation. Consumers are told first that the agent's rows are gone; then every\n" +
			"message that names the agent is overwritten. Consumers that keep a position of\n" +
			"their own must begin anew. It cannot be taken back. A daemon may run.\n" +
			"Interrupted, run it again.",
		Example: "  wolkpipe erase -c wolkpipe.yaml --agent 'Ana Pérez' --plan\n" +
			"  wolkpipe erase -c wolkpipe.yaml --agent 'Ana Pérez' --yes\n" +
			"  wolkpipe erase -c wolkpipe.yaml --agent - --yes < name.txt    # not in the list of processes",
		RunE: func(cmd *cobra.Command, _ []string) error { return runErase(cmd, e) },
	}
	configFlag(cmd)
	cmd.Flags().StringVar(&e.agent, "agent", "", "the agent's `NAME` as the lake has it, or would without agent_names: hash; - reads a line of standard input")
	cmd.Flags().StringVar(&e.operation, "operation", "", "only of the operation `NAME`")
	cmd.Flags().BoolVar(&e.plan, "plan", false, "only tell where the agent is named")
	cmd.Flags().BoolVar(&e.yes, "yes", false, "do not ask whether it is meant")
	cmd.Flags().BoolVar(&e.asJSON, "json", false, "print JSON")
	return cmd
}

func runErase(cmd *cobra.Command, e erasing) error {
	ctx := cmd.Context()
	c, err := loadConfig(cmd)
	if err != nil {
		return err
	}
	if err := keepOperation(c, e.operation); err != nil {
		return err
	}
	input := bufio.NewReader(cmd.InOrStdin())
	asking := isTerminal(cmd.InOrStdin()) && isTerminal(cmd.ErrOrStderr()) && e.agent != "-"
	switch {
	case e.agent == "":
		return usagef("--agent is missing")
	case !e.plan && !e.yes && !asking:
		return usagef("it cannot be taken back: say --yes if it is meant, or look first with --plan")
	case e.agent == "-":
		line, err := input.ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("reading the agent's name: %w", err)
		}
		if e.agent = strings.TrimSpace(line); e.agent == "" {
			return usagef("standard input has no name")
		}
	}
	in, _, err := attach(ctx, c, newLogger(c))
	if err != nil {
		return err
	}
	defer in.Close()
	if err := in.beside(ctx); err != nil {
		return err
	}
	if e.plan || !e.yes { // else looking is a part of doing
		found, err := in.forget(cmd, e.agent, true)
		switch {
		case err != nil:
			return err
		case e.plan:
			return writeErasure(cmd.OutOrStdout(), found, e)
		}
		if err := writeErasure(cmd.ErrOrStderr(), found, erasing{plan: true}); err != nil {
			return err
		}
		_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "It cannot be taken back. Erase the name? [yes/no] ")
		if answer, _ := input.ReadString('\n'); strings.TrimSpace(answer) != "yes" {
			return errors.New("nothing was erased")
		}
	}
	done, err := in.forget(cmd, e.agent, false)
	switch {
	case errors.Is(err, pipeline.ErrNotNamed):
		return err
	case err != nil:
		return errors.Join(err, errors.New("what was erased stays erased; run it again for the rest"))
	}
	return writeErasure(cmd.OutOrStdout(), done, e)
}

func (in *installation) forget(cmd *cobra.Command, agent string, look bool) (pipeline.Erasure, error) {
	var names []string
	for _, op := range in.config.Operations {
		names = append(names, op.Name)
	}
	p := newProgress(cmd.ErrOrStderr())
	p.unit = "days"
	defer p.done()
	e, err := in.pipeline.Forget(cmd.Context(), agent, names, look, func(what string, done, total int) { p.show(what, done, total, 0) })
	if errors.Is(err, pipeline.ErrNotNamed) {
		err = fmt.Errorf("%w: nothing was erased; write it as it stands in the lake, upper and lower case included", err)
	}
	return e, err
}

func writeErasure(w io.Writer, e pipeline.Erasure, flags erasing) error {
	if flags.asJSON {
		return writeJSON(w, e)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	verb := "erased from"
	if flags.plan {
		verb = "named in"
	}
	for _, of := range e.Operations {
		said := fmt.Sprintf("%s %s of %s", verb, count(of.Windows, "window", "windows"), count(of.Days, "day", "days"))
		if of.Again {
			said += "; erased before"
		}
		_, _ = fmt.Fprintf(t, "  %s\t%s\n", of.Operation, said) // Flush tells
	}
	for _, s := range e.Sinks {
		said := count(s.Windows, "window", "windows") + " anew"
		if s.Destroyed > 0 {
			said += fmt.Sprintf(", %s", count(s.Destroyed, "message or snapshot destroyed", "messages or snapshots destroyed"))
		}
		_, _ = fmt.Fprintf(t, "  %s\t%s\n", s.Sink, said)
	}
	if err := t.Flush(); err != nil || flags.plan {
		return err
	}
	for _, name := range e.Behind {
		if _, err := fmt.Fprintf(w, "consumer %s had not read that the agent's rows are gone: what it feeds may still name the agent\n", name); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(w, "Consumers that keep a position of their own in the stream: let them begin anew, at 1; they know the agent, and would count its rows twice.\n"+
		"Backups, versions that an object store keeps, and copies elsewhere are not reached: see the runbook.")
	return err
}
