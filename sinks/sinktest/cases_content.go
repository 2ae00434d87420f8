package sinktest

import (
	"fmt"
	"testing"
	"time"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
)

// testKey is the day that most cases are about.
var testKey = sinks.Key{Operation: "ventas", Day: "2026-11-01"}

// epoch is when the cases observe: window and row times are days before it.
var epoch = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

// win is the i-th window of five minutes of testKey's day, from 0, observed
// at epoch for the first time.
func win(i int, rows ...schemas.Row) schemas.Window {
	bogota := time.FixedZone("", -5*60*60)
	start := time.Date(2026, 11, 1, 0, 5*i, 0, 0, bogota)
	w := schemas.Window{
		Local: start.Format("2006-01-02T15:04:05"), Start: start, End: start.Add(5 * time.Minute),
		Revision: 1, Method: schemas.Direct, Cause: schemas.Live, ObservedAt: epoch, Rows: rows,
	}
	if len(rows) == 0 {
		w.Method = schemas.Empty
	}
	return w
}

// later is w as observed after n seconds more, with n revisions more.
func later(w schemas.Window, n int) schemas.Window {
	w.ObservedAt = w.ObservedAt.Add(time.Duration(n) * time.Second)
	w.Revision += int64(n)
	w.Cause = schemas.Settle
	return w
}

// unseen is w before the journal has given it a revision and a time.
func unseen(w schemas.Window) schemas.Window {
	w.Revision, w.ObservedAt = 0, time.Time{}
	return w
}

// row is a row of agent and code without a description.
func row(agent, code string, n int64) schemas.Row {
	return schemas.Row{Agent: agent, Code: code, Interactions: n}
}

// described is row with a description.
func described(agent, code, description string, n int64) schemas.Row {
	return schemas.Row{Agent: agent, Code: code, Description: &description, Interactions: n}
}

// fold is a journal's fold of testKey's day with those windows, which are
// sorted as they stand.
func fold(windows ...schemas.Window) *sinks.Day {
	return &sinks.Day{
		Key: testKey, Timezone: "America/Bogota", State: schemas.Provisional, Expected: 288, Windows: windows,
	}
}

