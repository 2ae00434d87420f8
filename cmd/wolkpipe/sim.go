package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"wolkpipe/pipeline/chat7/chat7sim"
)

func newSimCommand() *cobra.Command {
	var listen, scenario string
	var seed uint64
	cmd := &cobra.Command{
		Use:   "sim",
		Short: "Simulate the wolkvox API",
		Long: "Serve a simulated wolkvox API with made-up interactions until interrupted.\n" +
			"Its URL goes to stdout; what to do with it, and every call, to stderr.\n" +
			"/truth tells what a faultless source would answer, /stats what was asked.\n" +
			"A scenario file sets operations and switches faults on; one seed always\n" +
			"makes the same interactions.",
		Example: "  wolkpipe sim\n" +
			"  wolkpipe sim --listen 127.0.0.1:9000 --seed 7 --scenario scenario.yaml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var sc chat7sim.Scenario
			if scenario != "" {
				var err error
				if sc, err = chat7sim.LoadScenario(scenario); err != nil {
					return &usageError{err}
				}
			}
			sim, err := chat7sim.New(chat7sim.Options{Scenario: sc, Seed: seed, Logf: func(format string, args ...any) {
				slog.Info(fmt.Sprintf(format, args...))
			}})
			if err != nil {
				return err
			}
			return serveSim(cmd.Context(), sim, listen, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8042", "`ADDRESS` to listen on")
	cmd.Flags().Uint64Var(&seed, "seed", 0, "`NUMBER` that decides which interactions there are")
	cmd.Flags().StringVar(&scenario, "scenario", "", "YAML `FILE` of operations and faults")
	return cmd
}

// serveSim serves until ctx ends, then lets open calls end for a while.
func serveSim(ctx context.Context, sim *chat7sim.Sim, address string, out, explain io.Writer) error {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("serving the simulator: %w: choose another address with --listen", err)
	}
	url := "http://" + listener.Addr().String()
	_, _ = fmt.Fprint(explain, simHint(sim, url))
	_, _ = fmt.Fprintln(out, url)

	const patience = 5 * time.Second
	server := simServer(sim)
	drained := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		err := server.Shutdown(limited)
		if errors.Is(err, context.DeadlineExceeded) { // a slow answer: nobody waits for it any more
			err = server.Close()
		}
		drained <- err
	})
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		stop()
		return fmt.Errorf("serving the simulator: %w", err)
	}
	return <-drained
}

// simServer is the simulator's. Answers have no limit: it may be told to be slow.
func simServer(sim http.Handler) *http.Server {
	return &http.Server{
		Handler: sim, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}
}

// simHint is a configuration of the simulator's operations, and the variables
// with their tokens.
func simHint(sim *chat7sim.Sim, url string) string {
	var exports, operations strings.Builder
	for _, o := range sim.Operations() {
		variable := "SIM_" + strings.ToUpper(strings.ReplaceAll(o.Name, "-", "_"))
		_, _ = fmt.Fprintf(&exports, "  export %s='%s'\n", variable, strings.ReplaceAll(o.Tokens[0], "'", `'\''`))
		_, _ = fmt.Fprintf(&operations, "    - {name: %s, url: %q, token: env:%s, timezone: %s}\n", o.Name, url, variable, o.Timezone)
	}
	return "A simulator of the wolkvox API; nothing that it says is real. To use it:\n\n" + exports.String() +
		"\nand in a configuration:\n\n  operations:\n" + operations.String() + "\n"
}
