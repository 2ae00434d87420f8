package pipeline

import (
	"context"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"wolkpipe/pipeline/broker"
	"wolkpipe/pipeline/extract"
	"wolkpipe/pipeline/notice"
)

// The metrics of a pipeline, read from its status when they are asked for.
var (
	lagMetric = prometheus.NewDesc("wolkpipe_window_lag_seconds",
		"Seconds since the end of the latest window that is recorded.", []string{"operation"}, nil)
	missingMetric = prometheus.NewDesc("wolkpipe_windows_missing",
		"Windows that are due and not recorded.", []string{"operation"}, nil)
	quotaMetric = prometheus.NewDesc("wolkpipe_quota_calls_remaining",
		"Calls left of the source's quota today, where it is known.", []string{"operation"}, nil)
	stoppedMetric = prometheus.NewDesc("wolkpipe_operation_stopped",
		"1 while an operation waits, with the reason.", []string{"operation", "reason"}, nil)
	noticesMetric = prometheus.NewDesc("wolkpipe_notices",
		"Notices that stand, by kind; their texts are in the status.", []string{"operation", "kind"}, nil)
	backlogMetric = prometheus.NewDesc("wolkpipe_sink_backlog_windows",
		"Windows that the journal told a sink of and the sink does not hold yet.", []string{"sink"}, nil)
	failingMetric = prometheus.NewDesc("wolkpipe_sink_failing",
		"1 while a sink's last attempt failed.", []string{"sink"}, nil)
	sinkRowsMetric = prometheus.NewDesc("wolkpipe_sink_rows_total",
		"Rows that a sink told or wrote since the process started.", []string{"sink"}, nil)
	sinkWritesMetric = prometheus.NewDesc("wolkpipe_sink_writes_total",
		"Batches or objects that a sink committed since the process started.", []string{"sink"}, nil)
	poisonMetric = prometheus.NewDesc("wolkpipe_poison_messages",
		"Messages of the journal that could not be read, put aside.", nil, nil)
	buildMetric = prometheus.NewDesc("wolkpipe_build_info",
		"1, with the version.", []string{"version", "go"}, nil)
)

// collector makes metrics of a pipeline's status.
type collector struct{ p *Pipeline }

func (p *Pipeline) register() { p.o.Registerer.MustRegister(collector{p}) }

// Describe implements [prometheus.Collector].
func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		lagMetric, missingMetric, quotaMetric, stoppedMetric, noticesMetric, backlogMetric, failingMetric,
		sinkRowsMetric, sinkWritesMetric, poisonMetric, buildMetric,
	} {
		ch <- d
	}
}

// Collect implements [prometheus.Collector].
func (c collector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(buildMetric, 1, c.p.o.Version, runtime.Version())
	for _, poller := range c.p.pollers {
		s := poller.Status()
		if s.LastWindow != "" {
			gauge(lagMetric, s.LagSeconds, s.Operation)
		}
		gauge(missingMetric, float64(s.Missing), s.Operation)
		if s.QuotaLeft != nil {
			gauge(quotaMetric, float64(*s.QuotaLeft), s.Operation)
		}
		if s.State != "running" && s.State != extract.TokenBusy { // whose turn it is with a token is no fault
			gauge(stoppedMetric, 1, s.Operation, s.State)
		}
		standing := map[notice.Kind]int{}
		for _, n := range c.p.notices.Standing(s.Operation) {
			standing[n.Kind]++
		}
		for _, kind := range notice.Kinds { // 0 too: an alert ends by that
			gauge(noticesMetric, float64(standing[kind]), s.Operation, string(kind))
		}
	}
	for _, w := range c.p.workers {
		s := w.status()
		gauge(backlogMetric, float64(s.Backlog), s.Name)
		failing := 0.0
		if s.Error != "" {
			failing = 1
		}
		gauge(failingMetric, failing, s.Name)
		ch <- prometheus.MustNewConstMetric(sinkRowsMetric, prometheus.CounterValue, float64(s.Change.Rows), s.Name)
		ch <- prometheus.MustNewConstMetric(sinkWritesMetric, prometheus.CounterValue, float64(s.Change.Writes), s.Name)
	}
	if n, ok := c.p.poisoned(); ok {
		gauge(poisonMetric, float64(n))
	}
}

// poisoned counts what was put aside; not known while NATS is away.
func (p *Pipeline) poisoned() (messages uint64, ok bool) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	stream, err := p.js.Stream(ctx, broker.PoisonStream)
	if err != nil {
		return 0, false
	}
	return stream.CachedInfo().State.Msgs, true
}
