package sql_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/parquet-go/parquet-go"

	"wolkpipe/sinks"
	"wolkpipe/sinks/lake"
)

// newerRow is a row as a later version might write it.
type newerRow struct {
	lake.RowRecord
	Channel *string `parquet:"channel,optional"`
}

// renew writes the rows object of a day as a later version would, with a channel
// in every second row, and gives its name.
func (l *sampleLake) renew(t testing.TB, key sinks.Key) (name string) {
	t.Helper()
	rows, err := l.sink.Rows(t.Context(), key)
	if err != nil || len(rows) < 10 {
		t.Fatalf("%d rows of %s, %v", len(rows), key, err)
	}
	newer := make([]newerRow, len(rows))
	for i, r := range rows {
		newer[i].RowRecord = r
		if i%2 == 0 {
			newer[i].Channel = text("chat é")
		}
	}
	var data bytes.Buffer
	if err := parquet.Write(&data, newer, parquet.Compression(&parquet.Zstd)); err != nil {
		t.Fatal(err)
	}
	name = filepath.Join(l.root, "chat_7", "operation="+key.Operation, "day="+key.Day, "chat_7.parquet")
	if err := os.WriteFile(name, data.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestColumnAdded: objects with a column that a later version added are read
// beside those without, whichever comes first, and change no answer.
func TestColumnAdded(t *testing.T) {
	l := buildSample(t)
	// The first object of all, one in the middle, and the last.
	keys := []sinks.Key{{Operation: "en-us", Day: "2026-11-01"}, {Operation: "soporte", Day: "2026-11-04"}, {Operation: "ventas", Day: "2026-11-12"}}
	var old, unsaid, said, newer int64 // interactions
	names := make(map[string]bool)
	for _, key := range keys {
		names[l.renew(t, key)] = true
	}
	for _, d := range l.days {
		n := 0
		for _, w := range d.Windows {
			for _, r := range w.Rows {
				switch {
				case d.Key != keys[0] && d.Key != keys[1] && d.Key != keys[2]:
					old += r.Interactions
				case n%2 == 0:
					said += r.Interactions
				default:
					unsaid += r.Interactions
				}
				n++
			}
		}
	}
	newer = said + unsaid
	channels := "SELECT channel, sum(c.interactions) FROM chat_7 AS c GROUP BY channel ORDER BY channel NULLS LAST"
	want := table{{"chat é", said}, {nil, old + unsaid}}

	each(t, func(t *testing.T, e engine) {
		truths := l.truths(t, shipped)
		all, run := questions(t, e.name, shipped), definitions(t, e.name, l.root)
		for _, q := range all {
			run = append(run, q.text)
		}
		for i, got := range e.runAll(t, len(all), run...) {
			if d := differ(truths[all[i].name], got); d != "" {
				t.Errorf("%s: %s", all[i].name, d)
			}
		}
		// What tables.sql says to do for the column itself.
		evolved := definitions(t, e.name, l.root)
		switch e.name {
		case "duckdb": // nothing
		case "clickhouse":
			evolved[0] = strings.Replace(evolved[0], "operation String,", "channel Nullable(String), operation String,", 1)
		}
		if d := differ(want, e.runAll(t, 1, append(evolved, channels)...)[0]); d != "" {
			t.Errorf("%s: %s", channels, d)
		}
	})
	t.Run("clickhouse by itself", func(t *testing.T) {
		got := runClickHouse(t, "SELECT channel, sum(interactions) FROM file('"+strings.ReplaceAll(l.root, "'", "''")+
			"/chat_7/operation=*/day=*/chat_7.parquet', 'Parquet') GROUP BY channel ORDER BY channel NULLS LAST SETTINGS schema_inference_mode = 'union'")
		if got[0].err != nil {
			t.Fatal(got[0].err)
		}
		if d := differ(want, got[0].rows); d != "" {
			t.Error(d)
		}
	})
	t.Run("arrow", func(t *testing.T) {
		files, err := filepath.Glob(filepath.Join(l.root, "chat_7", "*", "*", "*.parquet"))
		if err != nil {
			t.Fatal(err)
		}
		var got int64
		for _, name := range files {
			read := readArrow(t, name)
			at := read.Schema().FieldIndices("channel")
			if len(at) == 1 != names[name] {
				t.Errorf("%s has %d columns channel", name, len(at))
			}
			if len(at) == 1 {
				counts := read.Column(read.Schema().FieldIndices("interactions")[0]).Data().Chunks()
				for _, chunk := range counts {
					for _, v := range chunk.(*array.Int64).Int64Values() {
						got += v
					}
				}
			}
			read.Release()
		}
		if got != newer {
			t.Errorf("%d interactions in the newer objects, want %d", got, newer)
		}
	})
}

// TestColumnAddedStays: today's sink does not replace a newer version's object,
// for it would lose a column.
func TestColumnAddedStays(t *testing.T) {
	l := buildSample(t)
	key := sinks.Key{Operation: "soporte", Day: "2026-11-04"}
	name := l.renew(t, key)
	before, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range l.days {
		if d.Key != key {
			continue
		}
		day := *d
		day.Windows = append(day.Windows[:0:0], day.Windows...)
		day.Windows[0].Rows, day.Windows[0].ObservedAt = nil, day.Windows[0].ObservedAt.AddDate(1, 0, 0)
		_, _, err := sinks.Converge(t.Context(), l.sink, told{&day}, key)
		var refused *sinks.Error
		if !errors.As(err, &refused) || !strings.Contains(refused.Hint, "upgrade") || !strings.Contains(refused.Error(), "channel") {
			t.Errorf("the sink gave %v", err)
		}
	}
	if after, err := os.ReadFile(name); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the object was replaced, %v", err)
	}
}
