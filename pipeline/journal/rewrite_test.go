package journal

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"pgregory.net/rapid"
)

// withoutName takes Ana out of an observation.
func withoutName(o Observation) (Observation, bool) {
	rows := make([]json.RawMessage, len(o.Rows))
	changed := false
	for i, row := range o.Rows {
		rows[i] = json.RawMessage(strings.ReplaceAll(string(row), "Ana", "x"))
		changed = changed || string(rows[i]) != string(row)
	}
	if changed {
		o.Rows, o.Digest = rows, strings.ReplaceAll(o.Digest, "Ana", "x")
	}
	return o, changed
}

// stored are the plain contents of a day's messages.
func stored(t testing.TB, j *Journal, key Key) (all []string) {
	t.Helper()
	err := j.messages(t.Context(), key, 1<<62, func(m *jetstream.RawStreamMsg) error {
		plain, err := decoder.DecodeAll(m.Data, nil)
		all = append(all, string(plain))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestRewrite: however a day was told, it then says what it said but for the
// name, in messages that have never heard of it.
func TestRewrite(t *testing.T) {
	j, js := open(t)
	run := 0
	rapid.Check(t, func(r *rapid.T) {
		run++
		key := Key{fmt.Sprintf("run%d", run), testDay}
		seq := uint64(0)
		revisions := map[int]int64{}
		for range rapid.IntRange(1, 5).Draw(r, "chunks") {
			c := chunkOf(t)
			c.Key = key
			for _, n := range rapid.SliceOfNDistinct(rapid.IntRange(0, 4), 1, 3, rapid.ID).Draw(r, "windows") {
				revisions[n]++
				rows := rapid.SliceOfN(rapid.SampledFrom([]string{"Ana 1", "Bo 2", "Ana 3"}), 0, 3).Draw(r, "rows")
				c.Windows = append(c.Windows, observe(t, n, revisions[n], rows...))
			}
			if rapid.Bool().Draw(r, "compared") {
				c.Compared = &Comparison{c.Windows[0].ObservedAt, rapid.Bool().Draw(r, "final"), 7}
			}
			c.Whole = rapid.Bool().Draw(r, "whole") && seq == 0
			seq = mustAppend(t, j, c, seq)
		}
		was, err := j.Day(t.Context(), key)
		if err != nil {
			r.Fatal(err)
		}
		named := strings.Contains(strings.Join(stored(t, j, key), ""), "Ana")
		found, err := j.Count(t.Context(), key, withoutName)
		if err != nil || named != found.Any() {
			r.Fatalf("counted %+v, %v; the stream names her: %v", found, err, named)
		}
		// Cut off anywhere, it is the same in the end.
		for cut := rapid.IntRange(0, 6).Draw(r, "cut off after"); cut > 0; cut-- {
			ctx, cancel := context.WithCancel(t.Context())
			calls := 0
			_, _ = j.Rewrite(ctx, key, func(o Observation) (Observation, bool) {
				if calls++; calls > cut*3 {
					cancel()
				}
				return withoutName(o)
			})
			cancel()
		}
		if _, err := j.Rewrite(t.Context(), key, withoutName); err != nil {
			r.Fatal(err)
		}
		if left := strings.Join(stored(t, j, key), "\n"); strings.Contains(left, "Ana") {
			r.Fatalf("the stream still says %s", left)
		}
		is, err := reopen(t, js).Day(t.Context(), key)
		if err != nil {
			r.Fatal(err)
		}
		if len(is.Windows) != len(was.Windows) || len(is.Bad) > 0 || (is.Compared == nil) != (was.Compared == nil) {
			r.Fatalf("%d windows, bad %v, compared %v; before %d, %v", len(is.Windows), is.Bad, is.Compared, len(was.Windows), was.Compared)
		}
		for i, o := range is.Windows {
			want, _ := withoutName(was.Windows[i])
			if o.Local != want.Local || o.Revision != want.Revision || o.Digest != want.Digest || !o.ObservedAt.Equal(want.ObservedAt) || fmt.Sprintf("%s", o.Rows) != fmt.Sprintf("%s", want.Rows) {
				r.Fatalf("%+v became %+v", want, o)
			}
		}
		messages := len(stored(t, j, key))
		if again, err := j.Rewrite(t.Context(), key, withoutName); again != 0 || err != nil || len(stored(t, j, key)) != messages {
			r.Fatalf("a second time changed %d, %v", again, err)
		}
	})
}

// TestRewriteRefusesWhatWasUnderWay: an answer that was asked for before does
// not bring the name back.
func TestRewriteRefusesWhatWasUnderWay(t *testing.T) {
	j, _ := open(t)
	seq := mustAppend(t, j, chunkOf(t, observe(t, 0, 1, "Ana 1")), 0)
	if n, err := j.Rewrite(t.Context(), Key{"ventas", testDay}, withoutName); n != 1 || err != nil {
		t.Fatalf("rewrote %d, %v", n, err)
	}
	if _, err := j.Append(t.Context(), chunkOf(t, observe(t, 1, 1, "Ana 2")), seq); err == nil {
		t.Error("it was recorded")
	}
}

// TestRewriteInPieces: days too large for a message are rewritten too.
func TestRewriteInPieces(t *testing.T) {
	j, _ := open(t)
	j.limit = 300
	c := chunkOf(t)
	for n := range 40 {
		c.Windows = append(c.Windows, observe(t, n, 1, fmt.Sprintf("Ana %d %x", n, n*7919)))
	}
	mustAppend(t, j, c, 0)
	if n, err := j.Rewrite(t.Context(), c.Key, withoutName); n != 40 || err != nil {
		t.Fatalf("rewrote %d, %v", n, err)
	}
	day, err := j.Day(t.Context(), c.Key)
	if err != nil || len(day.Windows) != 40 || len(day.Bad) > 0 {
		t.Fatalf("%d windows, bad %v, %v", len(day.Windows), day.Bad, err)
	}
	if found, err := j.Count(t.Context(), c.Key, withoutName); found.Any() || err != nil {
		t.Errorf("%+v left, %v", found, err)
	}
}

// TestRewriteBesideOthers: what another process records while a day is
// rewritten stays, and so does all the rest, whatever the rewriting changes.
func TestRewriteBesideOthers(t *testing.T) {
	j, js := open(t)
	for name, windows := range map[string][]Observation{
		"the name counts":          {observe(t, 0, 1, "Ana 1")},
		"the name is overruled":    {observe(t, 0, 1, "Ana 1"), observe(t, 0, 2, "Bo 1")},
		"the digest does not tell": {func() Observation { o := observe(t, 0, 1, "Ana 0"); o.Digest = "none"; return o }()},
	} {
		key := Key{"beside" + fmt.Sprint(len(name)), testDay}
		seq := uint64(0)
		for _, o := range windows {
			c := chunkOf(t, o)
			c.Key = key
			seq = mustAppend(t, j, c, seq)
		}
		other := chunkOf(t, observe(t, 5, 1, "Cy 7"))
		other.Key = key
		calls := 0
		_, err := j.Rewrite(t.Context(), key, func(o Observation) (Observation, bool) {
			if calls++; o.Local == windows[0].Local && calls == 2+len(windows)-1 { // between its reading and its writing
				seq = mustAppend(t, reopen(t, js), other, seq)
			}
			changed, ok := withoutName(o)
			if name == "the digest does not tell" {
				changed.Digest = "none"
			}
			return changed, ok
		})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		day, err := reopen(t, js).Day(t.Context(), key)
		if err != nil || len(day.Windows) != 2 {
			t.Errorf("%s: %d windows are left of 2, %v", name, len(day.Windows), err)
		}
		if left := strings.Join(stored(t, j, key), "\n"); strings.Contains(left, "Ana") {
			t.Errorf("%s: the stream still says %s", name, left)
		}
	}
}

// TestRewriteFinishes: pieces that an interrupted rewriting left are found.
func TestRewriteFinishes(t *testing.T) {
	for _, gone := range []int{0, 1} {
		j, _ := open(t)
		j.limit = 300
		c := chunkOf(t)
		for n := range 40 {
			c.Windows = append(c.Windows, observe(t, n, 1, fmt.Sprintf("Ana %d %x", n, n*7919)))
		}
		mustAppend(t, j, c, 0)
		if _, err := j.Rewrite(t.Context(), c.Key, withoutName); err != nil {
			t.Fatal(err)
		}
		// As if it had ended before all pieces were gone: the old ones again.
		old := chunkOf(t, c.Windows...)
		data, err := old.Encode()
		if err != nil {
			t.Fatal(err)
		}
		day, err := j.Day(t.Context(), c.Key)
		if err != nil {
			t.Fatal(err)
		}
		seq, err := j.publish(t.Context(), old, data, day.Seq)
		if err != nil {
			t.Fatal(err)
		}
		first := day.Seq + 1
		if err := j.stream.DeleteMsg(t.Context(), first+uint64(gone)); err != nil {
			t.Fatal(err)
		}
		mustAppend(t, j, chunkOf(t, observe(t, 41, 1, "Bo 1")), seq)
		if found, err := j.Count(t.Context(), c.Key, withoutName); !found.Any() || err != nil {
			t.Errorf("piece %d is gone: found %+v, %v", gone, found, err)
		}
		if _, err := j.Rewrite(t.Context(), c.Key, withoutName); err != nil {
			t.Fatal(err)
		}
		if found, err := j.Count(t.Context(), c.Key, withoutName); found.Any() || err != nil {
			t.Errorf("piece %d is gone: %+v is left, %v", gone, found, err)
		}
		day, err = j.Day(t.Context(), c.Key)
		if err != nil || len(day.Windows) != 41 || len(day.Bad) > 0 {
			t.Errorf("piece %d is gone: %d windows, bad %v, %v", gone, len(day.Windows), day.Bad, err)
		}
	}
}
