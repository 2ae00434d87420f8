package consume_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"wolkpipe/schemas"
	"wolkpipe/schemas/consume"
)

// told is a row event in a stream.
type told struct {
	seq  uint64
	id   string
	row  schemas.RowData
	data []byte
}

// history draws a stream as wolkpipe tells one: windows that change again and
// again, rows that vanish and come back, revisions left out or begun anew,
// observations within the same microsecond, repairs that only confirm. truth is what each
// key comes to after each event.
func history(r *rapid.T) (stream []told, truth []map[consume.Key]int64) {
	begin := time.Date(2026, 11, 1, 15, 0, 0, 0, time.UTC)
	revision, observed := map[string]int64{}, map[string]time.Time{}
	now := map[consume.Key]int64{}
	seq := uint64(0)
	for range rapid.IntRange(1, 12).Draw(r, "changes") {
		operation := rapid.SampledFrom([]string{"ventas", "soporte"}).Draw(r, "operation")
		local := fmt.Sprintf("2026-11-01T10:%02d:00", 5*rapid.IntRange(0, 2).Draw(r, "window"))
		w := operation + local
		if observed[w].IsZero() {
			observed[w] = begin
		}
		// 0: what is too much for one batch is told as several revisions.
		later := rapid.SampledFrom([]int{0, 1, 10, 250_000, 1_000_000}).Draw(r, "µs later")
		observed[w] = observed[w].Add(time.Duration(later) * time.Microsecond)
		if later > 0 && rapid.IntRange(0, 3).Draw(r, "journal lost") == 0 {
			revision[w] = 0 // it counts anew
		}
		revision[w] += rapid.Int64Range(1, 3).Draw(r, "revisions")
		for _, agent := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"", "Ana", "José"}), 1, 3, rapid.ID).Draw(r, "agents") {
			code := rapid.SampledFrom([]string{"", "0012", "TIMEOUTCHAT"}).Draw(r, "code")
			key := consume.Key{Operation: operation, Window: local, Agent: agent, Code: code}
			n := rapid.Int64Range(0, 4).Draw(r, "interactions")
			id, data, err := schemas.NewRow(schemas.RowData{
				Operation: operation, Day: "2026-11-01", WindowLocal: local, Agent: agent, Code: code,
				Interactions: n, Previous: now[key], Delta: n - now[key], Revision: revision[w], ObservedAt: observed[w], Cause: schemas.Settle,
			})
			if err != nil {
				r.Fatal(err)
			}
			seq += uint64(rapid.IntRange(1, 3).Draw(r, "sequences")) // between them are other events
			e, err := consume.Decode(data)
			if err != nil {
				r.Fatal(err)
			}
			stream = append(stream, told{seq, id, *e.Row, data})
			now = maps.Clone(now)
			now[key] = n
			truth = append(truth, now)
		}
	}
	return stream, truth
}

// held is what a fold has.
func held(f *consume.Fold) map[consume.Key]int64 {
	all := map[consume.Key]int64{}
	for key, count := range f.All() {
		all[key] = count.Interactions
	}
	return all
}

func apply(r rapid.TB, f *consume.Fold, e told) (consume.Change, bool) {
	event, err := consume.Decode(e.data)
	if err != nil {
		r.Fatal(err)
	}
	return f.Apply(event, e.seq)
}

// restarted is f after its program was killed and started again.
func restarted(r rapid.TB, f *consume.Fold) *consume.Fold {
	data, err := json.Marshal(f)
	if err != nil {
		r.Fatal(err)
	}
	again := new(consume.Fold)
	if err := json.Unmarshal(data, again); err != nil {
		r.Fatal(err)
	}
	return again
}

// TestFoldIsTheTruth: every event at least once, in any order, with restarts
// in between, comes to what was told last; so do the changes that the fold
// gave, and the events' own deltas, each id once.
func TestFoldIsTheTruth(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		stream, truth := history(r)
		deliveries := slices.Concat(stream, rapid.SliceOf(rapid.SampledFrom(stream)).Draw(r, "repeated"))
		deliveries = rapid.Permutation(deliveries).Draw(r, "order")
		fold, total := new(consume.Fold), map[consume.Key]int64{}
		ids, deltas := map[string]bool{}, map[consume.Key]int64{}
		for _, e := range deliveries {
			change, changed := apply(r, fold, e)
			if changed != (change.Delta() != 0) {
				r.Fatalf("changed is %v for %+v", changed, change)
			}
			if changed {
				total[change.Key] += change.Delta()
			}
			if total[change.Key] != change.Interactions && changed {
				r.Fatalf("the changes of %v add up to %d, it is %d", change.Key, total[change.Key], change.Interactions)
			}
			if rapid.IntRange(0, 5).Draw(r, "restart") == 0 {
				fold = restarted(r, fold)
			}
			key := consume.Key{Operation: e.row.Operation, Window: e.row.WindowLocal, Agent: e.row.Agent, Code: e.row.Code}
			if !ids[e.id] {
				deltas[key] += e.row.Delta
			}
			ids[e.id] = true
		}
		want := truth[len(truth)-1]
		if got := held(fold); !maps.Equal(got, want) {
			r.Fatalf("held are %v, the truth is %v", got, want)
		}
		if !maps.Equal(deltas, want) {
			r.Fatalf("the deltas come to %v, the truth is %v", deltas, want)
		}
		for key, n := range want {
			if total[key] != n {
				r.Fatalf("the changes of %v add up to %d, the truth is %d", key, total[key], n)
			}
		}
		byCode := map[string]int64{}
		for key, n := range want {
			byCode[key.Code] += n
		}
		if got := fold.Sum(func(k consume.Key) string { return k.Code }); !maps.Equal(got, byCode) {
			r.Fatalf("summed by code they are %v, the truth is %v", got, byCode)
		}
	})
}

