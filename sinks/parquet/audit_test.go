package parquet

import (
	"slices"
	"strings"
	"testing"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/lake"
)

func kinds(all []sinks.Difference) string {
	var names []string
	for _, d := range all {
		if !slices.Contains(names, string(d.Kind)) {
			names = append(names, string(d.Kind))
		}
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func TestAuditFindsAndMends(t *testing.T) {
	stray := func(s *spoiled, edit func(r *lake.RowRecord)) {
		s.rows(func(all []lake.RowRecord) []lake.RowRecord {
			r := all[0]
			r.Agent = "Nobody"
			edit(&r)
			return append(all, r)
		})
	}
	edited := func(edit func(r *lake.RowRecord)) func(*spoiled, map[string][]byte) {
		return func(s *spoiled, _ map[string][]byte) {
			s.rows(func(all []lake.RowRecord) []lake.RowRecord { edit(&all[0]); return all })
		}
	}
	line := func(edit func(r *lake.WindowRecord)) func(*spoiled, map[string][]byte) {
		return func(s *spoiled, _ map[string][]byte) {
			s.lines(func(all []lake.WindowRecord) []lake.WindowRecord { edit(&all[0]); return all })
		}
	}
	for _, c := range []struct {
		name   string
		damage func(s *spoiled, first map[string][]byte)
		kinds  string // found
		alone  bool   // the normal convergence mends it
	}{
		{"rows deleted", func(s *spoiled, _ map[string][]byte) { s.remove(rowsObject) }, "counted", true},
		{"coverage deleted", func(s *spoiled, _ map[string][]byte) { s.remove(coverageObject) }, "missing", true},
		{"both deleted", func(s *spoiled, _ map[string][]byte) { s.remove(rowsObject); s.remove(coverageObject) }, "counted missing", true},
		{"old rows put back", func(s *spoiled, first map[string][]byte) { writeFile(s.t, s.path(rowsObject), first[rowsObject]) }, "counted flawed", true},
		{"old coverage put back", func(s *spoiled, first map[string][]byte) {
			writeFile(s.t, s.path(coverageObject), first[coverageObject])
		}, "flawed missing recorded", true},
		{"an old day put back", func(s *spoiled, first map[string][]byte) {
			for name, data := range first {
				writeFile(s.t, s.path(name), data)
			}
		}, "counted missing recorded", true},
		{"rows unreadable", func(s *spoiled, _ map[string][]byte) { writeFile(s.t, s.path(rowsObject), []byte("PAR1")) }, "counted flawed", true},
		{"coverage unreadable", func(s *spoiled, _ map[string][]byte) { writeFile(s.t, s.path(coverageObject), nil) }, "flawed missing", true},
		{"a count edited", edited(func(r *lake.RowRecord) { r.Interactions++ }), "counted", true},
		{"a count edited, from the future", edited(func(r *lake.RowRecord) { r.Interactions++; r.ObservedAt = future }), "counted flawed", false},
		{"a method edited", edited(func(r *lake.RowRecord) { r.Method = schemas.Derived }), "flawed", true},
		{"an agent renamed", edited(func(r *lake.RowRecord) { r.Agent = "Anna" }), "counted", true},
		{"a row removed", func(s *spoiled, _ map[string][]byte) {
			s.rows(func(all []lake.RowRecord) []lake.RowRecord { return all[1:] })
		}, "counted", true},
		{"a row added", func(s *spoiled, _ map[string][]byte) { stray(s, func(*lake.RowRecord) {}) }, "counted", true},
		{"a row of no count added", func(s *spoiled, _ map[string][]byte) { stray(s, func(r *lake.RowRecord) { r.Interactions = 0 }) }, "flawed", true},
		{"a row added, from the future", func(s *spoiled, _ map[string][]byte) {
			stray(s, func(r *lake.RowRecord) { r.ObservedAt = future })
		}, "counted flawed", false},
		{"a row added to an empty window, from the future", func(s *spoiled, _ map[string][]byte) {
			stray(s, func(r *lake.RowRecord) { r.ObservedAt, r.WindowLocal = future, r.WindowLocal+5*60*1e6 })
		}, "counted flawed", false},
		{"a row added to a window outside of the grid", func(s *spoiled, _ map[string][]byte) {
			stray(s, func(r *lake.RowRecord) { r.WindowLocal += 7e6 })
		}, "stray", false},
		{"a row added within a second", func(s *spoiled, _ map[string][]byte) { stray(s, func(r *lake.RowRecord) { r.WindowLocal++ }) }, "counted", false},
		{"a row added of another day", func(s *spoiled, _ map[string][]byte) {
			stray(s, func(r *lake.RowRecord) { r.WindowLocal += 24 * 3600 * 1e6 })
		}, "stray", false},
		{"a whole window added of another day", func(s *spoiled, _ map[string][]byte) {
			const aDay = 24 * 3600 * 1e6
			s.rows(func(all []lake.RowRecord) []lake.RowRecord { r := all[0]; r.WindowLocal += aDay; return append(all, r) })
			s.lines(func(all []lake.WindowRecord) []lake.WindowRecord {
				l := all[0]
				l.WindowLocal += aDay
				return append(all, l)
			})
		}, "stray", false},
		{"rows twice", func(s *spoiled, _ map[string][]byte) {
			s.rows(func(all []lake.RowRecord) []lake.RowRecord { return slices.Concat(all, all) })
		}, "counted flawed", true},
		{"coverage twice", func(s *spoiled, _ map[string][]byte) {
			s.lines(func(all []lake.WindowRecord) []lake.WindowRecord { return slices.Concat(all, all) })
		}, "flawed", true},
		{"a line edited", line(func(l *lake.WindowRecord) { l.Interactions++ }), "recorded", true},
		{"a line edited, from the future", line(func(l *lake.WindowRecord) { l.Interactions++; l.ObservedAt = future }), "flawed recorded", false},
		{"a line from the future, its rows lost", func(s *spoiled, _ map[string][]byte) {
			s.lines(func(all []lake.WindowRecord) []lake.WindowRecord { all[0].ObservedAt = future; return all })
			s.remove(rowsObject)
		}, "counted recorded", false},
		{"a line of another state", line(func(l *lake.WindowRecord) { l.State = schemas.Settled }), "stated", true},
		{"a line added without its rows", func(s *spoiled, _ map[string][]byte) {
			s.lines(func(all []lake.WindowRecord) []lake.WindowRecord {
				l := all[0]
				l.WindowLocal += 7e6
				return append(all, l)
			})
		}, "stray", false},
		{"foreign objects", func(s *spoiled, first map[string][]byte) {
			writeFile(s.t, s.path(strings.Replace(rowsObject, "chat_7.parquet", "copy.parquet", 1)), first[rowsObject])
			writeFile(s.t, s.path(strings.Replace(coverageObject, "chat_7_windows.parquet", "sub/part-0.parquet", 1)), first[coverageObject])
		}, "flawed", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, first := newSpoiled(t)
			c.damage(s, first)
			s.converge()
			if left, _ := s.differences(); (len(left) == 0) != c.alone {
				t.Errorf("after the normal convergence there differ %q", left)
			}
			s, first = newSpoiled(t)
			c.damage(s, first)
			if found, _ := s.differences(); kinds(found) != c.kinds {
				t.Errorf("%s is found, want %s:\n%q", kinds(found), c.kinds, found)
			}
			s.mended()
			// What the journal learns next is not kept out.
			s.source.Observe(key, win(0, 30, row("Ana", "1", 9)), win(1, 30, row("Ana", "1", 1)))
			s.converge()
			if left, _ := s.differences(); len(left) > 0 {
				t.Errorf("later there differ %q", left)
			}
		})
	}
}
