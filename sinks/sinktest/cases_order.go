package sinktest

import (
	"testing"

	"wolkpipe/schemas"
)

// orderCases: a sink never goes back.
var orderCases = []testCase{
	{"an older observation never overwrites", func(t testing.TB, h Harness) {
		s := open(t, h)
		newer := fold(later(win(0, row("Ana", "1", 5)), 3), later(win(1), 3))
		commit(t, s, newer)
		older := fold(win(0, row("Ana", "1", 3), row("Luis", "1", 1)), later(win(1, row("Ana", "1", 1)), 2))
		idle(t, commit(t, s, older))
		idle(t, commit(t, open(t, h), older))
		check(t, h, testKey, newer.Windows)
	}},
	{"older and newer observations in one day", func(t testing.TB, h Harness) {
		s := open(t, h)
		newer := later(win(0, row("Ana", "1", 5)), 2)
		commit(t, s, fold(newer, win(1, row("Ana", "1", 1))))
		changed := later(win(1, row("Ana", "1", 2)), 1)
		wrote(t, commit(t, s, fold(win(0), changed, win(2, row("Eva", "1", 1)))), 2)
		check(t, h, testKey, []schemas.Window{newer, changed, win(2, row("Eva", "1", 1))})
	}},
}
