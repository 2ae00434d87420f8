package window

import (
	"math"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestLocal(t *testing.T) {
	for _, c := range []struct {
		l             Local
		text, compact string
		date          string
	}{
		{0, "1970-01-01T00:00:00", "19700101000000", "1970-01-01"},
		{-1, "1969-12-31T23:59:59", "19691231235959", "1969-12-31"},
		{-86400, "1969-12-31T00:00:00", "19691231000000", "1969-12-31"},
		{-86401, "1969-12-30T23:59:59", "19691230235959", "1969-12-30"},
		{951_827_696, "2000-02-29T12:34:56", "20000229123456", "2000-02-29"},
		{1_793_491_200, "2026-11-01T00:00:00", "20261101000000", "2026-11-01"},
	} {
		if c.l.String() != c.text || c.l.Compact() != c.compact || c.l.Date().String() != c.date {
			t.Errorf("%d is %v, %s on %v; want %s, %s on %s", c.l, c.l, c.l.Compact(), c.l.Date(), c.text, c.compact, c.date)
		}
	}
}

// years bounds what is drawn: the four digits of the text forms.
var years = [2]Date{DateOf(0, 1, 1), DateOf(9999, 12, 31)}

func drawDate() *rapid.Generator[Date] {
	return rapid.Custom(func(t *rapid.T) Date {
		return Date(rapid.Int32Range(int32(years[0]), int32(years[1])).Draw(t, "date"))
	})
}

func TestParseRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawDate().Draw(t, "date")
		l := d.Start() + Local(rapid.Int64Range(0, daySeconds-1).Draw(t, "second"))
		if got, err := ParseLocal(l.String()); err != nil || got != l {
			t.Fatalf("%v parses to %v, %v", l, got, err)
		}
		if got, err := ParseCompact(l.Compact()); err != nil || got != l {
			t.Fatalf("%s parses to %v, %v", l.Compact(), got, err)
		}
		if got, err := ParseDate(d.String()); err != nil || got != d {
			t.Fatalf("%v parses to %v, %v", d, got, err)
		}
		if got, err := ParseCompactDate(d.Compact()); err != nil || got != d {
			t.Fatalf("%s parses to %v, %v", d.Compact(), got, err)
		}
		if l.Date() != d || d.End() != (d+1).Start() || d.End()-d.Start() != daySeconds {
			t.Fatalf("%v lies on %v, want %v", l, l.Date(), d)
		}
	})
}

// parsers are the parsers as text to text: of what was read, formatted anew.
var parsers = map[string]func(string) (string, error){
	"local":        func(s string) (string, error) { l, err := ParseLocal(s); return l.String(), err },
	"compact":      func(s string) (string, error) { l, err := ParseCompact(s); return l.Compact(), err },
	"date":         func(s string) (string, error) { d, err := ParseDate(s); return d.String(), err },
	"compact date": func(s string) (string, error) { d, err := ParseCompactDate(s); return d.Compact(), err },
}

func TestParseErrors(t *testing.T) {
	for parser, texts := range map[string][]string{
		"local": {"", "2026-11-01", "2026-11-01 00:00:00", "2026-11-01T00:00", "2026-11-01T00:00:60", "2026-11-01T24:00:00",
			"2026-02-29T00:00:00", "2026-11-01T00:00:00Z", "2026-11-01T00:00:00-05:00", "2026-11-01T00:00:00.5",
			"2026-11-01T00:00:00.000", "2026-11-01T00:00:00,0", "2026-11-01T0:00:00", " 2026-11-01T00:00:00"},
		"compact":      {"", "20261101", "202611010000", "20261101000060", "20261101240000", "20261101000000.0", "20261101000000.5", "20261301000000", "+0261101000000"},
		"date":         {"", "2026-11", "2026-11-31", "2026-02-29", "2026-1-1", "20261101", "2026-11-01T00:00:00", "2026-11-01 "},
		"compact date": {"", "202611", "20261131", "2026-11-01", "20260229", "020261101"},
	} {
		for _, text := range texts {
			if got, err := parsers[parser](text); err == nil {
				t.Errorf("%s %q was read as %s", parser, text, got)
			}
		}
	}
}

