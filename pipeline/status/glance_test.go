package status

import (
	"strings"
	"testing"
	"time"
)

// TestGlance: the four answers, and what to look at, for each thing that can be
// wrong alone.
func TestGlance(t *testing.T) {
	s := newSample()
	s.calm.Store(true)
	for name, c := range map[string]struct {
		change   func(*Installation, *Operation)
		want     [4]Level // late, missing, wrong, quota
		headline string
		says     string // of the operation
		look     string // in what is to be looked at
	}{
		"well":        {func(*Installation, *Operation) {}, [4]Level{}, "All well", "running", ""},
		"in flight":   {func(_ *Installation, o *Operation) { o.Missing, o.LastEnd = 1, o.Now.Add(-7*time.Minute) }, [4]Level{}, "All well", "running", ""},
		"late":        {func(_ *Installation, o *Operation) { o.LastEnd = o.Now.Add(-14 * time.Minute) }, [4]Level{bad}, "1 thing", "late", "ventas is late"},
		"never":       {func(_ *Installation, o *Operation) { o.LastEnd, o.LastWindow = time.Time{}, "" }, [4]Level{bad}, "1 thing", "late", "no window is recorded yet"},
		"new":         {func(_ *Installation, o *Operation) { o.LastEnd, o.Due = time.Time{}, 0 }, [4]Level{}, "All well", "running", ""},
		"missing":     {func(_ *Installation, o *Operation) { o.Missing = 12 }, [4]Level{0, warn}, "1 thing", "catching up", "lacks 12 windows"},
		"reading":     {func(_ *Installation, o *Operation) { o.Missing, o.Reading = 12, true }, [4]Level{0, told}, "All well", "reading the journal", ""},
		"waits":       {func(_ *Installation, o *Operation) { o.State, o.Error = "transient", "asking: 500" }, [4]Level{0, 0, warn}, "1 thing", "waits: transient", "ventas waits transient: asking: 500"},
		"stopped":     {func(_ *Installation, o *Operation) { o.State = "bad_token" }, [4]Level{0, 0, bad}, "1 thing", "stopped: bad token", "has stopped"},
		"short":       {func(_ *Installation, o *Operation) { o.Quota.Left = 100 }, [4]Level{0, 0, 0, warn}, "1 thing", "running", "is short of calls 100 of 4,000"},
		"short later": {func(_ *Installation, o *Operation) { o.Quota.Short = true }, [4]Level{0, 0, 0, warn}, "1 thing", "running", "do not last"},
		"sink":        {func(i *Installation, _ *Operation) { i.Sinks[1].Error, i.Sinks[1].Failing = "denied", 1 }, [4]Level{0, 0, bad}, "1 thing", "running", "lake fails for 1 day denied"},
		"NATS":        {func(i *Installation, _ *Operation) { i.NATS = "reconnecting" }, [4]Level{0, 0, bad}, "1 thing", "running", "NATS is reconnecting"},
		"notice":      {func(_ *Installation, o *Operation) { o.Notices = []Notice{{Kind: "clock_off", Text: "by 3 min"}} }, [4]Level{}, "All well, with something to read", "running", "clock off by 3 min"},
		"two": {func(i *Installation, o *Operation) {
			o.Missing, i.NATS = 9, "closed"
		}, [4]Level{0, warn, bad}, "2 things", "catching up", ""},
	} {
		t.Run(name, func(t *testing.T) {
			i := s.installation(t.Context())
			c.change(&i, &i.Operations[0])
			for n, a := range i.glance() {
				if a.Level != c.want[n] {
					t.Errorf("%s %s (%s), want %s", a.Question, a.Level, a.Short, c.want[n])
				}
			}
			if _, line := i.headline(); !strings.HasPrefix(line, c.headline) {
				t.Errorf("%q", line)
			}
			if got := i.Operations[0].Says(); got != c.says {
				t.Errorf("the operation %s", got)
			}
			all := ""
			for _, m := range i.matters() {
				all += m.Where + " " + m.What + " " + m.Text + "\n"
			}
			if !strings.Contains(all, c.look) || c.look == "" && c.headline == "All well" && all != "" {
				t.Errorf("to look at: %q", all)
			}
		})
	}
}

// TestUnknownQuota: what is not known is not said to last.
func TestUnknownQuota(t *testing.T) {
	i := Installation{NATS: "connected", Operations: []Operation{{State: "running"}}}
	if a := i.glance()[3]; a.Level != told || a.Short != "Quota not known" {
		t.Errorf("%+v", a)
	}
}

