package main

import (
	"os"

	"github.com/spf13/cobra"

	"wolkpipe/cmd/wolkpipe/config"
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
