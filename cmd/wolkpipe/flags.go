package main

import (
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"wolkpipe/cmd/wolkpipe/config"
	"wolkpipe/pipeline/backfill"
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
	cmd.Flags().StringVar(&ask.From, "from", "", "first `DATE`, 2006-01-02")
	cmd.Flags().StringVar(&ask.To, "to", "", "last `DATE`, included")
}

// requestOf reads the range that flags ask for, before anything is opened.
func requestOf(c *config.Config, ask backfill.Ask, now time.Time) (r backfill.Request, err error) {
	for _, flag := range []struct{ name, value string }{{"operation", ask.Operation}, {"from", ask.From}, {"to", ask.To}} {
		if flag.value == "" {
			return r, usagef("--%s is missing", flag.name)
		}
	}
	c = one(c, ask.Operation)
	if len(c.Operations) == 0 {
		return r, usagef("--operation %q is not in the configuration", ask.Operation)
	}
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
