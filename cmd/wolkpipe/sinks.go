package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"

	"wolkpipe/cmd/wolkpipe/config"
	"wolkpipe/pipeline"
	"wolkpipe/pipeline/extract"
	"wolkpipe/sinks"
	"wolkpipe/sinks/events"
	"wolkpipe/sinks/iceberg"
	"wolkpipe/sinks/ndjson"
	"wolkpipe/sinks/parquet"
	"wolkpipe/sinks/quarantine"
)

// sinks opens what the configuration lists, and the quarantine.
func (in *installation) sinks(ctx context.Context, clock extract.Clock) (all []pipeline.Sink, err error) {
	for _, s := range in.config.Sinks {
		var sink sinks.Sink
		switch s.Kind {
		case config.EventsSink:
			sink, err = events.Open(ctx, events.Options{JetStream: in.js, RowTTL: s.RowTTL, Now: clock.Now})
		case config.ParquetSink:
			sink, err = in.lake(ctx, s.Name, 1, func(ctx context.Context) (sinks.Analytic, error) {
				return parquet.Open(ctx, parquet.Options{Bucket: s.Bucket, Prefix: s.Prefix, Logger: in.log.With("sink", s.Name)})
			})
			if lake, ok := sink.(*parquet.Sink); ok {
				in.lakes[s.Name] = lake
			}
		case config.IcebergSink:
			sink, err = in.lake(ctx, s.Name, iceberg.Batch, func(ctx context.Context) (sinks.Analytic, error) { return in.iceberg(ctx, s) })
		case config.NDJSONSink:
			sink, err = ndjson.Open(s.Folder) // on this machine: there is nothing that could be away
		}
		if err != nil {
			return nil, fmt.Errorf("sink %s: %w", s.Name, err)
		}
		all = append(all, pipeline.Sink{Name: s.Name, Sink: sink})
	}
	// Rejected rows are kept whatever sinks are configured.
	rejected, err := quarantine.Open(ctx, quarantine.Options{JetStream: in.js})
	if err != nil {
		return nil, fmt.Errorf("opening the quarantine: %w", err)
	}
	return append(all, pipeline.Sink{Name: config.Quarantine, Sink: rejected}), nil
}

// lake opens a lake now, or later where its store is away: what wolkpipe polls
// meanwhile is in the journal. What no retry mends is an error at once.
func (in *installation) lake(ctx context.Context, name string, batch int, open func(context.Context) (sinks.Analytic, error)) (sinks.Sink, error) {
	sink, err := open(ctx)
	var lasting *sinks.Error
	switch {
	case errors.As(err, &lasting) || ctx.Err() != nil:
		return nil, err
	case err != nil:
		in.log.Warn("a sink's store is away; wolkpipe works without it and tries again", "sink", name, "error", err)
		late := sinks.NewLate(batch, open)
		in.closers = append(in.closers, func() { _ = late.Close() })
		return late, nil
	}
	in.closers = append(in.closers, func() { _ = sink.Close() })
	return sink, nil
}

func (in *installation) iceberg(ctx context.Context, s config.Sink) (sinks.Analytic, error) {
	o := iceberg.Options{
		Catalog: s.Catalog, Namespace: s.Namespace, Interval: s.Interval, KeepSnapshots: s.Keep, Logger: in.log.With("sink", s.Name),
	}
	o.Warehouse, o.Properties = warehouse(s.Warehouse)
	var err error
	if s.Token.Kind != "" {
		if o.Token, err = s.Token.Read(os.LookupEnv); err != nil {
			return nil, &sinks.Error{Op: "reading the catalog's token", Err: err, Hint: "provide it, or name another"}
		}
	}
	return iceberg.Open(ctx, o)
}

// warehouse parts the URL of a warehouse from what it says besides the place.
func warehouse(text string) (place string, properties map[string]string) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" { // the name that a REST catalog knows it by
		return text, nil
	}
	properties = map[string]string{}
	for key, values := range u.Query() {
		switch key {
		case "region":
			properties["s3.region"] = values[0]
		case "endpoint":
			properties["s3.endpoint"] = values[0]
		case "use_path_style":
			if values[0] == "true" {
				properties["s3.force-virtual-addressing"] = "false"
			}
		}
	}
	u.RawQuery = ""
	return u.String(), properties
}
