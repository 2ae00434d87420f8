package pipeline

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"wolkpipe/pipeline/broker"
	"wolkpipe/pipeline/chat7/chat7sim"
	"wolkpipe/pipeline/window"
	"wolkpipe/schemas"
)

// BenchmarkWhole runs client, journal, transform and all sinks over some days
// of a busy operation (hourly windows of some 400 rows) from a simulator
// without latency, and then publishes the very same messages in raw atomic
// batches of 1000 to a server of its own, with the same settings.
//
//	rows/s     rows through everything, events and lake included
//	events/s   the messages of that
//	raw/s      messages of the raw batches
//	share      events/s over raw/s
//	peak-MB    the process's heap at its largest, simulator and server included
func BenchmarkWhole(b *testing.B) {
	for _, days := range []int{3, 30} {
		b.Run(fmt.Sprint(days, "days"), func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				r := newRig(b, chat7sim.Scenario{Operations: []chat7sim.Operation{{
					Name: "ventas", Timezone: "America/Bogota", Steady: true, Weekends: true, Licences: -1,
					InteractionsPerDay: 12_000, Agents: 60, Codes: 40,
				}}}, 1, noon)
				r.window = time.Hour
				r.since = window.DateOf(2026, 11, 10) - window.Date(days)
				peak, stop := watchHeap()
				b.StartTimer()
				start := time.Now()
				r.run(noon)
				took := time.Since(start)
				b.StopTimer()
				stop()
				messages, rows := allEvents(b, r.js)
				r.converge()
				r.check(window.DateOf(2026, 11, 10))
				if all, _ := allEvents(b, r.js); len(all) != len(messages) {
					b.Fatalf("%d events were still to be told", len(all)-len(messages))
				}
				raw := publishRaw(b, messages)
				rate := float64(len(messages)) / took.Seconds()
				b.ReportMetric(float64(rows)/took.Seconds(), "rows/s")
				b.ReportMetric(rate, "events/s")
				b.ReportMetric(raw, "raw/s")
				b.ReportMetric(rate/raw, "share")
				b.ReportMetric(float64(peak.Load())/1e6, "peak-MB")
				b.ReportMetric(0, "ns/op")
				b.StartTimer()
			}
		})
	}
}

// watchHeap follows the size of the heap until stop is called.
func watchHeap() (peak *atomic.Uint64, stop func()) {
	peak = new(atomic.Uint64)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak.Store(max(peak.Load(), m.HeapInuse))
			select {
			case <-tick.C:
			case <-done:
				return
			}
		}
	}()
	return peak, func() { close(done); <-ended }
}

// allEvents reads back what was published, and counts the row events.
func allEvents(b *testing.B, js jetstream.JetStream) (messages []*nats.Msg, rows int) {
	b.Helper()
	stream, err := js.Stream(b.Context(), schemas.EventsStream)
	if err != nil {
		b.Fatal(err)
	}
	info, err := stream.Info(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	consumer, err := js.OrderedConsumer(b.Context(), schemas.EventsStream, jetstream.OrderedConsumerConfig{})
	if err != nil {
		b.Fatal(err)
	}
	for uint64(len(messages)) < info.State.Msgs {
		batch, err := consumer.Fetch(5000, jetstream.FetchMaxWait(time.Second))
		if err != nil {
			b.Fatal(err)
		}
		for msg := range batch.Messages() {
			m := nats.NewMsg(msg.Subject())
			m.Data = msg.Data()
			for _, header := range []string{"Content-Type", nats.MsgIdHdr} {
				m.Header.Set(header, msg.Headers().Get(header))
			}
			messages = append(messages, m)
			if len(msg.Subject()) > 0 && isRow(msg.Subject()) {
				rows++
			}
		}
	}
	return messages, rows
}

func isRow(subject string) bool {
	return len(subject) > len("chat7.events.ventas.row.") && subject[:len("chat7.events.ventas.row.")] == "chat7.events.ventas.row."
}

// publishRaw publishes messages in atomic batches of 1000, and nothing else,
// and gives the rate in messages a second.
func publishRaw(b *testing.B, messages []*nats.Msg) float64 {
	b.Helper()
	server, err := broker.Start(b.Context(), broker.Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer server.Close()
	nc, err := server.Connect("raw")
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		b.Fatal(err)
	}
	if err := broker.EnsureStreams(b.Context(), js, broker.Streams{}); err != nil {
		b.Fatal(err)
	}
	start := time.Now()
	for rest := messages; len(rest) > 0; {
		n := min(1000, len(rest))
		if _, err := jetstreamext.PublishMsgBatch(b.Context(), js, rest[:n]); err != nil {
			b.Fatal(err)
		}
		rest = rest[n:]
	}
	return float64(len(messages)) / time.Since(start).Seconds()
}
