package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"wolkpipe/pipeline/chat7"
	"wolkpipe/pipeline/chat7/chat7sim"
	"wolkpipe/pipeline/window"
	"wolkpipe/sinks"
)

// BenchmarkLatency polls windows live, ten a second, and takes for each the
// time from the moment its answer is read to that at which a subscriber has its
// event, and to that at which its rows stand in the lake. Windows without rows
// are left out. Run it with -benchtime 1x.
func BenchmarkLatency(b *testing.B) {
	for range b.N {
		r := newRig(b, chat7sim.Scenario{Operations: []chat7sim.Operation{{
			Name: "ventas", Timezone: "America/Bogota", Steady: true, Weekends: true, Licences: -1, InteractionsPerDay: 2000,
		}}}, 1, noon)
		r.since = window.DateOf(2026, 11, 10)
		r.run(noon) // what lies behind is caught up with
		m := &stopwatch{answered: map[string]time.Time{}, told: map[string]time.Time{}, kept: map[string]time.Time{}}
		r.client = func(o *chat7.Options) { o.Transport = m }
		r.wrap = func(name string, s sinks.Sink) sinks.Sink {
			if name == "lake" {
				return &timedSink{s, m}
			}
			return s
		}
		subscription, err := r.nats.Subscribe("chat7.events.ventas.window.*", m.event)
		if err != nil {
			b.Fatal(err)
		}
		r.run(noon.Add(20 * time.Hour))
		_ = subscription.Unsubscribe()
		for _, of := range []struct {
			name string
			at   map[string]time.Time
		}{{"event", m.told}, {"lake", m.kept}} {
			took := m.since(of.at)
			if len(took) < 100 {
				b.Fatalf("%d windows were timed to the %s", len(took), of.name)
			}
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, of.name+"-p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, of.name+"-p99-ms")
		}
		b.ReportMetric(0, "ns/op")
	}
}

// stopwatch notes when things were seen of windows, by wall-clock start.
type stopwatch struct {
	mu                   sync.Mutex
	answered, told, kept map[string]time.Time
}

func (m *stopwatch) note(in map[string]time.Time, local string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, before := in[local]; !before {
		in[local] = time.Now()
	}
}

// since gives the times from the answers on, sorted.
func (m *stopwatch) since(at map[string]time.Time) (took []time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for local, then := range at {
		if answered, ok := m.answered[local]; ok {
			took = append(took, then.Sub(answered))
		}
	}
	slices.Sort(took)
	return took
}

// RoundTrip makes ten calls a second, and notes when an answer with rows has
// been read.
func (m *stopwatch) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(100 * time.Millisecond)
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	answer.Body = io.NopCloser(bytes.NewReader(body))
	if from, parseErr := time.Parse("20060102150405", r.URL.Query().Get("date_ini")); parseErr == nil && answer.StatusCode == http.StatusOK {
		m.note(m.answered, from.Format("2006-01-02T15:04:05"))
	}
	return answer, err
}

func (m *stopwatch) event(msg *nats.Msg) {
	var e struct {
		Data struct {
			Window string `json:"window_local"`
			Rows   int    `json:"row_count"`
		} `json:"data"`
	}
	if json.Unmarshal(msg.Data, &e) == nil && e.Data.Rows > 0 {
		m.note(m.told, e.Data.Window)
	}
}

// timedSink notes when windows with rows have been committed.
type timedSink struct {
	sinks.Sink
	watch *stopwatch
}

func (s *timedSink) Load(ctx context.Context, key sinks.Key) (sinks.Held, error) {
	held, err := s.Sink.Load(ctx, key)
	return &timedHeld{held, s.watch}, err
}

type timedHeld struct {
	sinks.Held
	watch *stopwatch
}

func (h *timedHeld) Commit(ctx context.Context, day *sinks.Day) (sinks.Change, error) {
	change, err := h.Held.Commit(ctx, day)
	for i := range day.Windows {
		if w := &day.Windows[i]; err == nil && len(w.Rows) > 0 {
			h.watch.note(h.watch.kept, w.Local)
		}
	}
	return change, err
}
