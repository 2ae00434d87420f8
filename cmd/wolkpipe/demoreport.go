package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/cmd/wolkpipe/config"
	"wolkpipe/pipeline/window"
	"wolkpipe/schemas"
	"wolkpipe/sinks"
)

// cell is what is counted: interactions of an agent with a code in a window.
type cell struct{ operation, window, agent, code string }

// tally is what one side of the comparison says of an operation.
type tally map[cell]int64

func (t tally) sum() (n int64) {
	for _, v := range t {
		n += v
	}
	return n
}

// minus counts the cells in which t and o differ; a count of 0 is none.
func (t tally) minus(o tally) (differ int) {
	for k, v := range t {
		if o[k] != v {
			differ++
		}
	}
	for k, v := range o {
		if _, known := t[k]; !known && v != 0 {
			differ++
		}
	}
	return differ
}

// report compares the simulator's truth with events and lake, window by
// window, agent by agent, code by code, and prints what went where.
func (d *demo) report(ctx context.Context) (differ bool, err error) {
	at := d.clock.Now()
	events, published, err := d.events(ctx)
	if err != nil {
		return false, err
	}
	stats := d.sim.Stats()
	t := tabwriter.NewWriter(d.out, 0, 0, 3, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(t, "\noperation\twindows\trows\tinteractions\tevents\tfiles\tcalls\ttruth = events\ttruth = lake\t")
	for _, op := range d.sim.Operations() {
		windows, truth, lake, err := d.compare(ctx, op.Name, op.Timezone, at)
		if err != nil {
			return false, err
		}
		inEvents, inLake := truth.minus(events[op.Name]), truth.minus(lake)
		differ = differ || inEvents+inLake > 0 || len(truth) == 0
		_, _ = fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t%s\t\n", op.Name, windows, len(truth), truth.sum(),
			published[op.Name], d.files(op.Name), stats.Operations[op.Name].Total, verdict(inEvents), verdict(inLake))
	}
	_ = t.Flush()
	_, _ = fmt.Fprintf(d.out, "\nEvery window, agent and code compared with the simulator's truth; done in %s.\n", time.Since(d.start).Round(100*time.Millisecond))
	return differ, nil
}

func verdict(differ int) string {
	if differ == 0 {
		return "yes"
	}
	return fmt.Sprintf("NO: %d differ", differ)
}

// compare gathers the truth and the lake of an operation's windows that are
// due at a time.
func (d *demo) compare(ctx context.Context, operation, timezone string, at time.Time) (windows int, truth, lake tally, err error) {
	zone, err := window.LoadZone(timezone)
	if err != nil {
		return 0, nil, nil, err
	}
	grid, err := window.NewGrid(5 * time.Minute)
	if err != nil {
		return 0, nil, nil, err
	}
	truth, lake = tally{}, tally{}
	for day := d.from; day <= zone.Local(at).Date(); day++ {
		for _, w := range zone.Windows(day, grid) {
			if w.End.Add(time.Minute).After(at) {
				continue
			}
			windows++
			for _, c := range d.sim.Truth(operation, w.Range) {
				truth[cell{operation, w.From.String(), c.Agent, c.Code}] = c.Interactions
			}
		}
		rows, err := d.in.lakes["lake"].Rows(ctx, sinks.Key{Operation: operation, Day: day.String()})
		if err != nil {
			return 0, nil, nil, err
		}
		for _, r := range rows {
			lake[cell{operation, r.WindowLocal.String(), r.Agent, r.Code}] += r.Interactions
		}
	}
	return windows, truth, lake, nil
}

// events sums the deltas of the stream by operation, as any consumer would,
// and counts the events.
func (d *demo) events(ctx context.Context) (sums map[string]tally, published map[string]int, err error) {
	sums, published = map[string]tally{}, map[string]int{}
	consumer, err := d.in.js.OrderedConsumer(ctx, schemas.EventsStream, jetstream.OrderedConsumerConfig{})
	if err != nil {
		return nil, nil, fmt.Errorf("reading the events: %w", err)
	}
	err = follow(ctx, consumer, true, func(data []byte) error {
		var e schemas.Event[schemas.RowData]
		if err := json.Unmarshal(data, &e); err != nil {
			return fmt.Errorf("reading an event: %w", err)
		}
		r := e.Data
		published[r.Operation]++
		if e.Type != schemas.TypeRow {
			return nil
		}
		if sums[r.Operation] == nil {
			sums[r.Operation] = tally{}
		}
		sums[r.Operation][cell{r.Operation, r.WindowLocal, r.Agent, r.Code}] += r.Delta
		return nil
	})
	return sums, published, err
}

// files counts the lake's files of an operation.
func (d *demo) files(operation string) (n int) {
	_ = filepath.WalkDir(filepath.Join(d.dir, "data", "lake"), func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".parquet") && strings.Contains(path, "operation="+operation+string(filepath.Separator)) {
			n++
		}
		return nil
	})
	return n
}

// commands prints how to look at what is there.
func (d *demo) commands(c *config.Config) {
	self := os.Args[0]
	if strings.Contains(self, "go-build") {
		self = "go run ./cmd/wolkpipe"
	}
	lake := lakePath(c.Sinks[len(c.Sinks)-1])
	_, _ = fmt.Fprintf(d.out, `
Look at the events:
  %[1]s tail -c %[2]s --since 1h
Query the lake:
  duckdb -c "SELECT operation, agent_name, cod_act, sum(interactions) AS n FROM read_parquet('%[3]s/chat_7/*/*/*.parquet', hive_partitioning = true) GROUP BY ALL ORDER BY n DESC LIMIT 10"
`, self, d.configPath(), lake)
	if d.serve {
		_, _ = fmt.Fprintf(d.out, "Subscribe with any NATS client:\n  nats --server %s sub 'chat7.events.>'\n", d.in.server.URL())
		return
	}
	_, _ = fmt.Fprintf(d.out, "Keep it up, to subscribe with any NATS client:\n  %s demo --dir %s --serve\n", self, d.dir)
}
