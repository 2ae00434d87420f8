package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"wolkpipe/pipeline"
	"wolkpipe/pipeline/extract"
	"wolkpipe/pipeline/notice"
	"wolkpipe/schemas"
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
	var s pipeline.Status
	err = control(cmd.Context(), in.nats, pipeline.StatusSubject, nil, &s)
	switch {
	case err == nil:
		return s, nil
	case running && in.server == nil && c.NATS.URL == "":
		return s, fmt.Errorf("the daemon on %s does not answer: %w", c.Data, err)
	case !errors.Is(err, nats.ErrNoResponders):
		return s, err
	}
	return stored(cmd, in, log)
}

// stored tells what the journal holds where no daemon runs. It changes nothing.
func stored(cmd *cobra.Command, in *installation, log *slog.Logger) (pipeline.Status, error) {
	p, err := in.look(cmd.Context(), log)
	if errors.Is(err, errNothing) {
		_, _ = fmt.Fprintln(cmd.ErrOrStderr(), "Nothing is there yet: start `wolkpipe run`.")
		return nothing(in), nil
	}
	if err != nil {
		return pipeline.Status{}, err
	}
	return p.Status(cmd.Context()), nil
}

// errNothing means that an installation never ran.
var errNothing = errors.New("nothing is there yet: start `wolkpipe run` or `wolkpipe doctor` first")

// look makes a pipeline that tells what the journal holds, and changes nothing.
func (in *installation) look(ctx context.Context, log *slog.Logger) (*pipeline.Pipeline, error) {
	replicas, err := in.stateReplicas(ctx)
	if err != nil {
		return nil, err
	}
	if replicas == 0 {
		return nil, errNothing
	}
	operations, err := in.operations(ctx)
	if err != nil {
		return nil, err
	}
	in.metrics = prometheus.NewRegistry()
	p, err := pipeline.New(ctx, pipeline.Options{
		Version: version(), NATS: in.nats, Replicas: replicas, Operations: operations,
		Registerer: in.metrics, Log: log, LookOnly: true,
	})
	if err != nil {
		return nil, err
	}
	return p, p.Look(ctx)
}

// stateReplicas is how many replicas the bucket of what is remembered has,
// whatever the configuration says; 0 where it or the journal does not exist.
func (in *installation) stateReplicas(ctx context.Context) (int, error) {
	replicas := 0
	for _, name := range []string{schemas.JournalStream, "KV_" + pipeline.StateBucket} {
		stream, err := in.js.Stream(ctx, name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			return 0, nil
		}
		if err != nil {
			return 0, fmt.Errorf("looking for stream %s: %w", name, err)
		}
		replicas = stream.CachedInfo().Config.Replicas
	}
	return replicas, nil
}

// nothing is the status of an installation that never ran.
func nothing(in *installation) pipeline.Status {
	s := pipeline.Status{Version: version(), Started: time.Now().UTC(), NATS: strings.ToLower(in.nats.Status().String())}
	for _, op := range in.config.Operations {
		s.Operations = append(s.Operations, pipeline.OperationStatus{
			Status: extract.Status{
				Operation: op.Name, State: "not running", Backfills: []extract.Backfill{}, Settling: extract.Settling{Periods: []extract.Period{}},
			},
			Notices: []notice.Notice{}, Days: []pipeline.DayStatus{},
		})
	}
	return s
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
