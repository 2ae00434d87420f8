package extract

import "github.com/prometheus/client_golang/prometheus"

// Metrics of all pollers. Neither agent nor code is ever a label.
type Metrics struct {
	requests *prometheus.CounterVec
	rejects  *prometheus.CounterVec
}

// NewMetrics registers the package's metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "wolkpipe_source_requests_total",
			Help: "Calls to the source, by operation and result (ok, or the kind of failure).",
		}, []string{"operation", "result"}),
		rejects: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "wolkpipe_rejected_rows_total",
			Help: "Source rows that could not be read surely and went to quarantine.",
		}, []string{"operation"}),
	}
	r.MustRegister(m.requests, m.rejects)
	return m
}

func (m *Metrics) request(operation, result string) {
	m.requests.WithLabelValues(operation, result).Inc()
}

func (m *Metrics) rejected(operation string, rows int) {
	m.rejects.WithLabelValues(operation).Add(float64(rows))
}
