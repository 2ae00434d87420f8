package window

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// zones are those whose clocks do what clocks seldom do, and some others.
var zones = []string{
	"America/Bogota",       // never changes
	"America/Santiago",     // at midnight, both ways
	"Asia/Beirut",          // at midnight
	"America/New_York",     // at 2:00
	"Europe/Madrid",        // at 1:00 UTC
	"Australia/Lord_Howe",  // by 30 minutes
	"Africa/Cairo",         // at midnight, some years
	"America/Sao_Paulo",    // at midnight until 2019
	"Pacific/Apia",         // without 2011-12-30
	"Asia/Kathmandu",       // +05:45
	"Africa/Casablanca",    // around Ramadan, negative DST
	"America/St_Johns",     // at 0:01 until 2011: midnight twice over
	"America/Caracas",      // by 30 minutes, for good
	"Asia/Pyongyang",       // by 30 minutes, for good
	"Antarctica/Troll",     // by two hours
	"Antarctica/Casey",     // by three hours
	"America/Havana",       // at midnight
	"Asia/Gaza",            // at odd times
	"Asia/Tehran",          // at midnight
	"America/Asuncion",     // at midnight
	"Europe/Dublin",        // negative DST
	"Pacific/Kiritimati",   // +14:00
	"Pacific/Marquesas",    // -09:30
	"America/Scoresbysund", // offset and DST changed together
	"UTC",
}

func zone(t rapid.TB, name string) Zone {
	t.Helper()
	z, err := LoadZone(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func sameWindow(a, b Window) bool {
	return a.Range == b.Range && a.Start.Equal(b.Start) && a.End.Equal(b.End) && a.Start.Location() == b.Start.Location()
}

// checkDay compares a day's windows with what the clock shows.
func checkDay(t rapid.TB, z Zone, d Date, f *face, g Grid) {
	t.Helper()
	got, want := z.Windows(d, g), f.windows(z.Location(), d, g)
	if !slices.EqualFunc(got, want, sameWindow) {
		t.Fatalf("%v on %v by %v: %s", z, d, g, firstDifference(got, want))
	}
	tiles := make([]uint8, daySeconds) // windows that hold each second of the face
	for i, w := range got {
		if i > 0 && got[i-1].To > w.From {
			t.Fatalf("%v on %v: %v overlaps %v", z, d, got[i-1].Range, w.Range)
		}
		if w.Range != g.At(w.From) || !w.Start.Before(w.End) {
			t.Fatalf("%v on %v: %v is not of the grid, or lasts from %v to %v", z, d, w.Range, w.Start, w.End)
		}
		for s := w.From; s < w.To; s++ {
			tiles[s-d.Start()]++
		}
	}
	for s, n := range tiles {
		if exists := f.first[s] != never; exists && n != 1 || n > 1 {
			t.Fatalf("%v on %v: second %d lies in %d windows", z, d, s, n)
		}
	}
}

func firstDifference(got, want []Window) string {
	for i := range max(len(got), len(want)) {
		if i >= len(got) {
			return fmt.Sprintf("%v is missing", want[i])
		}
		if i >= len(want) {
			return fmt.Sprintf("%v is too many", got[i])
		}
		if !sameWindow(got[i], want[i]) {
			return fmt.Sprintf("%v, want %v", got[i], want[i])
		}
	}
	return "equal"
}

func grids(t rapid.TB, lengths ...time.Duration) (all []Grid) {
	t.Helper()
	for _, d := range lengths {
		g, err := NewGrid(d)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, g)
	}
	return all
}

// TestTransitions checks the days around every change of every zone's clock
// from 2005 to 2030, which is found without the package's help.
func TestTransitions(t *testing.T) {
	all := grids(t, 5*time.Minute, 90*time.Minute)
	for _, name := range zones {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			z := zone(t, name)
			days := map[Date]bool{DateOf(2026, 7, 1): true}
			r := reach{offset(z.Location(), 1.7e9), offset(z.Location(), 1.7e9)}
			const step = 900 // seconds; no two changes are as close
			stop := int64(DateOf(2031, 1, 1).Start())
			for unix := int64(DateOf(2005, 1, 1).Start()); unix < stop; unix += step {
				if before, after := offset(z.Location(), unix), offset(z.Location(), unix+step); before != after {
					r = reach{min(r.least, before, after), max(r.most, before, after)}
					from, to := Local(unix+min(before, after)).Date(), Local(unix+step+max(before, after)).Date()
					for d := from; d <= to; d++ {
						days[d] = true
					}
				}
			}
			for d := range days {
				f := watch(z.Location(), d, r)
				for _, g := range all {
					checkDay(t, z, d, f, g)
				}
			}
		})
	}
}

// TestAnyDay checks any day, zone and grid.
func TestAnyDay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		z := zone(t, rapid.SampledFrom(zones).Draw(t, "zone"))
		d := Date(rapid.Int32Range(int32(DateOf(1970, 1, 1)), int32(DateOf(2060, 1, 1))).Draw(t, "date"))
		checkDay(t, z, d, watch(z.Location(), d, anywhere), drawGrid().Draw(t, "grid"))
	})
}

