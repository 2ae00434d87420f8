package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"wolkpipe/cmd/wolkpipe/config"
	"wolkpipe/pipeline"
	"wolkpipe/pipeline/broker"
	"wolkpipe/pipeline/chat7"
	"wolkpipe/pipeline/extract"
	"wolkpipe/pipeline/lease"
	"wolkpipe/pipeline/status"
	"wolkpipe/sinks/parquet"
)

// installation is everything that a configuration describes, opened.
type installation struct {
	config   *config.Config
	log      *slog.Logger
	server   *broker.Server // nil with an external NATS
	nats     *nats.Conn
	lost     broker.Trouble // of an external NATS
	js       jetstream.JetStream
	pipeline *pipeline.Pipeline
	page     *status.Server
	lakes    map[string]*parquet.Sink
	metrics  *prometheus.Registry
	closers  []func()
}

// installed are a process's choices.
type installed struct {
	clock extract.Clock
	log   *slog.Logger
	fill  bool // only backfills that this process asks for are wanted
}

// install opens what c describes. Close ends it, also after an error.
func install(ctx context.Context, c *config.Config, choice installed) (in *installation, err error) {
	log := choice.log
	in = &installation{config: c, log: log}
	defer func() {
		if err != nil {
			in.Close()
			in = nil
		}
	}()
	if err := in.connect(ctx, "wolkpipe", true); err != nil {
		return in, err
	}
	if c.NATS.URL != "" { // an embedded server holds the folder itself
		release, err := broker.Hold(ctx, c.Data)
		if err != nil {
			return in, err
		}
		in.closers = append(in.closers, release)
	}
	owner, err := broker.Identity(c.Data)
	if err != nil {
		return in, err
	}
	return in, in.assemble(ctx, owner, choice)
}

// assemble makes the pipeline on the NATS that is connected. owner is the
// identity under which tokens are leased.
func (in *installation) assemble(ctx context.Context, owner string, choice installed) error {
	in.trace(ctx, owner)
	err := broker.EnsureStreams(ctx, in.js, broker.Streams{
		Replicas: in.config.NATS.Replicas, Log: in.log,
		Buckets: []broker.Bucket{
			{Name: pipeline.StateBucket, Description: "wolkpipe: what cannot be derived"},
			{Name: lease.Bucket, Description: "wolkpipe: who may call the source; wolkpipe's alone"},
		},
	})
	if err != nil {
		return err
	}
	// A cluster that elects a leader now is no reason to end.
	return broker.Await(ctx, in.log, func(ctx context.Context) error {
		kept := len(in.closers)
		err := in.compose(ctx, owner, choice)
		if err != nil {
			in.closeTo(kept)
		}
		return err
	})
}

// compose makes the pipeline on streams that are there.
func (in *installation) compose(ctx context.Context, owner string, choice installed) error {
	c := in.config
	following, stop := context.WithCancel(ctx) // the buckets, until this attempt is undone
	in.closers = append(in.closers, stop)
	in.lakes, in.metrics = map[string]*parquet.Sink{}, prometheus.NewRegistry()
	in.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	o := pipeline.Options{
		Version: version(), NATS: in.nats, Owner: owner, Replicas: c.NATS.Replicas, Clock: choice.clock, Registerer: in.metrics, Log: in.log,
		Fill: choice.fill,
	}
	o.Trouble = in.lost.Err
	if in.server != nil {
		o.Trouble = in.server.Err
	}
	var err error
	if o.AgentKey, err = in.agentKey(following); err != nil {
		return err
	}
	if o.Operations, err = in.operations(following); err != nil {
		return err
	}
	if o.Sinks, err = in.sinks(ctx, choice.clock); err != nil {
		return err
	}
	in.pipeline, err = pipeline.New(following, o)
	return err
}

// beside makes the pipeline of a command that works beside a daemon, or where
// none runs.
func (in *installation) beside(ctx context.Context) error {
	return in.assemble(ctx, "command-"+rand.Text(), installed{clock: extract.System{}, log: in.log, fill: true})
}

