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
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check -c FILE",
		Short: "Tell what is wrong with a configuration",
		Long: "Tell everything that is wrong with a configuration, a line each: file, line,\n" +
			"what is wrong, the mend. The variables and files that it names must be there.\n" +
			"Nothing is contacted. The exit code is 2 where something is wrong.",
		Example: "  wolkpipe check -c wolkpipe.yaml\n  wolkpipe check -c wolkpipe.yaml --json | jq -r '.[].mend'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(cmd)
			if err == nil {
				err = c.CheckReferences(os.LookupEnv)
			}
			var problems config.Errors
			if err != nil && !errors.As(err, &problems) {
				return err
			}
			if asJSON {
				err = writeJSON(cmd.OutOrStdout(), problemsAsJSON(problems))
			} else if len(problems) > 0 {
				_, err = fmt.Fprintln(cmd.OutOrStdout(), problems)
			}
			switch {
			case len(problems) > 0:
				return toldError{problems}
			case asJSON:
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: ok: %s\n", configPath(cmd), summary(c))
			return nil
		},
	}
	configFlag(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON: a list of problems, empty where there is none")
	return cmd
}

// problem is a config.Problem in JSON.
type problem struct {
	File string `json:"file"`
	Line int    `json:"line"` // 0: of no line
	Key  string `json:"key"`  // "": of the file itself
	What string `json:"what"`
	Mend string `json:"mend"`
}

func problemsAsJSON(problems config.Errors) []problem {
	all := make([]problem, len(problems))
	for i, p := range problems {
		all[i] = problem(p)
	}
	return all
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
