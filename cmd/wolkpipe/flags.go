package main

import (
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"wolkpipe/cmd/wolkpipe/config"
	"wolkpipe/pipeline/backfill"
	"wolkpipe/pipeline/window"
)

// configFlag gives a command -c, --config.
func configFlag(cmd *cobra.Command) {
	cmd.Flags().StringP("config", "c", "", "configuration `FILE` (or WOLKPIPE_CONFIG)")
}

// configPath is the file that -c or else WOLKPIPE_CONFIG names; empty if
// neither does.
func configPath(cmd *cobra.Command) string {
	if flag := cmd.Flags().Lookup("config"); flag.Changed {
		return flag.Value.String()
	}
	return os.Getenv("WOLKPIPE_CONFIG")
}

// loadConfig reads the configuration of a command with a configFlag. The
// error is a usage error, or config.Errors.
func loadConfig(cmd *cobra.Command) (*config.Config, error) {
	path := configPath(cmd)
	if path == "" {
		return nil, usagef("no configuration: name one with -c FILE or WOLKPIPE_CONFIG")
	}
	return config.Load(path, os.LookupEnv)
}

// rangeFlags gives a command the flags of a range of an operation's days.
func rangeFlags(cmd *cobra.Command, ask *backfill.Ask, operation string) {
	cmd.Flags().StringVar(&ask.Operation, "operation", "", operation)
	cmd.Flags().StringVar(&ask.From, "from", "", "first `DATE`, such as 2026-11-01")
	cmd.Flags().StringVar(&ask.To, "to", "", "last `DATE`, included")
}

// requestOf reads the range that flags ask for, before anything is opened.
func requestOf(c *config.Config, ask backfill.Ask, now time.Time) (r backfill.Request, err error) {
	if err := missing("operation", ask.Operation, "from", ask.From, "to", ask.To); err != nil {
		return r, err
	}
	if err := dates(ask); err != nil {
		return r, err
	}
	if err := knownOperation(c, ask.Operation); err != nil {
		return r, err
	}
	c = one(c, ask.Operation)
	op := operationOf(c.Operations[0])
	if r, err = ask.Request(backfill.Operation{Name: op.Name, Zone: op.Zone, Grid: op.Grid}, now); err != nil {
		err = usagef("%v", err)
	}
	return r, err
}

// one is c with only the named operation.
func one(c *config.Config, operation string) *config.Config {
	copied := *c
	copied.Operations = slices.DeleteFunc(slices.Clone(c.Operations), func(op config.Operation) bool { return op.Name != operation })
	return &copied
}

// missing tells which flags are empty, of names and values in turn.
func missing(flags ...string) error {
	var names []string
	for i := 0; i < len(flags); i += 2 {
		if flags[i+1] == "" {
			names = append(names, "--"+flags[i])
		}
	}
	switch last := len(names) - 1; {
	case last < 0:
		return nil
	case last == 0:
		return usagef("%s is missing", names[0])
	default:
		return usagef("%s and %s are missing", strings.Join(names[:last], ", "), names[last])
	}
}

// dates refuses a first or last day that is none.
func dates(ask backfill.Ask) error {
	for _, flag := range []struct{ name, value string }{{"from", ask.From}, {"to", ask.To}} {
		if _, err := window.ParseDate(flag.value); err != nil {
			return usagef("--%s %q is not a day: write one such as 2026-11-01", flag.name, flag.value)
		}
	}
	return nil
}

// knownOperation refuses the name of an operation that c does not have.
func knownOperation(c *config.Config, name string) error {
	var names []string
	for _, op := range c.Operations {
		if op.Name == name {
			return nil
		}
		names = append(names, op.Name)
	}
	return unknownName("operation", name, names)
}

// unknownName tells which names a flag could have.
func unknownName(flag, name string, known []string) error {
	if near := config.Nearest(name, known); near != "" {
		return usagef("--%s %q is not in the configuration: did you mean %s?", flag, name, near)
	}
	return usagef("--%s %q is not in the configuration, which has %s", flag, name, strings.Join(known, ", "))
}
