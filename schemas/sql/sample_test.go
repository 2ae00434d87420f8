package sql_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"wolkpipe/pipeline/window"
	"wolkpipe/schemas"
	"wolkpipe/sinks"
)

// sampled is an operation of the sample lake.
type sampled struct {
	operation, timezone string
	window              time.Duration
	from, to            string // days, both included
	missing             []string
}

// sample says which operations the sample lake has. Windows that are missing are
// wall-clock intervals "2026-11-01T01:15:00/2026-11-01T01:45:00"; some windows
// more are left out at random.
var sample = []sampled{
	{"ventas", "America/Bogota", 5 * time.Minute, "2026-10-26", "2026-11-12",
		[]string{"2026-10-31T00:00:00/2026-11-01T00:00:00", "2026-11-04T23:30:00/2026-11-05T00:40:00", "2026-11-12T14:00:00/2026-11-13T00:00:00"}},
	// 25 hours on 1 November: from 1:00 to 2:00 twice.
	{"soporte", "America/New_York", 15 * time.Minute, "2026-10-25", "2026-11-08",
		[]string{"2026-11-01T01:15:00/2026-11-01T01:45:00", "2026-11-02T01:00:00/2026-11-02T02:00:00"}},
	{"en-us", "America/New_York", 5 * time.Minute, "2026-11-01", "2026-11-01",
		[]string{"2026-11-01T00:50:00/2026-11-01T01:10:00", "2026-11-01T01:40:00/2026-11-01T02:20:00"}},
	{"us-night", "America/New_York", 10 * time.Minute, "2026-10-31", "2026-11-02",
		[]string{"2026-11-01T00:30:00/2026-11-01T03:00:00"}},
	// 23 hours on 4 October: from 2:00 to 3:00 never.
	{"sydney", "Australia/Sydney", 10 * time.Minute, "2026-10-03", "2026-10-05",
		[]string{"2026-10-04T01:40:00/2026-10-04T03:20:00", "2026-10-05T12:00:00/2026-10-05T12:10:00"}},
	{"sydney2", "Australia/Sydney", 30 * time.Minute, "2026-10-03", "2026-10-05", nil},
	// A clock that skips half of a window.
	{"lord_howe", "Australia/Lord_Howe", time.Hour, "2026-10-03", "2026-10-05", []string{"2026-10-04T05:00:00/2026-10-04T07:00:00"}},
	// Windows of a whole day, one of them of 25 hours.
	{"madrid", "Europe/Madrid", 24 * time.Hour, "2026-10-22", "2026-10-30", []string{"2026-10-28T00:00:00/2026-10-29T00:00:00"}},
	// No midnight on 6 September.
	{"santiago", "America/Santiago", 30 * time.Minute, "2026-09-05", "2026-09-07", []string{"2026-09-05T23:00:00/2026-09-06T02:00:00"}},
}

var (
	agents = []string{"José Núñez", "Ana María", `O'Brien "Obi"`, "Łukasz 张伟", "Zoë; DROP TABLE--", "", "ana maría"}
	codes  = []string{"TIMEOUTCHAT", "0012", "12", "", "a.b *>", "Ñ'\"\\", "venta"}
)

func text(s string) *string { return &s }

// buildSample fills a lake, the same each time.
func buildSample(t testing.TB) *sampleLake {
	t.Helper()
	l := openLake(t)
	random := rand.New(rand.NewPCG(7, 7))
	for _, s := range sample {
		for _, day := range s.draw(t, random) {
			l.tell(t, day)
		}
	}
	l.tellCodes(t, "ventas", schemas.ActivityCode{Code: "0012", Description: text("Acuerdo de pago (nuevo)"), Hit: text("1"), FirstSeenAt: instant(0), LastSeenAt: instant(5)},
		schemas.ActivityCode{Code: "TIMEOUTCHAT", FirstSeenAt: instant(0), LastSeenAt: instant(5)})
	l.tellCodes(t, "soporte", schemas.ActivityCode{Code: "0012", Description: text("Cerrado \"ok\""), FirstSeenAt: instant(1), LastSeenAt: instant(1)},
		schemas.ActivityCode{Code: "unused", FirstSeenAt: instant(0), LastSeenAt: instant(5)})
	l.emptied(t, sinks.Key{Operation: "ventas", Day: "2026-11-07"})
	l.corrected(t, sinks.Key{Operation: "ventas", Day: "2026-11-03"})
	l.corrected(t, sinks.Key{Operation: "soporte", Day: "2026-11-01"})
	return l
}

func instant(days int) time.Time {
	return time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC).AddDate(0, 0, days)
}

