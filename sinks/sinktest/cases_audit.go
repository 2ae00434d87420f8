package sinktest

import (
	"errors"
	"testing"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
)

// auditCases: what a [sinks.Auditor] finds and mends. Other sinks pass.
var auditCases = []testCase{
	{"an audit finds what was committed", audited(func(t testing.TB, h Harness, a sinks.Auditor) {
		day := fold(win(0, row("Ana", "0012", 3), described("Luis", "a.b *>", "Sin respuesta", 1)), win(1), win(2, row("", "", 1)))
		day.Windows[2].Method, day.Windows[2].Dropped = schemas.Derived, 2
		day.Windows[1].Rejects = []schemas.Reject{{Reason: "not an object", Raw: []byte("x")}}
		commit(t, a, day)
		agree(t, a, day)
		day = fold(later(win(0, row("Ana", "0012", 1)), 1), later(win(1, row("Eva", "1", 2)), 1), later(win(2), 1))
		day.State = schemas.Settled
		commit(t, open(t, h), day)
		agree(t, a, day)
		idle(t, mend(t, a, day))
	})},
	{"an audit finds what the journal has otherwise", audited(func(t testing.TB, _ Harness, a sinks.Auditor) {
		commit(t, a, fold(win(0, row("Ana", "1", 3), row("Luis", "1", 7)), win(1), win(2, row("Eva", "1", 1))))
		now := fold(later(win(0, row("Ana", "1", 4), row("Zoe", "1", 1)), 1), win(1), win(2, row("Eva", "1", 1)), win(3))
		var counts, missing []string
		for _, d := range differences(t, a, now) {
			switch d.Kind {
			case sinks.Counted:
				counts = append(counts, d.Agent)
			case sinks.Missing:
				missing = append(missing, d.Window)
			}
		}
		if len(counts) != 3 || counts[0] != "Ana" || counts[1] != "Luis" || counts[2] != "Zoe" || len(missing) != 1 || missing[0] != win(3).Local {
			t.Errorf("counts of %q differ, %q are missing, want Ana, Luis and Zoe, and the last window", counts, missing)
		}
	})},
	{"mending fills what is empty", audited(func(t testing.TB, h Harness, a sinks.Auditor) {
		day := fold(win(0, row("Ana", "1", 3)), win(1), win(2, row("Luis", "1", 1)))
		if d := differences(t, a, day); len(d) == 0 {
			t.Error("an empty store does not differ")
		}
		wrote(t, mend(t, a, day), 3)
		check(t, h, testKey, day.Windows)
		checkFacts(t, day.Windows, h.Contents(t, testKey))
		idle(t, mend(t, a, day))
		idle(t, commit(t, open(t, h), day))
	})},
	{"mending takes back a later observation", audited(func(t testing.TB, h Harness, a sinks.Auditor) {
		commit(t, a, fold(later(win(0, row("Ana", "1", 9), row("Luis", "1", 1)), 5), later(win(1, row("Eva", "1", 1)), 5), win(2)))
		day := fold(win(0, row("Ana", "1", 3)), win(1), win(2))
		idle(t, commit(t, a, day))
		wrote(t, mend(t, a, day), 2)
		check(t, h, testKey, day.Windows)
		agree(t, a, day)
		idle(t, commit(t, open(t, h), day))
		after := fold(later(win(0, row("Ana", "1", 5)), 8), win(1), win(2))
		wrote(t, commit(t, a, after), 1)
		check(t, h, testKey, after.Windows)
		agree(t, a, after)
	})},
	{"mending leaves a whole window that the journal lacks", audited(func(t testing.TB, h Harness, a sinks.Auditor) {
		all := fold(win(0, row("Ana", "1", 3)), win(1, row("Luis", "1", 1)), win(2))
		commit(t, a, all)
		day := fold(later(win(0, row("Ana", "1", 4)), 1))
		mend(t, a, day)
		check(t, h, testKey, []schemas.Window{day.Windows[0], all.Windows[1], all.Windows[2]})
		agree(t, a, day)
		idle(t, mend(t, a, fold()))
	})},
	{"a late mending undoes nothing", audited(func(t testing.TB, h Harness, a sinks.Auditor) {
		day := fold(win(0, row("Ana", "1", 3)), win(1))
		commit(t, a, fold(win(1)))
		stale := audit(t, a)
		now := fold(later(win(0, row("Ana", "1", 5)), 2), win(1))
		commit(t, open(t, h), now)
		if _, err := stale.Mend(t.Context(), day); !errors.Is(err, sinks.ErrConflict) {
			t.Errorf("a late Mend gave %v, want ErrConflict", err)
		}
		check(t, h, testKey, now.Windows)
	})},
}

// audited runs f on a handle that is an Auditor, if any is.
func audited(f func(t testing.TB, h Harness, a sinks.Auditor)) func(testing.TB, Harness) {
	return func(t testing.TB, h Harness) {
		if a, ok := open(t, h).(sinks.Auditor); ok {
			f(t, h, a)
		}
	}
}

// audit audits testKey's day.
func audit(t testing.TB, a sinks.Auditor) *sinks.Audited {
	t.Helper()
	all, err := a.Audit(t.Context(), testKey.Operation, []string{testKey.Day})
	if err != nil {
		t.Fatalf("Audit: %v", err)
	}
	return all[testKey.Day]
}

func differences(t testing.TB, a sinks.Auditor, day *sinks.Day) []sinks.Difference {
	t.Helper()
	return sinks.Differences(day, audit(t, a))
}

// agree fails unless an audit finds that the store holds day.
func agree(t testing.TB, a sinks.Auditor, day *sinks.Day) {
	t.Helper()
	if d := differences(t, a, day); len(d) > 0 {
		t.Fatalf("the audit finds %q", d)
	}
}

// mend mends day, conflicts or not.
func mend(t testing.TB, a sinks.Auditor, day *sinks.Day) sinks.Change {
	t.Helper()
	changes, err := sinks.Mend(patient(t), a, static{day}, day.Operation, []string{day.Day})
	if err != nil {
		t.Fatalf("Mend: %v", err)
	}
	return changes[day.Day]
}
