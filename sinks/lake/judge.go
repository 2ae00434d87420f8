package lake

import (
	"maps"

	"wolkpipe/sinks"
)

// Verdict says what a commit does with one window of a day.
type Verdict struct {
	Keep bool // the lake has it from a later observation
	Rows bool // its rows differ
	Line bool // its line of coverage differs
}

// Judge compares each wanted window with what the lake holds, sorted, of its
// day. damaged tells that the rows could not be read: a line of coverage that
// outlived its rows then tells of nothing that is still held.
func Judge(rows []RowRecord, lines []WindowRecord, damaged bool, want []Window) []Verdict {
	verdicts := make([]Verdict, len(want))
	var ofRows []RowRecord
	var ofLine []WindowRecord
	for i := range want {
		w, v := &want[i], &verdicts[i]
		_, ofRows, rows = Cut(rows, w.Local)
		_, ofLine, lines = Cut(lines, w.Local)
		v.Keep = newer(ofRows, w.Observed) || newer(ofLine, w.Observed) && !damaged
		if !v.Keep {
			v.Rows, v.Line = Differ(ofRows, w.Rows), Differ(ofLine, w.Line[:])
		}
	}
	return verdicts
}

// MergeRows is the rows of a day after a commit: the wanted windows in the
// place of what was held of them, but for those to keep, and the windows that
// the day does not tell.
func MergeRows(held []RowRecord, want []Window, verdicts []Verdict) []RowRecord {
	return merge(held, want, verdicts, func(w *Window) []RowRecord { return w.Rows })
}

// MergeLines is the coverage of a day after a commit, as [MergeRows] is its rows.
func MergeLines(held []WindowRecord, want []Window, verdicts []Verdict) []WindowRecord {
	return merge(held, want, verdicts, func(w *Window) []WindowRecord { return w.Line[:] })
}

func merge[R Record[R]](held []R, want []Window, verdicts []Verdict, of func(*Window) []R) []R {
	n := len(held)
	for i := range want {
		n += len(of(&want[i]))
	}
	merged := make([]R, 0, n)
	for i := range want {
		var before, at []R
		before, at, held = Cut(held, want[i].Local)
		merged = append(merged, before...)
		if verdicts[i].Keep {
			merged = append(merged, at...)
		} else {
			merged = append(merged, of(&want[i])...)
		}
	}
	return append(merged, held...)
}

// Backed are the lines of coverage of a day whose rows were lost: of windows
// that have none, and of those that the day tells again.
func Backed(lines []WindowRecord, want []Window) []WindowRecord {
	told := make(map[WallClock]bool, len(want))
	for i := range want {
		told[want[i].Local] = true
	}
	var left []WindowRecord
	for _, l := range lines {
		if l.RowCount == 0 || told[l.WindowLocal] {
			left = append(left, l)
		}
	}
	return left
}

// Cut parts sorted records at a window: those of earlier windows, its own,
// and the rest.
func Cut[R Record[R]](records []R, at WallClock) (before, own, rest []R) {
	from := 0
	for from < len(records) && records[from].Local() < at {
		from++
	}
	to := from
	for to < len(records) && records[to].Local() == at {
		to++
	}
	return records[:from], records[from:to], records[to:]
}

// newer reports whether any record is from a later observation than at.
func newer[R Record[R]](records []R, at Instant) bool {
	for _, r := range records {
		if r.Observed() > at {
			return true
		}
	}
	return false
}

// Differ reports whether two sorted lists of records do, descriptions aside.
func Differ[R Record[R]](a, b []R) bool {
	if len(a) != len(b) {
		return true
	}
	for i := range a {
		if !a[i].Same(b[i]) {
			return true
		}
	}
	return false
}

// Differing are the windows whose records differ. Both sides are sorted.
func Differing[R Record[R]](old, now []R) map[WallClock]bool {
	windows := make(map[WallClock]bool)
	for len(old) > 0 || len(now) > 0 {
		var local WallClock
		switch {
		case len(old) == 0:
			local = now[0].Local()
		case len(now) == 0:
			local = old[0].Local()
		default:
			local = min(old[0].Local(), now[0].Local())
		}
		var ofOld, ofNow []R
		_, ofOld, old = Cut(old, local)
		_, ofNow, now = Cut(now, local)
		if Differ(ofOld, ofNow) {
			windows[local] = true
		}
	}
	return windows
}

// Change counts the windows that differ between what is held of a day and what
// it is to be, and the rows that are to be of those whose rows do. All is sorted.
func Change(heldRows, rows []RowRecord, heldLines, lines []WindowRecord) (c sinks.Change) {
	differ := Differing(heldRows, rows)
	for i := range rows {
		if differ[rows[i].WindowLocal] {
			c.Rows++
		}
	}
	maps.Copy(differ, Differing(heldLines, lines))
	c.Windows = len(differ)
	return c
}