// TestRightAtEveryMoment: a program that reads the stream in its order, and is
// killed and goes on from what it saved at any time before, never has other
// counts than the stream up to where it ever was.
func TestRightAtEveryMoment(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		stream, truth := history(r)
		created := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
		last := stream[len(stream)-1].seq
		fold := new(consume.Fold)
		fold.Resume(created, last)
		saved := restarted(r, fold)
		for i := 0; i < len(stream); {
			apply(r, fold, stream[i])
			if got := held(fold); !maps.Equal(got, truth[i]) {
				r.Fatalf("after event %d held are %v, the truth is %v", i, got, truth[i])
			}
			i++
			switch rapid.IntRange(0, 5).Draw(r, "then") {
			case 0:
				saved = restarted(r, fold)
			case 1:
				fold = restarted(r, saved)
				from := fold.Resume(created, last)
				for i = 0; stream[i].seq < from; i++ {
					if i+1 == len(stream) {
						return // all was saved
					}
				}
			}
		}
	})
}

// TestResume: where a fold goes on, and that it does not mix two streams.
func TestResume(t *testing.T) {
	created := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	row := func(t *testing.T) consume.Event {
		_, data, err := schemas.NewRow(schemas.RowData{Operation: "ventas", WindowLocal: "2026-11-01T10:00:00", Interactions: 7, Revision: 1, ObservedAt: created})
		if err != nil {
			t.Fatal(err)
		}
		e, err := consume.Decode(data)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	for name, c := range map[string]struct {
		created    time.Time
		last, from uint64
		keeps      int
	}{
		"nothing new":                 {created, 9, 10, 1},
		"more":                        {created, 50, 10, 1},
		"made anew, and short":        {created.Add(time.Hour), 3, 1, 0},
		"made anew, and long":         {created.Add(time.Hour), 500, 1, 0},
		"set back":                    {created, 8, 1, 0},
		"told in another zone's time": {created.In(time.FixedZone("", 3600)), 9, 10, 1},
	} {
		t.Run(name, func(t *testing.T) {
			fold := new(consume.Fold)
			if from := fold.Resume(created, 12); from != 1 {
				t.Errorf("an empty fold begins at %d", from)
			}
			fold.Apply(row(t), 8)
			fold.Apply(consume.Event{ID: "x", Type: "of tomorrow"}, 9)
			fold.Apply(row(t), 4)
			fold = restarted(t, fold)
			if from := fold.Resume(c.created, c.last); from != c.from {
				t.Errorf("it goes on at %d, want %d", from, c.from)
			}
			if n := len(held(fold)); n != c.keeps {
				t.Errorf("it holds %d counts, want %d", n, c.keeps)
			}
			if from := restarted(t, fold).Resume(c.created, c.last); from != c.from {
				t.Errorf("then it goes on at %d, want %d", from, c.from)
			}
		})
	}
}

func TestStateInAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "totals.json")
	fold, err := consume.Load(path)
	if err != nil || len(held(fold)) > 0 {
		t.Fatalf("without a file: %v, %v", held(fold), err)
	}
	for n := range int64(3) {
		_, data, err := schemas.NewRow(schemas.RowData{Operation: "ventas", WindowLocal: "2026-11-01T10:00:00", Agent: "José", Interactions: n,
			Revision: n + 1, ObservedAt: time.Date(2026, 11, 1, 15, 0, 0, 891_000, time.UTC)})
		if err != nil {
			t.Fatal(err)
		}
		apply(t, fold, told{seq: uint64(n + 1), data: data})
		if err := fold.Save(path); err != nil {
			t.Fatal(err)
		}
		if fold, err = consume.Load(path); err != nil {
			t.Fatal(err)
		}
		if got := fold.Sum(func(k consume.Key) string { return k.Agent }); got["José"] != n || fold.Resume(time.Now(), 10) != uint64(n+2) {
			t.Errorf("of %d there is %v", n, got)
		}
		if fold, err = consume.Load(path); err != nil {
			t.Fatal(err)
		}
	}
	private(t, path)
}

// TestCheckpoint: a state is saved when there is nothing more to read, and in
// between often enough.
func TestCheckpoint(t *testing.T) {
	path := filepath.Join(t.TempDir(), "totals.json")
	fold := new(consume.Fold)
	next := func() uint64 {
		saved, err := consume.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		return saved.Resume(time.Time{}, 1<<40)
	}
	for seq := uint64(1); seq <= 2100; seq++ {
		fold.Apply(consume.Event{ID: "x", Type: "of tomorrow"}, seq)
		if err := fold.Checkpoint(path, 2100-seq); err != nil {
			t.Fatal(err)
		}
		want := seq/1000*1000 + 1
		if seq == 2100 {
			want = 2101
		}
		if got := next(); got != want {
			t.Fatalf("after %d events a program would go on at %d, want %d", seq, got, want)
		}
	}
	if err := fold.Checkpoint(filepath.Join(path, "in a file"), 0); err == nil {
		t.Error("saving below a file worked")
	}
}
