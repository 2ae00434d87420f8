// Command wolkpipe polls the chat_7 report of the wolkvox API and keeps what
// it says: as events on a NATS JetStream stream, and as a lake of Parquet
// files.
//
// Results go to stdout, logs and errors to stderr. The exit code is 0 for
// done, 1 for failed, 2 for wrong usage or configuration, 3 for a comparison
// that ran and found differences, and 130 when a second signal ended the
// process at once.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"wolkpipe/cmd/wolkpipe/config"
	"wolkpipe/pipeline/extract"
)

func main() { os.Exit(execute(newRootCommand(), os.Args[1:])) }

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "wolkpipe",
		Short: "Keeps the wolkvox chat_7 report as events and as a lake",
		Long: "Polls the wolkvox chat_7 report and keeps what it says, window by window: as\n" +
			"events on NATS JetStream and as a lake of Parquet files.",
		Example: "  wolkpipe demo                       # the whole job against a simulator\n" +
			"  wolkpipe check -c wolkpipe.yaml     # what is wrong with a configuration\n" +
			"  wolkpipe run -c wolkpipe.yaml       # the daemon",
		Args: cobra.ArbitraryArgs, // unknown commands come to RunE
		RunE: noCommand,
		// A misspelt command is told before the flags that it would have had.
		FParseErrWhitelist: cobra.FParseErrWhitelist{UnknownFlags: true},

		SuggestionsMinimumDistance: 2,
		DisableFlagsInUseLine:      true,
		SilenceErrors:              true,
		SilenceUsage:               true,
	}
	root.AddCommand(newDemoCommand(), newRunCommand(extract.System{}), newBackfillCommand(extract.System{}), newVerifyCommand(), newResyncCommand(), newEraseCommand(), newStatusCommand(), newTailCommand(), newDoctorCommand(), newSimCommand(), newCheckCommand(), newVersionCommand())
	return root
}

// noCommand answers a call that names no command, or none that exists.
func noCommand(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return errNoCommand
	}
	if near := root.SuggestionsFor(args[0]); len(near) > 0 {
		return usagef("unknown command %q: did you mean %s?", args[0], strings.Join(near, " or "))
	}
	return usagef("unknown command %q", args[0])
}

// execute runs a command line to its exit code.
func execute(root *cobra.Command, args []string) int {
	setLogger(config.Log{Format: config.AutoFormat})
	ctx, stop := catchSignals(context.Background())
	defer stop()
	begun := false
	arrange(root)
	prepare(root, &begun)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	switch {
	case errors.Is(err, errNoCommand) && len(args) > 0: // cobra has passed over it
		err = usagef("unknown flag %s", args[0])
	case errors.Is(err, errNoCommand):
		root.SetOut(root.ErrOrStderr())
		err = errors.Join(root.Help(), err)
	}
	if err != nil && !begun {
		err = &usageError{err} // cobra's own: of flags and arguments
	}
	if err != nil && ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = errInterrupted
	}
	report(root.ErrOrStderr(), cmd, err)
	return exitCode(err)
}

// prepare holds all commands to the same rules: no arguments besides flags
// where a command does not say otherwise, and begun is set once its own code
// runs.
func prepare(root *cobra.Command, begun *bool) {
	for _, cmd := range root.Commands() {
		if cmd.Args == nil {
			cmd.Args = noArguments
		}
		prepare(cmd, begun)
	}
	if run := root.RunE; run != nil {
		root.RunE = func(cmd *cobra.Command, args []string) error {
			*begun = true
			return run(cmd, args)
		}
	}
}

func noArguments(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case cmd.Flags().Lookup("config") != nil && (strings.HasSuffix(args[0], ".yaml") || strings.HasSuffix(args[0], ".yml")):
		return usagef("unexpected argument %q: did you mean -c %s?", args[0], args[0])
	}
	return usagef("unexpected argument %q", args[0])
}

var (
	// errDifferences ends a comparison that ran and found differences, which
	// it has told.
	errDifferences = errors.New("there are differences")

	errInterrupted = errors.New("interrupted")

	errNoCommand error = &usageError{errors.New("name a command")}
)

// usageError is a command line that cannot be carried out.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// usagef makes an error that exits 2 and points to the command's help.
func usagef(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

func exitCode(err error) int {
	var usage *usageError
	var problems config.Errors
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errDifferences):
		return 3
	case errors.As(err, &usage), errors.As(err, &problems):
		return 2
	}
	return 1
}

// report prints an error, each of its lines by itself.
func report(w io.Writer, cmd *cobra.Command, err error) {
	var told toldError
	var usage *usageError
	switch {
	case err == nil, errors.As(err, &told):
		return
	case errors.As(err, &usage):
		if cmd.Name() == "help" { // which was asked for what is not there
			cmd = cmd.Root()
		}
		said, see := oneLine(err), ": see"
		if strings.HasSuffix(said, "?") {
			see = " See"
		}
		fmt.Fprintf(w, "wolkpipe: %s%s %s --help\n", said, see, cmd.CommandPath())
		return
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			fmt.Fprintf(w, "wolkpipe: %s\n", line)
		}
	}
}

// oneLine joins the lines that cobra spreads a message over.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// toldError is an error that the command has printed as its result: nothing
// is left to say but the exit code.
type toldError struct{ error }

func (e toldError) Unwrap() error { return e.error }
