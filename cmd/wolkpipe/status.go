package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"wolkpipe/pipeline"
	"wolkpipe/pipeline/broker"
)

func newStatusCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status -c FILE",
		Short: "Tell how the operations and sinks stand",
		Long: "Tell, for each operation, the last window, how late it is, what is covered and\n" +
			"missing, the quota left and the rows in quarantine; for each sink, its backlog.\n" +
			"A running daemon is asked; where none runs, the journal is read.",
		Example: "  wolkpipe status -c wolkpipe.yaml\n  wolkpipe status -c wolkpipe.yaml --json | jq '.operations[].lag_seconds'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := askStatus(cmd)
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), s)
			}
			s.Write(cmd.OutOrStdout())
			return nil
		},
	}
	configFlag(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func askStatus(cmd *cobra.Command) (pipeline.Status, error) {
	c, err := loadConfig(cmd)
	if err != nil {
		return pipeline.Status{}, err
	}
	log := newLogger(c)
	in, running, err := attach(cmd.Context(), c, log)
	if err != nil {
		return pipeline.Status{}, err
	}
	defer in.Close()
	answer, err := in.nats.RequestWithContext(cmd.Context(), pipeline.StatusSubject, nil)
	switch {
	case err == nil:
		return pipeline.ParseStatus(answer.Data)
	case running && in.server == nil && c.NATS.URL == "":
		return pipeline.Status{}, fmt.Errorf("the daemon on %s does not answer: %w", c.Data, err)
	case !errors.Is(err, nats.ErrNoResponders):
		return pipeline.Status{}, fmt.Errorf("asking the daemon: %w", err)
	}
	return stored(cmd, in, log)
}

// stored tells what the journal holds where no daemon runs.
func stored(cmd *cobra.Command, in *installation, log *slog.Logger) (pipeline.Status, error) {
	ctx := cmd.Context()
	in.metrics = prometheus.NewRegistry()
	if err := broker.EnsureStreams(ctx, in.js, broker.Streams{Replicas: in.config.NATS.Replicas}); err != nil {
		return pipeline.Status{}, err
	}
	operations, err := in.operations(ctx)
	if err != nil {
		return pipeline.Status{}, err
	}
	p, err := pipeline.New(ctx, pipeline.Options{
		Version: version(), NATS: in.nats, Replicas: in.config.NATS.Replicas, Operations: operations,
		Registerer: in.metrics, Log: log, LookOnly: true,
	})
	if err != nil {
		return pipeline.Status{}, err
	}
	if err := p.Look(ctx); err != nil {
		return pipeline.Status{}, err
	}
	return p.Status(ctx), nil
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
