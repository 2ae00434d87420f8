package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"wolkpipe/cmd/wolkpipe/config"
	"wolkpipe/pipeline"
	"wolkpipe/pipeline/chat7"
	"wolkpipe/pipeline/doctor"
	"wolkpipe/pipeline/extract"
	"wolkpipe/pipeline/lease"
	"wolkpipe/pipeline/window"
)

func newDoctorCommand() *cobra.Command {
	var operation string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor -c FILE",
		Short: "Try the operations' sources for real",
		Long: "Try each operation, or the named one, for real: token, quota, clock, response\n" +
			"time, whether date_end is inclusive and whether counts add up, on a busy day of\n" +
			"the last 31. What is found out is kept, and windows are asked for accordingly.\n" +
			"It takes about 55 calls an operation, at most half of those that are left today.\n" +
			"The exit code is 1 where an operation cannot work.",
		Example: "  wolkpipe doctor -c wolkpipe.yaml\n  wolkpipe doctor -c wolkpipe.yaml --operation ventas --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return examine(cmd, operation, asJSON)
		},
	}
	configFlag(cmd)
	cmd.Flags().StringVar(&operation, "operation", "", "only operation `NAME`")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// examined is what became of one operation.
type examined struct {
	Operation string         `json:"operation"`
	Finding   doctor.Finding `json:"finding"`
	Error     string         `json:"error,omitempty"` // why it cannot work, with the mend
}

func examine(cmd *cobra.Command, only string, asJSON bool) error {
	ctx := cmd.Context()
	c, err := loadConfig(cmd)
	if err != nil {
		return err
	}
	if err := keepOperation(c, only); err != nil {
		return err
	}
	if err := c.CheckReferences(os.LookupEnv); err != nil {
		return err
	}
	in, _, err := attach(ctx, c, newLogger(c))
	if err != nil {
		return err
	}
	defer in.Close()
	kv, err := in.state(ctx)
	if err != nil {
		return err
	}
	all := []examined{} // an array in JSON whatever happens
	var failures []error
	for _, op := range c.Operations {
		finding, err := in.examine(ctx, kv, op, progressOf(cmd.ErrOrStderr(), op.Name))
		e := examined{Operation: op.Name, Finding: finding}
		if err != nil {
			e.Error = err.Error()
			failures = append(failures, fmt.Errorf("operation %s: %w", op.Name, err))
		}
		if all = append(all, e); !asJSON {
			if err := writeExamined(cmd.OutOrStdout(), e); err != nil {
				return err
			}
		}
		if ctx.Err() != nil {
			break
		}
	}
	if asJSON {
		if err := writeJSON(cmd.OutOrStdout(), all); err != nil {
			return err
		}
	}
	return errors.Join(failures...)
}

// keepOperation leaves only the named operation in c; all, if none is named.
func keepOperation(c *config.Config, only string) error {
	if only == "" {
		return nil
	}
	if err := knownOperation(c, only); err != nil {
		return err
	}
	c.Operations = one(c, only).Operations
	return nil
}

// progressOf tells a person what is being done, and nobody else.
func progressOf(w io.Writer, operation string) func(string) {
	if !isTerminal(w) {
		return nil
	}
	return func(what string) { _, _ = fmt.Fprintf(w, "%s: %s\n", operation, what) }
}

// state opens the bucket of what an installation must remember.
func (in *installation) state(ctx context.Context) (jetstream.KeyValue, error) {
	kv, err := in.js.KeyValue(ctx, pipeline.StateBucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) { // doctor may well come before the first run
		kv, err = in.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
			Bucket: pipeline.StateBucket, Replicas: max(in.config.NATS.Replicas, 1),
		})
	}
	if err != nil {
		return nil, fmt.Errorf("opening bucket %s: %w", pipeline.StateBucket, err)
	}
	return kv, nil
}

// examine examines an operation and keeps what was found out, together with
// what only an earlier examination did.
func (in *installation) examine(ctx context.Context, kv jetstream.KeyValue, op config.Operation, tell func(string)) (doctor.Finding, error) {
	operation, err := in.operation(ctx, op)
	if err != nil {
		return doctor.Finding{}, err
	}
	source, err := newDoctorSource(operation.Source)
	if err != nil {
		return doctor.Finding{}, err
	}
	leases, err := in.borrow(ctx)
	if err != nil {
		return doctor.Finding{}, err
	}
	defer func() { _ = leases.Close(context.WithoutCancel(ctx)) }()
	source.call = leased(leases, operation)
	finding, err := doctor.Examine(ctx, source, doctor.Options{Zone: operation.Zone, Grid: operation.Grid, Sum: operation.Sum, Progress: tell})
	if err != nil {
		return finding, err
	}
	before, known, err := doctor.Load(ctx, kv, op.Name)
	if err != nil {
		in.log.Warn("an earlier finding cannot be read and is replaced", "operation", op.Name, "error", err)
	} else if known {
		finding = finding.Keep(before)
	}
	return finding, doctor.Store(ctx, kv, op.Name, finding)
}