// contentCases: what is committed is what is held.
var contentCases = []testCase{
	{"nothing known writes nothing", func(t testing.TB, h Harness) {
		idle(t, commit(t, open(t, h), fold()))
		check(t, h, testKey, nil)
	}},
	{"loading writes nothing", func(t testing.TB, h Harness) {
		load(t, open(t, h), testKey)
		check(t, h, testKey, nil)
	}},
	{"empty windows are held as empty", func(t testing.TB, h Harness) {
		day := fold(win(0), win(1))
		s := open(t, h)
		wrote(t, commit(t, s, day), 2)
		check(t, h, testKey, day.Windows)
		idle(t, commit(t, s, day))
	}},
	{"first fill", func(t testing.TB, h Harness) {
		day := fold(win(0, row("Ana", "0012", 3), described("Luis", "TIMEOUTCHAT", "Sin respuesta", 1)), win(1), win(2, row("Ana", "0012", 1)))
		day.Windows[2].Method = schemas.Derived
		wrote(t, commit(t, open(t, h), day), 3)
		check(t, h, testKey, day.Windows)
		checkFacts(t, day.Windows, h.Contents(t, testKey))
	}},
	{"the same again writes nothing", func(t testing.TB, h Harness) {
		day := fold(win(0, row("Ana", "0012", 3)), win(1), win(2, described("Luis", "-", "nada", 2)))
		commit(t, open(t, h), day)
		s := open(t, h)
		for range 3 {
			idle(t, commit(t, s, day))
		}
		check(t, h, testKey, day.Windows)
	}},
	{"changed counts, vanished rows, new rows", func(t testing.TB, h Harness) {
		s := open(t, h)
		first := fold(win(0, row("Ana", "1", 3), row("Ana", "2", 1), row("Luis", "1", 7)), win(1, row("Ana", "1", 5)), win(2, row("Eva", "9", 1)), win(3))
		commit(t, s, first)
		second := fold(
			later(win(0, row("Ana", "1", 1), row("Eva", "1", 2), row("Luis", "1", 7)), 1),
			first.Windows[1],
			later(win(2), 1), // all of its rows are gone
			later(win(3, row("Ana", "1", 4)), 1),
		)
		wrote(t, commit(t, s, second), 3)
		check(t, h, testKey, second.Windows)
		checkFacts(t, second.Windows, h.Contents(t, testKey))
		idle(t, commit(t, s, second))
	}},
	{"a changed description is held", func(t testing.TB, h Harness) {
		s := open(t, h)
		commit(t, s, fold(win(0, row("Ana", "1", 3), described("Luis", "1", "old", 1))))
		second := fold(later(win(0, described("Ana", "1", "said", 3), described("Luis", "1", "new", 1)), 1))
		wrote(t, commit(t, s, second), 1)
		check(t, h, testKey, second.Windows)
	}},
	{"a description alone changes nothing", func(t testing.TB, h Harness) {
		s := open(t, h)
		first := fold(win(0, row("Ana", "1", 3), described("Luis", "1", "old", 1)))
		commit(t, s, first)
		idle(t, commit(t, s, fold(win(0, described("Ana", "1", "said", 3), described("Luis", "1", "new", 1)))))
		idle(t, commit(t, s, fold(win(0, row("Ana", "1", 3), row("Luis", "1", 1)))))
		check(t, h, testKey, first.Windows)
	}},
	{"a day whose rows all vanish", func(t testing.TB, h Harness) {
		s := open(t, h)
		commit(t, s, fold(win(0, row("Ana", "1", 3)), win(1, row("Luis", "1", 1))))
		gone := fold(later(win(0), 1), later(win(1), 1))
		wrote(t, commit(t, s, gone), 2)
		check(t, h, testKey, gone.Windows)
		back := fold(later(win(0, row("Ana", "1", 2)), 2), gone.Windows[1])
		wrote(t, commit(t, s, back), 1)
		check(t, h, testKey, back.Windows)
	}},
	{"a window absent from the day is left alone", func(t testing.TB, h Harness) {
		s := open(t, h)
		first := fold(win(0, row("Ana", "1", 3)), win(1), win(2, row("Ana", "1", 1)))
		commit(t, s, first)
		idle(t, commit(t, s, fold()))
		changed := later(win(2, row("Ana", "1", 2)), 1)
		wrote(t, commit(t, s, fold(changed, win(3, row("Eva", "1", 1)))), 2)
		check(t, h, testKey, []schemas.Window{first.Windows[0], first.Windows[1], changed, win(3, row("Eva", "1", 1))})
	}},
	{"a day that settles, and is provisional again", func(t testing.TB, h Harness) {
		s := open(t, h)
		day := fold(win(0, row("Ana", "1", 3)), win(1))
		for _, state := range []schemas.State{schemas.Provisional, schemas.Settled, schemas.Provisional} {
			day := *day
			day.State = state
			commit(t, s, &day)
			check(t, h, testKey, day.Windows)
			idle(t, commit(t, s, &day))
		}
	}},
	{"rejected and dropped rows are no rows", func(t testing.TB, h Harness) {
		w := win(0, row("Ana", "1", 3))
		w.Dropped = 2
		w.Rejects = []schemas.Reject{{Reason: "interactions is negative", Raw: []byte(`{"interactions":"-1"}`)}, {Reason: "not an object", Raw: []byte("\xff<html>")}}
		s := open(t, h)
		wrote(t, commit(t, s, fold(w)), 1)
		check(t, h, testKey, []schemas.Window{w})
		idle(t, commit(t, s, fold(w)))
	}},
	{"days and operations do not mix", func(t testing.TB, h Harness) {
		s := open(t, h)
		keys := []sinks.Key{testKey, {Operation: "ventas", Day: "2026-11-02"}, {Operation: "ventas-2", Day: "2026-11-01"}, {Operation: "v", Day: "2026-11-01"}, {Operation: "ventas_2", Day: "2026-11-01"}}
		at := func(i int, key sinks.Key) *sinks.Day {
			day := fold(win(0, row("Ana", "1", int64(i+1))), win(1, row(fmt.Sprint("only ", i), "1", 1)))
			day.Key = key
			if key.Day != testKey.Day {
				for i := range day.Windows {
					w := &day.Windows[i]
					w.Start, w.End = w.Start.AddDate(0, 0, 1), w.End.AddDate(0, 0, 1)
					w.Local = w.Start.Format("2006-01-02T15:04:05")
				}
			}
			return day
		}
		for i, key := range keys {
			wrote(t, commit(t, s, at(i, key)), 2)
		}
		for i, key := range keys {
			idle(t, commit(t, s, at(i, key)))
			check(t, h, key, at(i, key).Windows)
		}
	}},
}

// checkFacts fails unless the facts of each wanted window are held.
func checkFacts(t testing.TB, want, got []schemas.Window) {
	t.Helper()
	held := make(map[string]schemas.Window)
	for _, w := range got {
		held[w.Local] = w
	}
	for _, w := range want {
		g := held[w.Local]
		if !g.Start.Equal(w.Start) || !g.End.Equal(w.End) || g.Method != w.Method || !g.ObservedAt.Equal(w.ObservedAt) {
			t.Errorf("window %s is held as %v to %v, %s, observed %v; want %v to %v, %s, observed %v",
				w.Local, g.Start, g.End, g.Method, g.ObservedAt, w.Start, w.End, w.Method, w.ObservedAt)
		}
	}
}
