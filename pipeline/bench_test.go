package pipeline

import (
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
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

// BenchmarkWhole runs client, journal, transform and all sinks from a
// simulator without latency, and then publishes the very same messages in raw
// atomic batches of 1000 to a server of its own, with the same settings.
//
// 3, 30 and 300 days are of a busy operation, in hourly windows of some 400
// rows, for how it grows; a year and a month of 50 operations are of what is
// common, 200 interactions a day in windows of 5 minutes. Run it with
// -benchtime 1x.
//
//	rows/s     rows through everything, events and lake included
//	events/s   the messages of that
//	raw/s      messages of the raw batches
//	share      events/s over raw/s
//	cpu-us/row processor time of all threads, simulator and server included
//	peak-MB    the process's heap at its largest, likewise
func BenchmarkWhole(b *testing.B) {
	busy := chat7sim.Operation{
		Name: "ventas", Timezone: "America/Bogota", Steady: true, Weekends: true, Licences: -1,
		InteractionsPerDay: 12_000, Agents: 60, Codes: 40,
	}
	common := chat7sim.Operation{Name: "ventas", Timezone: "America/Bogota", Weekends: true, Licences: -1, InteractionsPerDay: 200}
	for _, c := range []struct {
		name       string
		operations int
		like       chat7sim.Operation
		days       int
		window     time.Duration
	}{
		{"3days", 1, busy, 3, time.Hour},
		{"30days", 1, busy, 30, time.Hour},
		{"300days", 1, busy, 300, time.Hour},
		{"year", 1, common, 365, 5 * time.Minute},
		{"month_of_50", 50, common, 30, 5 * time.Minute},
	} {
		b.Run(c.name, func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				var all []chat7sim.Operation
				for n := range c.operations {
					op := c.like
					if n > 0 {
						op.Name += fmt.Sprint(n)
					}
					all = append(all, op)
				}
				r := newRig(b, chat7sim.Scenario{Operations: all}, 1, noon)
				r.window = c.window
				r.since = window.DateOf(2026, 11, 10) - window.Date(c.days)
				peak, stop := watchHeap()
				b.StartTimer()
				start, cpu := time.Now(), processorTime()
				r.run(noon)
				took := time.Since(start)
				cpu = processorTime() - cpu
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
				b.ReportMetric(float64(cpu.Microseconds())/float64(rows), "cpu-us/row")
				b.ReportMetric(float64(peak.Load())/1e6, "peak-MB")
				b.ReportMetric(took.Seconds(), "s")
				b.ReportMetric(0, "ns/op")
				b.StartTimer()
			}
		})
	}
}

// processorTime is what the process has used of all processors.
func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // it cannot fail
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
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
			if strings.Contains(msg.Subject(), ".row.") {
				rows++
			}
		}
	}
	return messages, rows
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
