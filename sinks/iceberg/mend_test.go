package iceberg

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/apache/iceberg-go/table"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/sinktest"
)

// source tells days that do not move.
func sourceOf(days ...*sinks.Day) *sinktest.Source {
	source := sinktest.NewSource()
	for _, d := range days {
		source.Observe(d.Key, d.Windows...)
	}
	return source
}

// TestAuditAndMend: whatever stands in the tables, an audit tells it, and
// mending makes readers find the journal.
func TestAuditAndMend(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(t *testing.T, at lakeAt, file string)
		flaw   string
	}{
		"a file is lost": {func(t *testing.T, _ lakeAt, file string) {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		}, "is not there"},
		"a file is torn": {func(t *testing.T, _ lakeAt, file string) {
			if err := os.Truncate(file, 100); err != nil {
				t.Fatal(err)
			}
		}, "not a readable Parquet file"},
		"a file is added": {func(t *testing.T, at lakeAt, file string) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			copied := strings.TrimSuffix(file, ".parquet") + "-copy.parquet"
			if err := os.WriteFile(copied, data, 0o644); err != nil {
				t.Fatal(err)
			}
			at.change(t, "chat_7", func(tx *table.Transaction) error {
				return tx.AddFiles(t.Context(), []string{copied}, nil, false)
			})
		}, "2 data files in place of one"},
		"a file is taken out": {func(t *testing.T, at lakeAt, file string) {
			at.change(t, "chat_7", func(tx *table.Transaction) error {
				return tx.ReplaceDataFiles(t.Context(), []string{"file://" + file}, nil, nil)
			})
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			at := sqliteLake(t)
			s := at.open(t)
			day := dayOf(0, 3, 1)
			mustCommit(t, s, day)
			mustCommit(t, s, dayOf(1, 1, 1))
			c.damage(t, at, local(dataFiles(t, at.table(t, "chat_7"), ofDay(day.Key))[0]))
			audited, err := s.Audit(t.Context(), "ventas", []string{day.Day, keyAt(1).Day})
			if err != nil {
				t.Fatal(err)
			}
			found := audited[day.Day]
			if len(sinks.Differences(day, found)) == 0 {
				t.Error("the audit finds no difference")
			}
			if !strings.Contains(strings.Join(found.Flaws, "\n"), c.flaw) {
				t.Errorf("the flaws are %q, want %q", found.Flaws, c.flaw)
			}
			if d := sinks.Differences(dayOf(1, 1, 1), audited[keyAt(1).Day]); len(d) > 0 {
				t.Errorf("the other day differs: %v", d)
			}
			if _, err := sinks.Mend(t.Context(), s, sourceOf(day), "ventas", []string{day.Day}); err != nil {
				t.Fatal(err)
			}
			checkDay(t, at, day)
			if n := len(dataFiles(t, at.table(t, "chat_7"), ofDay(day.Key))); n != 1 {
				t.Errorf("%d data files of the day", n)
			}
			checkDay(t, at, dayOf(1, 1, 1))
		})
	}
}

// TestCommitMendsDamage: a day whose file cannot be read is told anew, and lines
// that claim lost rows go.
func TestCommitMendsDamage(t *testing.T) {
	at := sqliteLake(t)
	s := at.open(t)
	mustCommit(t, s, dayOf(0, 3, 1))
	if err := os.Remove(local(dataFiles(t, at.table(t, "chat_7"))[0])); err != nil {
		t.Fatal(err)
	}
	some := dayOf(0, 2, 1)
	mustCommit(t, s, some)
	checkDay(t, at, some)
}

// TestCodes: codes are kept as in the other lake.
func TestCodes(t *testing.T) {
	at := sqliteLake(t)
	one, two := at.open(t), at.open(t)
	text := "Venta"
	codes := []schemas.ActivityCode{{Code: "0012", Description: &text, FirstSeenAt: epoch, LastSeenAt: epoch}, {Code: "", FirstSeenAt: epoch, LastSeenAt: epoch}}
	for i, want := range []bool{true, false} {
		if wrote, err := one.PutCodes(t.Context(), "ventas", codes); err != nil || wrote != want {
			t.Errorf("time %d: wrote %t, %v", i, wrote, err)
		}
	}
	more := []schemas.ActivityCode{{Code: "0013", FirstSeenAt: epoch, LastSeenAt: epoch}}
	if wrote, err := two.PutCodes(t.Context(), "ventas", more); err != nil || !wrote {
		t.Errorf("wrote %t, %v", wrote, err)
	}
	if wrote, err := two.PutCodes(t.Context(), "otra", more); err != nil || !wrote {
		t.Errorf("wrote %t, %v", wrote, err)
	}
	got, err := one.Codes(t.Context(), "ventas")
	if err != nil || len(got) != 3 || got[0].Code != "" || *got[1].Description != "Venta" || got[2].Code != "0013" || !got[1].FirstSeenAt.Equal(epoch) {
		t.Errorf("the codes are %+v, %v", got, err)
	}
	if _, err := one.PutCodes(t.Context(), "../x", more); err == nil {
		t.Error("an operation that is a path is taken")
	}
}

// TestClosed: who waits when the sink is closed is told.
func TestClosed(t *testing.T) {
	at := sqliteLake(t)
	s := at.Open(t).(*Sink)
	held := mustLoad(t, s, keyAt(0))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := held.Commit(t.Context(), dayOf(0, 1, 1)); !errors.Is(err, errClosed) {
		t.Errorf("Commit gives %v", err)
	}
}
