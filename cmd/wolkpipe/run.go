package main

import (
	"os"

	"github.com/spf13/cobra"

	"wolkpipe/cmd/wolkpipe/config"
	"wolkpipe/pipeline/extract"
)

// newRunCommand makes the daemon's command; the daemon lives by clock.
func newRunCommand(clock extract.Clock) *cobra.Command {
	var server, token, timezone string
	cmd := &cobra.Command{
		Use:   "run -c FILE",
		Short: "Keep the operations covered: the daemon",
		Long: "Poll the operations' windows as they end, catch up with what is missing since\n" +
			"`since` or an outage, and keep events and lake equal to the source.\n" +
			"Without a file, three flags are enough: operation wv<server>, data in ./data.",
		Example: "  wolkpipe run -c wolkpipe.yaml\n" +
			"  wolkpipe run --server 0042 --token env:WOLKVOX_TOKEN --timezone America/Bogota",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var c *config.Config
			var err error
			if server != "" || token != "" || timezone != "" {
				if cmd.Flags().Changed("config") {
					return usagef("-c and --server, --token, --timezone exclude each other")
				}
				if err := missing("server", server, "token", token, "timezone", timezone); err != nil {
					return err
				}
				c, err = config.FromFlags(server, token, timezone, os.LookupEnv)
			} else {
				c, err = loadConfig(cmd)
			}
			if err != nil {
				return err
			}
			return run(cmd, c, clock)
		},
	}
	configFlag(cmd)
	cmd.Flags().StringVar(&server, "server", "", "`DIGITS` of https://wv<server>.wolkvox.com")
	cmd.Flags().StringVar(&token, "token", "", "`PLACE` of the token: env:NAME, file:PATH or a runtimevar URL")
	cmd.Flags().StringVar(&timezone, "timezone", "", "IANA `NAME` of the operation's time zone")
	return cmd
}

func run(cmd *cobra.Command, c *config.Config, clock extract.Clock) error {
	if err := c.CheckReferences(os.LookupEnv); err != nil {
		return err
	}
	log := newLogger(c)
	in, err := install(cmd.Context(), c, installed{clock: clock, log: log})
	if err != nil {
		return err
	}
	defer in.Close()
	if err := in.serve(cmd.Context()); err != nil {
		return err
	}
	log.Info("running", "version", version(), "operations", len(c.Operations), "sinks", len(c.Sinks),
		"data", c.Data, "nats", in.nats.ConnectedUrlRedacted(), "status", in.page.URL())
	err = in.pipeline.Run(cmd.Context())
	log.Info("stopped")
	return err
}
