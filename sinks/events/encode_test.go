package events

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"wolkpipe/schemas"
)

// anyText is what names may hold, and what they should not.
func anyText() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.SampledFrom([]string{"", "0012", "TIMEOUTCHAT", "COM-José Núñez", "<b>&amp;</b>", `"\`, "a\u2028b\u2029", "\ufffd", "\xff\xfe", "\x00\x1f\x7f", "🙂", "\b\f\n\r\t"}),
		rapid.String(),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 20), func(b []byte) string { return string(b) }),
	)
}

func anyTime() *rapid.Generator[time.Time] {
	zones := []*time.Location{time.UTC, time.FixedZone("", -5*3600), time.FixedZone("", 5*3600+1800)}
	return rapid.Custom(func(r *rapid.T) time.Time {
		micros := rapid.Int64Range(0, 4e15).Draw(r, "µs")
		return time.UnixMicro(micros).In(rapid.SampledFrom(zones).Draw(r, "zone"))
	})
}

func anyDescription() *rapid.Generator[*string] { return rapid.Ptr(anyText(), true) }

func TestRowIsTheReferences(t *testing.T) {
	var enc encoder
	rapid.Check(t, func(r *rapid.T) {
		d := schemas.RowData{
			Operation: rapid.StringMatching(`[a-z][a-z0-9_-]{0,62}`).Draw(r, "operation"), Day: "2026-11-01",
			WindowStart: anyTime().Draw(r, "start"), WindowEnd: anyTime().Draw(r, "end"), WindowLocal: "2026-11-01T00:05:00",
			Agent: anyText().Draw(r, "agent"), Code: anyText().Draw(r, "code"), Description: anyDescription().Draw(r, "description"),
			Interactions: rapid.Int64().Draw(r, "interactions"), Previous: rapid.Int64().Draw(r, "previous"), Delta: rapid.Int64().Draw(r, "delta"),
			Revision: rapid.Int64().Draw(r, "revision"), ObservedAt: anyTime().Draw(r, "observed"), Cause: schemas.Settle,
		}
		id, data, err := schemas.NewRow(d)
		if err != nil {
			r.Fatal(err)
		}
		got, err := enc.row(&d)
		if err != nil || got.id != id || string(got.data) != string(data) {
			r.Fatalf("row is\n%s %s %v\nand should be\n%s %s", got.id, got.data, err, id, data)
		}
	})
}

func TestWindowIsTheReferences(t *testing.T) {
	var enc encoder
	rapid.Check(t, func(r *rapid.T) {
		d := schemas.WindowData{
			Operation: "ventas", Day: "2026-11-01",
			WindowStart: anyTime().Draw(r, "start"), WindowEnd: anyTime().Draw(r, "end"), WindowLocal: "2026-11-01T00:05:00",
			Revision: rapid.Int64().Draw(r, "revision"), Method: schemas.Derived, ObservedAt: anyTime().Draw(r, "observed"), Cause: schemas.Live,
			RowCount: rapid.Int64().Draw(r, "rows"), Interactions: rapid.Int64().Draw(r, "interactions"),
			RejectedRows: rapid.Int64().Draw(r, "rejected"), DroppedRows: rapid.Int64().Draw(r, "dropped"),
			Rows: rapid.SliceOfN(rapid.Custom(func(r *rapid.T) schemas.Row {
				return schemas.Row{Agent: anyText().Draw(r, "agent"), Code: anyText().Draw(r, "code"),
					Description: anyDescription().Draw(r, "description"), Interactions: rapid.Int64().Draw(r, "n")}
			}), 0, 20).Draw(r, "content"),
		}
		limit := rapid.SampledFrom([]int{0, 1000, 1500, 3000, maxWindowEvent}).Draw(r, "limit")
		events, err := enc.window(&d, limit)
		if err != nil {
			r.Fatal(err)
		}
		if limit == maxWindowEvent && len(events) != 1 {
			r.Fatalf("%d parts of a small window", len(events))
		}
		// Each part is the reference's event of its share of the rows, and the
		// shares are the rows.
		rest := d.Rows
		for i, ev := range events {
			var e schemas.Event[schemas.WindowData]
			if err := json.Unmarshal(ev.data, &e); err != nil {
				r.Fatal(err)
			}
			n := len(e.Data.Rows)
			if n > len(rest) || n == 0 && len(events) > 1 {
				r.Fatalf("part %d has %d rows, %d are left", i+1, n, len(rest))
			}
			part := d
			part.Part, part.Parts, part.Rows = i+1, len(events), rest[:n:n]
			rest = rest[n:]
			id, data, err := schemas.NewWindow(part)
			if err != nil {
				r.Fatal(err)
			}
			if ev.id != id || string(ev.data) != string(data) {
				r.Fatalf("part %d is\n%s %s\nand should be\n%s %s", i+1, ev.id, ev.data, id, data)
			}
			if len(ev.data) > limit && n > 1 {
				r.Fatalf("part %d of %d rows has %d bytes, over %d", i+1, n, len(ev.data), limit)
			}
		}
		if len(rest) > 0 {
			r.Fatalf("%d rows are in no part", len(rest))
		}
	})
}

func FuzzString(f *testing.F) {
	for _, s := range []string{"", "abc", "é\u2028", "\xc3\x28", "<&>", "\x7f"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if got := appendString(nil, s); string(got) != string(want) {
			t.Fatalf("%q is %s, want %s", s, got, want)
		}
	})
}

// Events are cut from shared memory: one must not reach into the next.
func TestEventsKeepTheirBytes(t *testing.T) {
	var enc encoder
	var events []event
	var copies []string
	for i := range 2000 {
		ev, err := enc.row(&schemas.RowData{Operation: "ventas", Agent: strings.Repeat("<ñ>", i%300), Revision: int64(i)})
		if err != nil {
			t.Fatal(err)
		}
		if cap(ev.data) != len(ev.data) {
			t.Fatal("an event has room that is another's")
		}
		events, copies = append(events, ev), append(copies, string(ev.data))
	}
	for i, ev := range events {
		if string(ev.data) != copies[i] {
			t.Fatalf("event %d was written over", i)
		}
	}
}

func TestCompare(t *testing.T) {
	row := func(agent string, n int64) schemas.Row { return schemas.Row{Agent: agent, Code: "1", Interactions: n} }
	old := []schemas.Row{row("a", 1), row("b", 2), row("d", 4), row("f", 6)}
	now := []schemas.Row{row("b", 2), row("c", 3), row("d", 5), row("g", 7)}
	got := compare(old, now, nil)
	want := []moved{
		{row("a", 0), 1, 0, 1},
		{row("c", 3), 0, 2, 2},
		{row("d", 5), 4, 3, 3},
		{row("f", 0), 6, 3, 4},
		{row("g", 7), 0, 4, 4},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("compare gives\n%+v, want\n%+v", got, want)
	}
}

func BenchmarkEncodeRow(b *testing.B) {
	description := "Acuerdo de pago"
	at := time.Date(2026, 11, 1, 0, 6, 1, 123456000, time.UTC)
	start := time.Date(2026, 11, 1, 0, 0, 0, 0, time.FixedZone("", -5*3600))
	d := schemas.RowData{
		Operation: "ventas", Day: "2026-11-01", WindowStart: start, WindowEnd: start.Add(5 * time.Minute), WindowLocal: "2026-11-01T00:00:00",
		Agent: "COM-José Núñez", Code: "TIMEOUTCHAT", Description: &description, Interactions: 12, Delta: 12, Revision: 1, ObservedAt: at, Cause: schemas.Backfill,
	}
	b.Run("append", func(b *testing.B) {
		var enc encoder
		b.ReportAllocs()
		for b.Loop() {
			if _, err := enc.row(&d); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("reference", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := schemas.NewRow(d); err != nil {
				b.Fatal(err)
			}
		}
	})
}
