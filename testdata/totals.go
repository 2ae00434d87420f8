// Totals prints the running total of each code, right at every moment, from
// the events of a NATS server: go run ./testdata/totals.go nats://127.0.0.1:4222
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"wolkpipe/schemas"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func main() {
	last, total := map[[4]string]schemas.RowData{}, map[string]int64{}
	js := must(jetstream.New(must(nats.Connect(os.Args[1]))))
	rows := jetstream.OrderedConsumerConfig{FilterSubjects: []string{"chat7.events.*.row.>"}}
	messages := must(must(js.OrderedConsumer(context.Background(), "CHAT7_EVENTS", rows)).Messages())
	for {
		var e schemas.Event[schemas.RowData]
		if json.Unmarshal(must(messages.Next()).Data(), &e) != nil || e.Type != schemas.TypeRow {
			continue // types that are not known are to be ignored
		}
		key := [4]string{e.Data.Operation, e.Data.WindowLocal, e.Data.Agent, e.Data.Code}
		newer := e.Data.ObservedAt.Compare(last[key].ObservedAt)
		if newer > 0 || newer == 0 && e.Data.Revision > last[key].Revision {
			total[e.Data.Code] += e.Data.Interactions - last[key].Interactions
			last[key] = e.Data
			fmt.Printf("%q %d\n", e.Data.Code, total[e.Data.Code])
		}
	}
}