func TestDayLooks(t *testing.T) {
	for _, c := range []struct {
		d          Day
		look, says string
	}{
		{Day{Day: "2026-11-01"}, "n", "2026-11-01: not due yet"},
		{Day{Day: "2026-11-01", Due: 9, Missing: 9}, "m", "2026-11-01: missing"},
		{Day{Day: "2026-11-01", Due: 9, Missing: 9, Filling: true}, "f", "2026-11-01: being filled, 9 of 9 windows missing"},
		{Day{Day: "2026-11-01", Due: 9, Missing: 2, Recorded: true, Settled: true}, "h", "2026-11-01: partly missing, 2 of 9 windows missing"},
		{Day{Day: "2026-11-01", Due: 9, Recorded: true}, "p", "2026-11-01: provisional"},
		{Day{Day: "2026-11-01", Due: 9, Recorded: true, Settled: true, Corrected: 1, Rejected: 2}, "s", "2026-11-01: settled, 1 window corrected, 2 rows in quarantine"},
	} {
		if c.d.Look() != c.look || c.d.Label() != c.says {
			t.Errorf("%+v looks like %s: %s", c.d, c.d.Look(), c.d.Label())
		}
	}
}

// TestMonths: weeks begin on Monday, and what is not known or still to come is
// left out.
func TestMonths(t *testing.T) {
	o := Operation{First: "2026-10-30", Now: time.Date(2026, 12, 1, 2, 0, 0, 0, time.UTC), Zone: bogota} // there it is November
	for day := 1; day <= 30; day++ {
		o.Days = append(o.Days, Day{Day: time.Date(2026, 11, day, 0, 0, 0, 0, time.UTC).Format(time.DateOnly), Due: 1})
	}
	all := o.months(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC))
	if len(all) != 2 || all[0].Key != "2026-10" || all[1].Key != "2026-11" {
		t.Fatalf("%+v", all)
	}
	november := all[1]
	if len(november.Weeks) != 6 || !november.Weeks[0][6].In || november.Weeks[0][5].In || november.Weeks[5][0].Number() != "30" ||
		!november.Weeks[5][0].Today || len(november.Days) != 30 || all[0].Weeks[4][4].Known {
		t.Errorf("November 2026: %+v", november)
	}
	if before, after := o.beside(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)); before != "2026-10" || after != "" {
		t.Errorf("beside November: %q and %q", before, after)
	}
}

// TestLines: only what says nothing by itself is folded, and the numbers add up.
func TestLines(t *testing.T) {
	seen := Window{Due: true, Observed: true, Method: "empty", Revision: 1}
	c := Content{Recorded: true, Windows: []Window{
		at("00:00:00", "00:30:00", seen), at("00:30:00", "01:00:00", seen),
		at("01:00:00", "01:30:00", Window{Due: true}), at("01:30:00", "02:00:00", Window{Due: true}),
		at("02:00:00", "02:30:00", Window{Due: true, Observed: true, Revision: 2, Rows: 2, Interactions: 5, Rejected: 1}),
		at("02:30:00", "02:45:00", Window{Due: true}), at("02:45:00", "03:00:00", Window{}), at("03:00:00", "24:00:00", Window{}),
	}}
	var said []string
	for _, l := range lines(c.Windows) {
		said = append(said, wall(l.From)+"-"+wall(l.To)+" "+l.State()+" "+l.Begins)
	}
	want := "00:00-00:30 empty 00|00:30-01:00 empty |01:00-02:00 2 windows missing 01|02:00-02:30 observed 02|02:30-02:45 missing |02:45-24:00 2 windows not due yet "
	if got := strings.Join(said, "|"); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if got := c.totals(); got != (totals{8, 3, 6, 3, 2, 1, 2, 5, 1, 0}) {
		t.Errorf("%+v", got)
	}
	if d := c.day(); d.Look() != isPartial || d.Marks() != " c r" {
		t.Errorf("%+v", d)
	}
}

func at(from, to string, w Window) Window {
	w.From, w.To = from, to
	return w
}

func TestText(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567", -999: "-999"} {
		if got := number(n); got != want {
			t.Errorf("%d is %s", n, got)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "0 s", 59 * time.Second: "59 s", 61 * time.Second: "1 min 1 s", 11*time.Minute + time.Second: "11 min",
		time.Hour: "1 h", 3*time.Hour + 12*time.Minute: "3 h 12 min", 49 * time.Hour: "2 d 1 h", 48 * time.Hour: "2 d",
		5 * time.Minute: "5 min",
	} {
		if got := span(d); got != want {
			t.Errorf("%s is %s", d, got)
		}
	}
}
