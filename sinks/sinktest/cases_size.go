package sinktest

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"wolkpipe/schemas"
)

// manyRows are n sorted rows; count gives that of the i-th.
func manyRows(n int, count func(i int) int64) []schemas.Row {
	rows := make([]schemas.Row, n)
	for i := range rows {
		rows[i] = row(fmt.Sprintf("Agente Ñandú %03d", i/50), fmt.Sprintf("%04d", i%50), count(i))
	}
	return rows
}

// sizeCases: much of everything, and anything in a name.
var sizeCases = []testCase{
	{"a window of 2,500 rows", func(t testing.TB, h Harness) { largeWindow(t, h, 2500) }},
	{"a window of 10,000 rows", func(t testing.TB, h Harness) { largeWindow(t, h, 10000) }},
	{"a day of 288 windows", func(t testing.TB, h Harness) {
		s := open(t, h)
		var windows []schemas.Window
		for i := range 288 {
			windows = append(windows, win(i, manyRows(i%30, func(j int) int64 { return int64(i + j + 1) })...))
		}
		wrote(t, commit(t, s, fold(windows...)), 288)
		check(t, h, testKey, windows)
		changed := slices.Clone(windows)
		n := 0
		for i := 0; i < len(changed); i += 3 {
			changed[i] = later(win(i, manyRows((i+7)%30, func(j int) int64 { return int64(i + 2*j + 1) })...), 1)
			n++
		}
		wrote(t, commit(t, s, fold(changed...)), n)
		check(t, h, testKey, changed)
		idle(t, commit(t, open(t, h), fold(changed...)))
	}},
	{"odd names", func(t testing.TB, h Harness) {
		s := open(t, h)
		names := oddNames()
		var rows []schemas.Row
		for i, name := range names {
			rows = append(rows,
				row(name, "1", int64(2*i+1)),
				described("Ana", name, name, int64(2*i+2)))
		}
		slices.SortFunc(rows, schemas.Row.Compare)
		first := fold(win(0, rows...), win(1, row("", "", 1)), win(2, row("a", "bc", 1), row("ab", "c", 2), row("abc", "", 3)))
		wrote(t, commit(t, s, first), 3)
		check(t, h, testKey, first.Windows)
		idle(t, commit(t, open(t, h), first))
		kept := slices.Clone(rows)
		for i := range kept {
			kept[i].Interactions += int64(i % 2)
		}
		kept = slices.Delete(kept, len(kept)/2, len(kept)/2+3)
		second := fold(later(win(0, kept...), 1), later(win(1), 1), first.Windows[2])
		wrote(t, commit(t, s, second), 2)
		check(t, h, testKey, second.Windows)
	}},
	{"counts are exact", func(t testing.TB, h Harness) {
		s := open(t, h)
		day := fold(win(0, row("a", "1", 1<<53+1), row("b", "1", math.MaxInt32+1), row("c", "1", 1<<53-1)))
		wrote(t, commit(t, s, day), 1)
		check(t, h, testKey, day.Windows)
		next := fold(later(win(0, row("a", "1", 1<<53+2), row("b", "1", 1), row("c", "1", 1<<53)), 1))
		wrote(t, commit(t, s, next), 1)
		check(t, h, testKey, next.Windows)
	}},
	{"an hour that the clock repeats", func(t testing.TB, h Harness) {
		s := open(t, h)
		// Windows that overlap in instants, never on the wall clock.
		a, b := win(0, row("Ana", "1", 1)), win(1, row("Ana", "1", 2))
		a.End, b.End = a.End.Add(3600e9), b.End.Add(3600e9)
		day := fold(a, b)
		wrote(t, commit(t, s, day), 2)
		check(t, h, testKey, day.Windows)
		checkFacts(t, day.Windows, h.Contents(t, testKey))
	}},
}

// oddNames are agents or codes that a driver could confuse, cut, or lose. They
// go beyond what normalised text holds: any valid UTF-8 without control
// characters is kept to the byte.
func oddNames() []string {
	names := []string{
		"", "-", "0", "0012", "012", "12", "NULL", "null", "true", "NaN", "1e3", "2026-11-01",
		".", "..", "a.b", "*", ">", "chat7.events.>", "%", "%20", "%2E", "+", "_", "$", "#",
		"/", "\\", "a/b", "=", "operation=x", "'", `"`, `\"`, "`", ";", ",", "a,b", "{}", "[]", "<b>&amp;</b>",
		"a b", "Caso", "caso", "CASO", "José Núñez", "JOSÉ", "日本語", "עברית", "🙂👩‍👩‍👧", "e\u0301x", "\u00a0", "Acuerdo_de_Pago",
		"TIMEOUTCHAT", "AGENT-INITIATED", "\ufffd", "\U0010ffff",
	}
	long := strings.Repeat("ñ", 2048)
	return append(names, long, long[:4094]+"ü", strings.Repeat("x", 4096), strings.Repeat("x", 4095)+"y", strings.Repeat(".", 300))
}

// largeWindow fills, changes and empties a window of n rows.
func largeWindow(t testing.TB, h Harness, n int) {
	s := open(t, h)
	same := win(1, row("Ana", "1", 1))
	first := fold(win(0, manyRows(n, func(i int) int64 { return int64(i + 1) })...), same)
	wrote(t, commit(t, s, first), 2)
	check(t, h, testKey, first.Windows)
	idle(t, commit(t, s, first))

	rows := slices.Clone(first.Windows[0].Rows)
	rows[n/2].Interactions++
	one := fold(later(win(0, rows...), 1), same)
	wrote(t, commit(t, s, one), 1)
	check(t, h, testKey, one.Windows)

	all := fold(later(win(0, manyRows(n-3, func(i int) int64 { return int64(i + 5) })...), 2), same)
	wrote(t, commit(t, open(t, h), all), 1)
	check(t, h, testKey, all.Windows)

	none := fold(later(win(0), 3), same)
	wrote(t, commit(t, s, none), 1)
	check(t, h, testKey, none.Windows)
	idle(t, commit(t, open(t, h), none))
}