// borrow opens the leases for a command that runs beside a daemon: it takes
// its turn on a token as another process would.
func (in *installation) borrow(ctx context.Context) (*lease.Leases, error) {
	return lease.Open(ctx, in.js, lease.Options{
		Owner: "command-" + rand.Text(), Replicas: in.config.NATS.Replicas, Clock: extract.System{}, Log: in.log,
	})
}

// leased makes each call under the lease of the operation's token.
func leased(leases *lease.Leases, op pipeline.Operation) func(context.Context, func(context.Context) error) error {
	return func(ctx context.Context, once func(context.Context) error) error {
		token, err := op.Source.Token(ctx)
		if err != nil {
			return err
		}
		address := op.Source.BaseURL
		if address == "" {
			if address, err = chat7.BaseURL(op.Source.Server); err != nil {
				return err
			}
		}
		permit, err := leases.Token(address, token, lease.Quota{Limit: op.Quota, Zone: op.Zone}).Enter(ctx, lease.Ask{Kind: lease.Info, Prompt: true})
		if err != nil {
			return err
		}
		if !permit.MaySend() {
			permit.Done(lease.Outcome{Ended: true})
			return errors.New("the lease of the token ran out before the call: try again")
		}
		err = once(ctx)
		outcome := lease.Outcome{Ended: true, Granted: err == nil}
		var failure *chat7.Error
		if errors.As(err, &failure) {
			outcome.Ended, outcome.Refused = !failure.Open(), failure.Kind == chat7.Quota
		}
		permit.Done(outcome)
		return err
	}
}

// doctorSource asks an operation's source.
type doctorSource struct {
	inclusive, exclusive *chat7.Client

	// call makes one call to the source, as soon as its token is free and
	// where the quota allows. It gives the error of what it calls as it is; an
	// error of its own ends the examination.
	call func(context.Context, func(context.Context) error) error
}

// newDoctorSource makes a source that takes no lease.
func newDoctorSource(o chat7.Options) (*doctorSource, error) {
	if o.Transport == nil {
		o.Transport = chat7.NewTransport()
	}
	s := &doctorSource{call: func(ctx context.Context, once func(context.Context) error) error { return once(ctx) }}
	for exclusive, client := range map[bool]**chat7.Client{false: &s.inclusive, true: &s.exclusive} {
		o.Exclusive = exclusive
		var err error
		if *client, err = chat7.New(o); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Rows implements [doctor.Source].
func (s *doctorSource) Rows(ctx context.Context, r window.Range, exclusive bool) (answer chat7.Answer, err error) {
	client := s.inclusive
	if exclusive {
		client = s.exclusive
	}
	err = s.call(ctx, func(ctx context.Context) (err error) {
		answer, err = client.Rows(ctx, r)
		return err
	})
	return answer, err
}

// TokenInfo implements [doctor.Source].
func (s *doctorSource) TokenInfo(ctx context.Context) (info chat7.TokenInfo, err error) {
	err = s.call(ctx, func(ctx context.Context) (err error) {
		info, err = s.inclusive.TokenInfo(ctx)
		return err
	})
	return info, err
}

// writeExamined prints a short report.
func writeExamined(w io.Writer, e examined) error {
	f := e.Finding
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(what, format string, args ...any) {
		_, _ = fmt.Fprintf(t, "  %s\t%s\n", what, fmt.Sprintf(format, args...)) // Flush tells
	}
	_, _ = fmt.Fprintf(t, "%s\n", e.Operation)
	if e.Error != "" {
		line("cannot work", "%s", e.Error)
	} else {
		line("token", "ok")
		line("quota", "%s", sayQuota(f.Quota))
		line("clock", "%s", saySkew(f.ClockSkew))
		line("answers take", "%s (p50), %s (max)", saySeconds(f.LatencyP50), saySeconds(f.LatencyMax))
		if f.Day != "" {
			line("examined", "%s, %d interactions", f.Day, f.Interactions)
		}
		line("date_end", "%s", sayKnown(f.ExclusiveEnd, "exclusive", "inclusive"))
		line("counts", "%s", sayKnown(f.Additive, "add up", "do not add up")+sayCuts(f))
	}
	line("calls made", "%d", f.Calls)
	for _, note := range f.Notes {
		line("note", "%s", note)
	}
	return t.Flush()
}

const notFoundOut = "not found out"

func sayKnown(known *bool, yes, no string) string {
	switch {
	case known == nil:
		return notFoundOut
	case *known:
		return yes
	}
	return no
}

func sayCuts(f doctor.Finding) string {
	if f.Additive == nil || f.Cuts == 0 {
		return ""
	}
	return fmt.Sprintf(" over %d cuts", f.Cuts)
}

func sayQuota(q doctor.Quota) string {
	used := q.AllUsed
	if used == nil {
		used = q.Used
	}
	switch {
	case q.Limit != nil && used != nil:
		return fmt.Sprintf("%d a day, %d used", *q.Limit, *used)
	case q.Limit != nil:
		return fmt.Sprintf("%d a day", *q.Limit)
	case q.Available != nil:
		return fmt.Sprintf("%d left", *q.Available)
	}
	return notFoundOut
}

func saySkew(skew *time.Duration) string {
	if skew == nil {
		return notFoundOut
	}
	return fmt.Sprintf("%+.1f s against this machine's", skew.Seconds())
}

func saySeconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