// FuzzParse: what a parser takes is exactly what its type would write.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"2026-11-01T00:00:00", "20261101000000", "2026-11-01", "20261101", "2026-11-01T00:00:00.0", "2026-11-01T1:00:00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for name, parse := range parsers {
			if got, err := parse(s); err == nil && got != s {
				t.Errorf("%s %q was read as %q", name, s, got)
			}
		}
	})
}

func TestMonth(t *testing.T) {
	for d := DateOf(1999, 11, 1); d < DateOf(2009, 2, 1); d++ {
		first, next := d.Month()
		if d < first || d >= next {
			t.Fatalf("month of %v is %v to %v", d, first, next)
		}
		for _, edge := range []Date{first, next} {
			if edge.String()[8:] != "01" {
				t.Fatalf("month of %v begins or ends on %v", d, edge)
			}
		}
		if days := next - first; days < 28 || days > 31 || first.String()[:7] != d.String()[:7] {
			t.Fatalf("month of %v is %v to %v", d, first, next)
		}
	}
	if first, next := DateOf(2026, 12, 31).Month(); first != DateOf(2026, 12, 1) || next != DateOf(2027, 1, 1) {
		t.Errorf("month of 2026-12-31 is %v to %v", first, next)
	}
	if got := DateOf(2026, 2, 29); got != DateOf(2026, 3, 1) {
		t.Errorf("2026-02-29 is %v", got)
	}
}

func TestNewGrid(t *testing.T) {
	for d, ok := range map[time.Duration]bool{
		time.Second: true, 5 * time.Minute: true, time.Hour: true, 24 * time.Hour: true, 27 * time.Second: true, 90 * time.Minute: true,
		0: false, -time.Hour: false, time.Millisecond: false, 1500 * time.Millisecond: false, 48 * time.Hour: false,
		7 * time.Second: false, 25 * time.Hour: false, 5 * time.Hour: false, math.MaxInt64: false, math.MinInt64: false,
	} {
		g, err := NewGrid(d)
		if (err == nil) != ok {
			t.Errorf("grid of %v: %v", d, err)
		}
		if ok && (time.Duration(g) != d || int64(g.PerDay())*g.Seconds() != daySeconds || g.String() != d.String()) {
			t.Errorf("grid of %v is %v: %d windows of %d s", d, g, g.PerDay(), g.Seconds())
		}
	}
}

// drawGrid draws any grid of at least a minute, to bound what a test costs.
var drawGrid = sync.OnceValue(func() *rapid.Generator[Grid] {
	var all []Grid
	for s := 60; s <= daySeconds; s++ {
		if daySeconds%s == 0 {
			all = append(all, Grid(time.Duration(s)*time.Second))
		}
	}
	return rapid.SampledFrom(all)
})

func TestGridAt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := drawGrid().Draw(t, "grid")
		d := drawDate().Draw(t, "date")
		l := d.Start() + Local(rapid.Int64Range(0, daySeconds-1).Draw(t, "second"))
		r := g.At(l)
		if l < r.From || l >= r.To || r.Seconds() != g.Seconds() || int64(r.From-d.Start())%g.Seconds() != 0 || r.From < d.Start() || r.To > d.End() || r.Empty() {
			t.Fatalf("%v lies in %v of the grid of %v", l, r, g)
		}
	})
}

func TestRange(t *testing.T) {
	l := DateOf(2026, 11, 1).Start()
	r := Range{l, l + 300}
	if r.String() != "2026-11-01T00:00:00/2026-11-01T00:05:00" || r.Empty() || r.Seconds() != 300 {
		t.Errorf("range %v of %d s", r, r.Seconds())
	}
	if !(Range{l, l}).Empty() || !(Range{l, l - 1}).Empty() || (Range{l, l + 1}).Empty() {
		t.Error("Empty is wrong about the ends")
	}
}
