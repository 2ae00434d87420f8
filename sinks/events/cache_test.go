package events

import (
	"errors"
	"reflect"
	"strconv"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/sinktest"
)

func TestCacheIsBounded(t *testing.T) {
	c := newCache(100)
	key := func(i int) sinks.Key { return sinks.Key{Operation: "ventas", Day: strconv.Itoa(i)} }
	heavy := func(rows int64) *state { return &state{rows: rows} }
	for i := range 10 {
		c.put(key(i), heavy(29))
	}
	kept := func() (days []int) {
		for i := range 10 {
			if c.days[key(i)] != nil {
				days = append(days, i)
			}
		}
		return days
	}
	if got := kept(); !reflect.DeepEqual(got, []int{7, 8, 9}) || c.weight != 90 || c.order.Len() != 3 {
		t.Errorf("days %v are kept, of weight %d", got, c.weight)
	}
	c.get(key(7))
	c.put(key(1), heavy(29))
	c.put(key(9), heavy(9))
	if got := kept(); !reflect.DeepEqual(got, []int{1, 7, 9}) || c.weight != 70 {
		t.Errorf("days %v are kept, of weight %d", got, c.weight)
	}
	c.put(key(7), heavy(100)) // too heavy: what was there is stale
	c.drop(key(1))
	if got := kept(); !reflect.DeepEqual(got, []int{9}) || c.weight != 10 {
		t.Errorf("days %v are kept, of weight %d", got, c.weight)
	}
}

// A state that is brought up to date is the one that is read from scratch.
func TestCacheCatchesUp(t *testing.T) {
	url, _ := newStream(t)
	one, two := openSink(t, url), openSink(t, url)
	for i := range 5 {
		before := load(t, two).(*held).state
		seq, windows := before.seq, len(before.windows)
		commitTo(t, load(t, one), theDay(again(window(0, int64(i+1), 2), i), window(i+1, 4)))
		warm := load(t, two).(*held)
		cold := load(t, openSink(t, url)).(*held)
		if !reflect.DeepEqual(warm.state, cold.state) || warm.day != cold.day || len(cold.state.windows) != i+2 {
			t.Fatalf("round %d: %+v was read, it is %+v", i, warm.state, cold.state)
		}
		if before.seq != seq || len(before.windows) != windows {
			t.Fatalf("round %d: a state that somebody holds was changed", i)
		}
		own := load(t, one).(*held)
		if own.state.seq != cold.state.seq || own.state.rows != cold.state.rows || own.state.interactions != cold.state.interactions {
			t.Fatalf("round %d: %+v was told, it is %+v", i, own.state, cold.state)
		}
	}
	if two.days.get(testKey) == nil {
		t.Error("nothing was cached")
	}
}

// The stream is purged, or lost and made anew, behind the sink's back. The
// sink tells the day again.
func TestStreamIsGone(t *testing.T) {
	day := theDay(window(0, 3), window(1, 1))
	newer := theDay(again(window(0, 4), 1), window(1, 1))
	for name, lose := range map[string]func(t *testing.T, js jetstream.JetStream){
		"purged": func(t *testing.T, js jetstream.JetStream) {
			stream, err := js.Stream(t.Context(), schemas.EventsStream)
			if err == nil {
				err = stream.Purge(t.Context())
			}
			if err != nil {
				t.Fatal(err)
			}
		},
		"made anew": func(t *testing.T, js jetstream.JetStream) {
			if err := js.DeleteStream(t.Context(), schemas.EventsStream); err != nil {
				t.Fatal(err)
			}
			// The server may still be removing the old one's files.
			_, err := js.CreateStream(t.Context(), streamConfig())
			for cannotStore := (*jetstream.APIError)(nil); errors.As(err, &cannotStore) && cannotStore.ErrorCode == 10049; {
				_, err = js.CreateStream(t.Context(), streamConfig())
			}
			if err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			long := theDay(window(0, 9), window(1, 9))
			for others, told := range map[string][]*sinks.Day{
				"": nil, "and told less": {theDay(window(1, 1))},
				"and told as long": {long}, "and told more": {long, theDay(window(2, 9))},
			} {
				t.Run(others, func(t *testing.T) {
					url, js := newStream(t)
					s := openSink(t, url)
					commitTo(t, load(t, s), day)
					awaitForgotten(t, js)
					lose(t, js)
					for _, day := range told {
						commitTo(t, load(t, openSink(t, url)), day)
					}
					awaitForgotten(t, js)
					converged := func(day *sinks.Day) {
						t.Helper()
						for {
							_, err := load(t, s).Commit(t.Context(), day)
							if err == nil {
								return
							}
							if !errors.Is(err, sinks.ErrConflict) {
								t.Fatal(err)
							}
						}
					}
					converged(newer)
					a := auditAll(t, js)
					want := newer.Windows
					if len(told) == 2 {
						want = append(want[:2:2], told[1].Windows...)
					}
					if d := sinktest.Diff(want, a.contents(testKey)); d != "" {
						t.Error(d)
					}
				})
			}
		})
	}
}
