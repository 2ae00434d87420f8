package sinks_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
)

// auditedOf is a day as a store has it that holds exactly those windows.
func auditedOf(day *sinks.Day, readings ...sinks.Reading) *sinks.Audited {
	found := &sinks.Audited{Key: day.Key, Readings: readings, Windows: map[string]*sinks.AuditedWindow{}}
	for i := range day.Windows {
		w := &day.Windows[i]
		rows := map[sinks.RowKey][]int64{}
		for _, r := range w.Rows {
			rows[sinks.RowKey{Agent: r.Agent, Code: r.Code}] = slices.Repeat([]int64{r.Interactions}, len(readings))
		}
		found.Windows[w.Local] = &sinks.AuditedWindow{Rows: rows, Record: &sinks.Record{
			Start: w.Start, End: w.End, Timezone: day.Timezone, ObservedAt: w.ObservedAt, Method: w.Method, State: day.State,
			RowCount: int64(len(w.Rows)), Interactions: w.Interactions(), Rejected: int64(len(w.Rejects)), Dropped: w.Dropped,
		}}
	}
	return found
}

func TestDifferences(t *testing.T) {
	at := time.Date(2026, 11, 1, 6, 0, 0, 0, time.UTC)
	window := func(i int, rows ...schemas.Row) schemas.Window {
		w := count(1)
		w.Start = w.Start.Add(time.Duration(i) * 5 * time.Minute)
		w.End, w.Local = w.Start.Add(5*time.Minute), w.Start.Add(-5*time.Hour).Format("2006-01-02T15:04:05")
		w.Rows, w.ObservedAt = rows, at
		return w
	}
	one, two := window(0, schemas.Row{Agent: "Ana", Code: "1", Interactions: 3}, schemas.Row{Agent: "Eva", Code: "2", Interactions: 1}), window(1)
	day := &sinks.Day{Key: key, Timezone: "America/Bogota", State: schemas.Settled, Windows: []schemas.Window{one, two}}
	ana, eva := sinks.RowKey{Agent: "Ana", Code: "1"}, sinks.RowKey{Agent: "Eva", Code: "2"}
	const third = "2026-11-01T00:10:00"
	for name, c := range map[string]struct {
		damage func(have *sinks.Audited)
		want   []string
	}{
		"nothing":           {func(*sinks.Audited) {}, nil},
		"no time zone kept": {func(have *sinks.Audited) { have.Windows[one.Local].Record.Timezone = "" }, nil},
		"all gone": {func(have *sinks.Audited) { clear(have.Windows) }, []string{
			"ventas 2026-11-01T00:00:00: not there, should have 4 interactions",
			`ventas 2026-11-01T00:00:00, agent "Ana", code "1": 0, should be 3 (sum of deltas, latest row event)`,
			`ventas 2026-11-01T00:00:00, agent "Eva", code "2": 0, should be 1 (sum of deltas, latest row event)`,
			"ventas 2026-11-01T00:05:00: not there, should have 0 interactions",
		}},
		"readings that differ": {func(have *sinks.Audited) {
			have.Windows[one.Local].Rows[ana] = []int64{3, 0}
			have.Windows[one.Local].Rows[eva] = []int64{7, 5}
			have.Windows[one.Local].Rows[sinks.RowKey{}] = []int64{-1, 0}
		}, []string{
			`ventas 2026-11-01T00:00:00, agent "", code "": -1, should be 0 (sum of deltas)`,
			`ventas 2026-11-01T00:00:00, agent "Ana", code "1": 0, should be 3 (latest row event)`,
			`ventas 2026-11-01T00:00:00, agent "Eva", code "2": 7, should be 1 (sum of deltas)`,
			`ventas 2026-11-01T00:00:00, agent "Eva", code "2": 5, should be 1 (latest row event)`,
		}},
		"records": {func(have *sinks.Audited) {
			r := have.Windows[two.Local].Record
			r.Method, r.Dropped, r.Rejected, r.Timezone = schemas.Empty, 2, 1, "UTC"
			r.RowCount, r.Interactions, r.Start, r.End, r.ObservedAt = 1, 9, at, at, at.Add(time.Second)
		}, []string{"ventas 2026-11-01T00:05:00: window_start is 2026-11-01T06:00:00Z, should be 2026-11-01T05:05:00Z; " +
			"window_end is 2026-11-01T06:00:00Z, should be 2026-11-01T05:10:00Z; timezone is UTC, should be America/Bogota; " +
			"observed_at is 2026-11-01T06:00:01Z, should be 2026-11-01T06:00:00Z; method is empty, should be direct; row_count is 1, should be 0; " +
			"interactions is 9, should be 0; rejected_rows is 1, should be 0; dropped_rows is 2, should be 0"}},
		"told forward, later": {func(have *sinks.Audited) {
			have.TellsForward = true
			have.Windows[two.Local].Record.ObservedAt = at.Add(time.Hour)
		}, nil},
		"told forward, earlier": {func(have *sinks.Audited) {
			have.TellsForward = true
			have.Windows[two.Local].Record.ObservedAt = at.Add(-time.Hour)
		}, []string{"ventas 2026-11-01T00:05:00: observed_at is 2026-11-01T05:00:00Z, should be 2026-11-01T06:00:00Z"}},
		"state": {func(have *sinks.Audited) {
			for _, w := range have.Windows {
				w.Record.State = schemas.Provisional
			}
		}, []string{`ventas 2026-11-01: told as "provisional" with 2 windows, is "settled"`}},
		"flaws": {func(have *sinks.Audited) {
			have.Flaws = []string{"x.parquet does not belong there"}
			have.Windows[two.Local].Flaws = []string{"it stands twice"}
		}, []string{"ventas 2026-11-01: x.parquet does not belong there", "ventas 2026-11-01T00:05:00: it stands twice"}},
		"whole, and not the journal's": {func(have *sinks.Audited) {
			have.Windows[third] = &sinks.AuditedWindow{Record: &sinks.Record{RowCount: 1, Interactions: 2}, Rows: map[sinks.RowKey][]int64{ana: {2, 2}, eva: {0, 0}}}
		}, nil},
		"empty, and not the journal's": {func(have *sinks.Audited) {
			have.Windows[third] = &sinks.AuditedWindow{Record: &sinks.Record{}}
		}, nil},
		"nothing at all": {func(have *sinks.Audited) {
			have.Windows[third] = &sinks.AuditedWindow{Rows: map[sinks.RowKey][]int64{ana: {0, 0}}}
		}, nil},
		"rows that nobody knows": {func(have *sinks.Audited) {
			have.Windows[third] = &sinks.AuditedWindow{Rows: map[sinks.RowKey][]int64{ana: {0, 2}}}
		}, []string{"ventas 2026-11-01T00:10:00: the journal does not have this window, and it has rows and no record"}},
		"rows that are read in two ways": {func(have *sinks.Audited) {
			have.Windows[third] = &sinks.AuditedWindow{Record: &sinks.Record{RowCount: 1, Interactions: 2}, Rows: map[sinks.RowKey][]int64{ana: {2, 1}}}
		}, []string{"ventas 2026-11-01T00:10:00: the journal does not have this window, and its rows are not read alike"}},
		"a record without its rows": {func(have *sinks.Audited) {
			have.Windows[third] = &sinks.AuditedWindow{Record: &sinks.Record{RowCount: 1, Interactions: 2}}
		}, []string{"ventas 2026-11-01T00:10:00: the journal does not have this window, and its rows come to 0 of 0 interactions, its record says 1 of 2"}},
		"a flaw of a stray": {func(have *sinks.Audited) {
			have.Windows[third] = &sinks.AuditedWindow{Record: &sinks.Record{}, Flaws: []string{"it is not of this day"}}
		}, []string{"ventas 2026-11-01T00:10:00: the journal does not have this window, and it is not of this day"}},
	} {
		have := auditedOf(day, sinks.Deltas, sinks.Latest)
		c.damage(have)
		var got []string
		for _, d := range sinks.Differences(day, have) {
			got = append(got, d.String())
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: told\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
		if got, want := sinks.Unknown(day, have), name == "whole, and not the journal's" || name == "empty, and not the journal's"; (len(got) == 1) != want {
			t.Errorf("%s: unknown are %q", name, got)
		}
	}
}