// connect reaches NATS: the configured one, or an embedded server that it
// starts; listen says whether others may reach that one.
func (in *installation) connect(ctx context.Context, name string, listen bool) (err error) {
	n, tls := in.config.NATS, broker.TLS(in.config.NATS.TLS)
	if n.URL != "" {
		in.nats, err = broker.Dial(broker.RemoteOptions{URL: n.URL, Name: name, Credentials: n.Credentials, TLS: tls, Logger: in.log, Trouble: &in.lost})
	} else {
		o := broker.Options{Dir: in.config.Data, AllowRemote: n.AllowRemote, Anonymous: n.Anonymous, TLS: tls, Logger: in.log}
		if listen {
			o.Listen = n.Listen
		}
		if in.server, err = broker.Start(ctx, o); err != nil {
			return err
		}
		in.closers = append(in.closers, in.server.Close)
		in.nats, err = in.server.Connect(name)
	}
	if err != nil {
		return err
	}
	in.closers = append(in.closers, in.nats.Close)
	in.js, err = jetstream.New(in.nats)
	return err
}

func (in *installation) agentKey(ctx context.Context) ([]byte, error) {
	if in.config.AgentNames != config.HashedAgents {
		return nil, nil
	}
	read, end, err := opener(ctx, in.config.AgentKey)
	if err != nil {
		return nil, fmt.Errorf("agent_key: %w", err)
	}
	defer end()
	key, err := read(ctx)
	if err != nil {
		return nil, fmt.Errorf("agent_key: %w", err)
	}
	return []byte(key), nil
}

func (in *installation) operations(ctx context.Context) (all []pipeline.Operation, err error) {
	for _, op := range in.config.Operations {
		operation, err := in.operation(ctx, op)
		if err != nil {
			return nil, fmt.Errorf("operation %s: %w", op.Name, err)
		}
		all = append(all, operation)
	}
	return all, nil
}

func (in *installation) operation(ctx context.Context, op config.Operation) (pipeline.Operation, error) {
	read, end, err := opener(ctx, op.Token)
	if err != nil {
		return pipeline.Operation{}, err
	}
	in.closers = append(in.closers, end)
	out := operationOf(op)
	out.Source = chat7.Options{Server: op.Server, BaseURL: op.URL, Token: read, UserAgent: "wolkpipe/" + version()}
	return out, nil
}

// operationOf is what a configuration says of an operation, but for its source.
func operationOf(op config.Operation) pipeline.Operation {
	out := pipeline.Operation{
		Name: op.Name, Zone: op.Timezone, Grid: op.Window,
		Delay: op.Delay, Ages: op.Settle, Sum: op.Duplicates == config.SumDuplicates, Quota: int64(op.Quota),
	}
	if op.Since != 0 {
		out.Since = &op.Since
	}
	return out
}

// serve opens the status page.
func (in *installation) serve(ctx context.Context) (err error) {
	page := pipeline.NewPage(in.pipeline)
	in.page, err = status.Listen(ctx, in.config.Status.Listen, status.Options{
		Alive: in.pipeline.Alive, Ready: in.pipeline.Ready, Gatherer: in.metrics, Log: in.log,
		Coverage: in.coverage, Installation: page.Installation, Operation: page.Operation, Day: page.Day,
	})
	if err == nil {
		in.closers = append(in.closers, in.page.Close)
	}
	return err
}

// coverage answers the status page's question for it.
func (in *installation) coverage(ctx context.Context, operation, from, to string) (any, int, error) {
	answer, err := in.pipeline.Coverage(ctx, operation, from, to)
	status := http.StatusServiceUnavailable
	var ask *pipeline.AskError
	if errors.As(err, &ask) {
		status, _ = strconv.Atoi(ask.Code)
	}
	return answer, status, err
}

// Close ends everything, in the reverse of the order of opening.
func (in *installation) Close() { in.closeTo(0) }

// closeTo ends all but the first kept that were opened.
func (in *installation) closeTo(kept int) {
	for i := len(in.closers) - 1; i >= kept; i-- {
		in.closers[i]()
	}
	in.closers = in.closers[:kept]
}

// lakePath is a file lake's folder as DuckDB takes it, other lakes' URL.
func lakePath(s config.Sink) string {
	u, err := url.Parse(s.Bucket)
	if err != nil || u.Scheme != "file" {
		return s.Bucket + "/" + s.Prefix
	}
	return filepath.Join(filepath.FromSlash(u.Path), filepath.FromSlash(s.Prefix))
}
