package main

import (
	"path/filepath"
	"slices"

	"wolkpipe/sinks"
	"wolkpipe/sinks/iceberg"
)

// withTables is the rest of a configuration with both kinds of lake.
var withTables = []string{
	`nats: {listen: "127.0.0.1:0"}`, `status: {listen: "127.0.0.1:0"}`,
	"sinks:", "  - {name: events, kind: events}", "  - {name: lake, kind: parquet}", "  - {name: tables, kind: iceberg, interval: 1s}",
}

// checkTables compares the Iceberg tables of an installation whose daemon has
// ended with its lake of files.
func (s *site) checkTables(since string) {
	s.t.Helper()
	ctx := s.t.Context()
	tables, err := iceberg.Open(ctx, iceberg.Options{
		Catalog:   "sqlite://" + filepath.ToSlash(s.path("data", "iceberg.db")),
		Warehouse: "file://" + filepath.ToSlash(s.path("data", "iceberg")), MaintainEvery: -1,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() {
		if err := tables.Close(); err != nil {
			s.t.Error(err)
		}
	}()
	have := s.read(since)
	rows := tally{}
	for operation, want := range have.lines {
		var lines []line
		var days []string
		for _, l := range want {
			days = append(days, l.window[:len("2006-01-02")])
		}
		for _, day := range slices.Compact(days) {
			key := sinks.Key{Operation: operation, Day: day}
			held, err := tables.Rows(ctx, key)
			if err != nil {
				s.t.Fatal(err)
			}
			for _, r := range held {
				rows[cell{operation, r.WindowLocal.String(), r.Agent, r.Code}] += r.Interactions
			}
			windows, err := tables.Coverage(ctx, key)
			if err != nil {
				s.t.Fatal(err)
			}
			for _, w := range windows {
				lines = append(lines, line{w.WindowLocal.String(), w.RowCount, w.Interactions, w.RejectedRows, w.DroppedRows})
			}
		}
		if !slices.Equal(lines, want) {
			s.t.Errorf("%s: the table of windows has %d lines, the lake's coverage %d, or they differ", operation, len(lines), len(want))
		}
	}
	if n := have.rows.minus(rows); n > 0 || len(rows) == 0 {
		s.t.Errorf("the table's %d rows differ from the lake's %d in %d", len(rows), len(have.rows), n)
	}
	s.t.Logf("%d rows in the Iceberg table", len(rows))
}
