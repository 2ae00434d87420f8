// Totals prints the running total of each code, right at every moment, from the events of a NATS server; killed and
// started again, it goes on where it was: go run ./testdata/consumers/totals nats://127.0.0.1:4222 totals.json
package main

import (
	"context"
	"encoding/json"
	"os"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"wolkpipe/schemas/consume"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
func main() {
	ctx, out, fold := context.Background(), json.NewEncoder(os.Stdout), must(consume.Load(os.Args[2]))
	js := must(jetstream.New(must(nats.Connect(os.Args[1], nats.MaxReconnects(-1)))))
	info := must(js.Stream(ctx, "CHAT7_EVENTS")).CachedInfo()
	from := fold.Resume(info.Created, info.State.LastSeq)
	total := fold.Sum(func(k consume.Key) string { return k.Code })
	must(0, out.Encode(total))
	rows := must(js.OrderedConsumer(ctx, "CHAT7_EVENTS", jetstream.OrderedConsumerConfig{OptStartSeq: from,
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, FilterSubjects: []string{"chat7.events.*.row.>"}}))
	for messages := must(rows.Messages()); ; {
		m := must(messages.Next())
		at := must(m.Metadata())
		if change, changed := fold.Apply(must(consume.Decode(m.Data())), at.Sequence.Stream); changed {
			total[change.Code] += change.Delta()
			must(0, out.Encode(map[string]int64{change.Code: total[change.Code]}))
		}
		must(0, fold.Checkpoint(os.Args[2], at.NumPending))
	}
}