// TestAnyWindow checks single windows of any bounds, also across midnight,
// and the window of the grid in which an instant falls.
func TestAnyWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		z := zone(t, rapid.SampledFrom(zones).Draw(t, "zone"))
		g := drawGrid().Draw(t, "grid")
		at := time.Unix(rapid.Int64Range(0, int64(DateOf(2040, 1, 1).Start())).Draw(t, "instant"), 0)

		l := z.Local(at)
		if shown := at.In(z.Location()).Format(Layout); l.String() != shown {
			t.Fatalf("%v shows %v, want %s", at, l, shown)
		}
		w, ok := z.Window(g.At(l))
		if !ok || at.Before(w.Start) || !at.Before(w.End) {
			t.Fatalf("%v shows %v, which lies in %v, %t", at, l, w, ok)
		}
		n := 0
		for _, w := range z.Windows(l.Date(), g) {
			if w.From <= l && l < w.To {
				n++
			}
		}
		if n != 1 {
			t.Fatalf("%v shows %v, which lies in %d windows of its day", at, l, n)
		}

		r := Range{l, l + Local(rapid.Int64Range(1, 2*3600).Draw(t, "seconds"))}
		got, ok := z.Window(r)
		var want Window
		first, last := r.To, r.From-1
		for unix := int64(r.From) - 16*3600; unix < int64(r.To)+16*3600; unix++ {
			switch s := Local(unix + offset(z.Location(), unix)); {
			case s < r.From || s >= r.To:
			default:
				if s < first {
					first, want.Start = s, time.Unix(unix, 0)
				}
				if s >= last {
					last, want.End = s, time.Unix(unix+1, 0)
				}
			}
		}
		if !ok || got.Range != r || !got.Start.Equal(want.Start) || !got.End.Equal(want.End) {
			t.Fatalf("%v in %v is %v, %t, want %v to %v", r, z, got, ok, want.Start, want.End)
		}
	})
}

// TestKnownDays holds days that anybody can look up.
func TestKnownDays(t *testing.T) {
	hour := grids(t, time.Hour)[0]
	for _, c := range []struct {
		zone, day   string
		hours       int           // of the face that exist
		length      time.Duration // from the first window's start to the last one's end
		first, last string        // starts of the first and last window
	}{
		{"America/Bogota", "2026-11-01", 24, 24 * time.Hour, "2026-11-01T00:00:00", "2026-11-01T23:00:00"},
		{"America/New_York", "2026-03-08", 23, 23 * time.Hour, "2026-03-08T00:00:00", "2026-03-08T23:00:00"},
		{"America/New_York", "2026-11-01", 24, 25 * time.Hour, "2026-11-01T00:00:00", "2026-11-01T23:00:00"},
		{"America/Santiago", "2025-09-07", 23, 23 * time.Hour, "2025-09-07T01:00:00", "2025-09-07T23:00:00"},
		{"America/Santiago", "2025-04-05", 24, 25 * time.Hour, "2025-04-05T00:00:00", "2025-04-05T23:00:00"},
		{"Asia/Beirut", "2025-03-30", 23, 23 * time.Hour, "2025-03-30T01:00:00", "2025-03-30T23:00:00"},
		{"Australia/Lord_Howe", "2025-10-05", 24, 23*time.Hour + 30*time.Minute, "2025-10-05T00:00:00", "2025-10-05T23:00:00"},
		{"America/Sao_Paulo", "2018-11-04", 23, 23 * time.Hour, "2018-11-04T01:00:00", "2018-11-04T23:00:00"},
		{"Pacific/Apia", "2011-12-29", 24, 24 * time.Hour, "2011-12-29T00:00:00", "2011-12-29T23:00:00"},
		{"Pacific/Apia", "2011-12-31", 24, 24 * time.Hour, "2011-12-31T00:00:00", "2011-12-31T23:00:00"},
	} {
		d, err := ParseDate(c.day)
		if err != nil {
			t.Fatal(err)
		}
		ws := zone(t, c.zone).Windows(d, hour)
		if len(ws) != c.hours {
			t.Errorf("%s on %s has %d hours, want %d", c.zone, c.day, len(ws), c.hours)
			continue
		}
		first, last := ws[0], ws[len(ws)-1]
		if first.From.String() != c.first || last.From.String() != c.last || last.End.Sub(first.Start) != c.length {
			t.Errorf("%s on %s goes from %v to %v in %v, want %s to %s in %v", c.zone, c.day, first.From, last.From, last.End.Sub(first.Start), c.first, c.last, c.length)
		}
	}
	apia, skipped := zone(t, "Pacific/Apia"), DateOf(2011, 12, 30)
	if ws := apia.Windows(skipped, hour); len(ws) != 0 {
		t.Errorf("Pacific/Apia skipped 2011-12-30, which has %d windows", len(ws))
	}
	if w, ok := apia.Window(Range{skipped.Start(), skipped.End()}); ok {
		t.Errorf("Pacific/Apia skipped 2011-12-30, which is %v", w)
	}
}

func TestLoadZone(t *testing.T) {
	for _, name := range []string{"", "Local", "America/Bogotá", "Bogota", "-05:00", "../etc/passwd"} {
		if z, err := LoadZone(name); err == nil {
			t.Errorf("zone %q was found: %v", name, z)
		}
	}
	if z := zone(t, "America/Bogota"); z.String() != "America/Bogota" || z.Location().String() != "America/Bogota" {
		t.Errorf("America/Bogota is %v", z)
	}
}

func BenchmarkWindows(b *testing.B) {
	g, err := NewGrid(5 * time.Minute)
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name, zone string
		d          Date
	}{{"even", "America/Bogota", DateOf(2026, 11, 1)}, {"even with DST", "America/New_York", DateOf(2026, 7, 1)}, {"25 hours", "America/New_York", DateOf(2026, 11, 1)}} {
		z, err := LoadZone(c.zone)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				z.Windows(c.d, g)
			}
		})
	}
}
