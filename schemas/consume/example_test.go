package consume_test

import (
	"fmt"

	"wolkpipe/schemas/consume"
)

// Three messages of a stream: a count, its correction, and the count once more
// because the reader went back.
func Example() {
	count := `{"specversion": "1.0", "id": "a1", "source": "/wolkpipe/ventas/chat_7", "type": "wolkpipe.chat_7.row.v1",
		"subject": "2026-11-01T10:00:00", "time": "2026-11-01T15:06:00Z", "data": {"operation": "ventas", "window_local": "2026-11-01T10:00:00",
		"agent_name": "Ana", "cod_act": "0012", "interactions": 2, "previous": 0, "delta": 2, "revision": 1, "observed_at": "2026-11-01T15:06:00Z"}}`
	correction := `{"specversion": "1.0", "id": "b2", "source": "/wolkpipe/ventas/chat_7", "type": "wolkpipe.chat_7.row.v1",
		"subject": "2026-11-01T10:00:00", "time": "2026-11-02T05:00:00Z", "data": {"operation": "ventas", "window_local": "2026-11-01T10:00:00",
		"agent_name": "Ana", "cod_act": "0012", "interactions": 5, "previous": 2, "delta": 3, "revision": 2, "observed_at": "2026-11-02T05:00:00Z"}}`

	fold := new(consume.Fold)
	total := map[string]int64{}
	for i, message := range []string{count, correction, count} {
		event, err := consume.Decode([]byte(message))
		if err != nil {
			fmt.Println(err)
			continue
		}
		change, changed := fold.Apply(event, uint64(1+i%2))
		if !changed {
			fmt.Println("nothing new")
			continue
		}
		total[change.Code] += change.Delta()
		fmt.Printf("%s %+d: %d\n", change.Code, change.Delta(), total[change.Code])
	}
	fmt.Println(fold.Sum(func(k consume.Key) string { return k.Agent }))
	// Output:
	// 0012 +2: 2
	// 0012 +3: 5
	// nothing new
	// map[Ana:5]
}
