package events

import (
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
)

// busyDay is a day of 288 windows with 20 rows each.
func busyDay(n int) *sinks.Day {
	day := &sinks.Day{Key: sinks.Key{Operation: fmt.Sprintf("op%d", n), Day: testKey.Day}, Timezone: "America/Bogota", State: schemas.Settled, Expected: 288}
	for i := range 288 {
		counts := make([]int64, 20)
		for j := range counts {
			counts[j] = int64(i + j + 1)
		}
		day.Windows = append(day.Windows, window(i, counts...))
	}
	return day
}

// BenchmarkFill tells whole days for the first time; msgs/s is to be held
// against that of BenchmarkRaw, which publishes the same messages as they are.
func BenchmarkFill(b *testing.B) {
	url, _ := newStream(b)
	s := openSink(b, url)
	b.ReportAllocs()
	messages := 0
	for n := 0; b.Loop(); n++ {
		day := busyDay(n)
		h, err := s.Load(b.Context(), day.Key)
		if err != nil {
			b.Fatal(err)
		}
		change, err := h.Commit(b.Context(), day)
		if err != nil {
			b.Fatal(err)
		}
		messages += change.Rows + change.Windows
	}
	b.ReportMetric(float64(messages)/b.Elapsed().Seconds(), "msgs/s")
}

func BenchmarkRaw(b *testing.B) {
	url, js := newStream(b)
	day := busyDay(0)
	h, err := openSink(b, url).Load(b.Context(), day.Key)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := h.Commit(b.Context(), day); err != nil {
		b.Fatal(err)
	}
	told := readAll(b, js)
	messages := 0
	for n := 0; b.Loop(); n++ {
		var batch []*nats.Msg
		for i, m := range told {
			msg := nats.NewMsg(m.subject)
			msg.Data = m.data
			msg.Header.Set("Nats-Msg-Id", fmt.Sprint(n, " ", m.get("Nats-Msg-Id")))
			msg.Header.Set("Content-Type", schemas.ContentType)
			if batch = append(batch, msg); len(batch) == maxBatch || i == len(told)-1 {
				if _, err := jetstreamext.PublishMsgBatch(b.Context(), js, batch); err != nil {
					b.Fatal(err)
				}
				batch = nil
			}
		}
		messages += len(told)
	}
	b.ReportMetric(float64(messages)/b.Elapsed().Seconds(), "msgs/s")
}

// BenchmarkLive tells one changed window of a day that is known.
func BenchmarkLive(b *testing.B) {
	url, _ := newStream(b)
	s := openSink(b, url)
	day := busyDay(0)
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		w := &day.Windows[n%len(day.Windows)]
		*w = again(*w, 1)
		w.Rows = append([]schemas.Row(nil), w.Rows...)
		w.Rows[n%20].Interactions++
		h, err := s.Load(b.Context(), day.Key)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := h.Commit(b.Context(), day); err != nil {
			b.Fatal(err)
		}
	}
}
