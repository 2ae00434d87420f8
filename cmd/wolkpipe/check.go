package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"wolkpipe/cmd/wolkpipe/config"
)

func newCheckCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check -c FILE",
		Short: "Tell what is wrong with a configuration",
		Long: "Tell everything that is wrong with a configuration, a line each: file, line,\n" +
			"what is wrong, the mend. The variables and files that it names must be there.\n" +
			"Nothing is contacted. The exit code is 2 where something is wrong.",
		Example: "  wolkpipe check -c wolkpipe.yaml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(cmd)
			if err == nil {
				err = c.CheckReferences(os.LookupEnv)
			}
			var problems config.Errors
			if errors.As(err, &problems) {
				fmt.Fprintln(cmd.OutOrStdout(), problems)
				return toldError{problems}
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: ok: %s\n", configPath(cmd), summary(c))
			return nil
		},
	}
	configFlag(cmd)
	return cmd
}

// summary is "2 operations, sinks events, lake".
func summary(c *config.Config) string {
	operations := "1 operation"
	if n := len(c.Operations); n != 1 {
		operations = fmt.Sprintf("%d operations", n)
	}
	var names []string
	for _, s := range c.Sinks {
		names = append(names, s.Name)
	}
	switch len(names) {
	case 0:
		return operations + ", no sinks"
	case 1:
		return operations + ", sink " + names[0]
	}
	return operations + ", sinks " + strings.Join(names, ", ")
}