// draw makes the days of an operation. A day of which nothing was observed is
// left out.
func (s sampled) draw(t testing.TB, random *rand.Rand) (days []*sinks.Day) {
	t.Helper()
	zone, err := window.LoadZone(s.timezone)
	if err != nil {
		t.Fatal(err)
	}
	grid, err := window.NewGrid(s.window)
	if err != nil {
		t.Fatal(err)
	}
	from, to := date(t, s.from), date(t, s.to)
	for d := from; d <= to; d++ {
		all := zone.Windows(d, grid)
		day := &sinks.Day{Key: sinks.Key{Operation: s.operation, Day: d.String()}, Timezone: s.timezone, State: schemas.Settled, Expected: len(all)}
		if d >= to-3 {
			day.State = schemas.Provisional
		}
		for i, w := range all {
			keep := len(all) < 50 || d == to && i == len(all)-1 || random.IntN(150) > 0
			if keep && !s.misses(w.From) {
				day.Windows = append(day.Windows, observed(w, d, random))
			}
		}
		if len(day.Windows) > 0 {
			days = append(days, day)
		}
	}
	return days
}

func (s sampled) misses(at window.Local) bool {
	return slices.ContainsFunc(s.missing, func(interval string) bool {
		return interval[:len(window.Layout)] <= at.String() && at.String() < interval[len(window.Layout)+1:]
	})
}

// observed is a window with rows, or none at night and on a holiday.
func observed(w window.Window, d window.Date, random *rand.Rand) schemas.Window {
	seen := schemas.Window{Local: w.From.String(), Start: w.Start.UTC(), End: w.End.UTC(), Method: schemas.Direct, Cause: schemas.Live, Revision: 1,
		ObservedAt: w.End.UTC().Add(time.Minute + time.Duration(random.IntN(60_000_000))*time.Microsecond)}
	hour := int(w.From-d.Start()) / 3600
	rows := 0
	if d.String() != "2026-11-02" && (hour >= 7 && hour < 19 || hour < 4) {
		rows = random.IntN(5)
	}
	for len(seen.Rows) < rows {
		r := schemas.Row{Agent: agents[random.IntN(len(agents))], Code: codes[random.IntN(len(codes))], Interactions: 1 + random.Int64N(9)}
		switch random.IntN(3) {
		case 0:
			r.Description = text("Acuerdo de pago")
		case 1:
			r.Description = text("l'été \"" + r.Code)
		}
		if at, found := slices.BinarySearchFunc(seen.Rows, r, schemas.Row.Compare); !found {
			seen.Rows = slices.Insert(seen.Rows, at, r)
		}
	}
	switch {
	case rows == 0:
		seen.Method = schemas.Empty
	case random.IntN(2) == 0:
		seen.Method = schemas.Derived
	}
	if random.IntN(40) == 0 {
		seen.Rejects = []schemas.Reject{{Reason: "a count of -1", Raw: []byte("{}")}}
	}
	if random.IntN(40) == 0 {
		seen.Dropped = 2
	}
	return seen
}

// emptied tells of a day, whose rows the lake has, that it has none.
func (l *sampleLake) emptied(t testing.TB, key sinks.Key) {
	t.Helper()
	l.change(t, key, func(w *schemas.Window) {
		if len(w.Rows) > 0 {
			w.Rows, w.Method, w.ObservedAt = nil, schemas.Empty, w.End.Add(3*time.Hour)
		}
	})
}

// corrected changes a window in seven of a day, up to three days late.
func (l *sampleLake) corrected(t testing.TB, key sinks.Key) {
	t.Helper()
	n := 0
	l.change(t, key, func(w *schemas.Window) {
		if n++; n%7 == 0 && len(w.Rows) > 0 {
			w.Rows = slices.Clone(w.Rows)
			w.Rows[0].Interactions += 3
			w.ObservedAt = later(w.ObservedAt, w.End.Add(time.Duration(n%4)*24*time.Hour)) // not late, and a day to the second, too
		}
	})
}

func later(was, at time.Time) time.Time {
	if at.After(was) {
		return at
	}
	return was.Add(time.Second)
}

// change tells a day anew.
func (l *sampleLake) change(t testing.TB, key sinks.Key, f func(w *schemas.Window)) {
	t.Helper()
	at := slices.IndexFunc(l.days, func(d *sinks.Day) bool { return d.Key == key })
	if at < 0 {
		t.Fatalf("the sample has no %s", key)
	}
	day := *l.days[at]
	day.State, day.Windows = schemas.Provisional, slices.Clone(day.Windows)
	for i := range day.Windows {
		day.Windows[i].Revision++
		f(&day.Windows[i])
	}
	l.tell(t, &day)
}

func date(t testing.TB, s string) window.Date {
	t.Helper()
	d, err := window.ParseDate(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
