package pipeline

import (
	"errors"
	"strings"
	"testing"
	"time"

	"wolkpipe/pipeline/extract"
)

// FuzzCoverage: every question is refused, as wrong or as of an operation that
// is not there, before anything is read; or it is of a year's days at most.
func FuzzCoverage(f *testing.F) {
	for _, q := range [][3]string{
		{"ventas", "2026-01-01", "2026-12-31"}, {"ventas", "2026-01-01", "2027-01-02"}, {"ventas", "2026-01-02", "2026-01-01"},
		{"ventas", "0000-01-01", "9999-12-31"}, {"ventas", "", ""}, {"", "2026-01-01", "2026-01-01"}, {"ventas", "2026-01-01\n", "2026-01-01"},
		{"*", "2026-01-01", "2026-01-01"}, {"ventas.>", "2026-01-01", "2026-01-01"}, {"\x1b[2J\r\n", "x", "y"}, {"ventas", "-001-01-01", "2026-01-01"},
	} {
		f.Add(q[0], q[1], q[2])
	}
	poller := new(extract.Poller)
	poller.Operation = "ventas"
	p := &Pipeline{pollers: []*extract.Poller{poller}}
	f.Fuzz(func(t *testing.T, operation, from, to string) {
		first, last, err := daysAsked(from, to)
		if err == nil {
			begin, err1 := time.Parse(time.DateOnly, from)
			end, err2 := time.Parse(time.DateOnly, to)
			days := int(last-first) + 1
			if err := errors.Join(err1, err2); err != nil || days < 1 || days > 366 || end.Sub(begin) != time.Duration(days-1)*24*time.Hour {
				t.Errorf("%q to %q is taken for %d days from %s on: %v", from, to, days, first, err)
			}
			if operation == "ventas" {
				return // and would be answered
			}
		}
		c, err := p.Coverage(t.Context(), operation, from, to)
		var refused *AskError
		switch {
		case !errors.As(err, &refused) || len(c.Days) > 0:
			t.Fatalf("%q %q %q gives %d days, %v", operation, from, to, len(c.Days), err)
		case operation != "ventas" && refused.Code != "404", operation == "ventas" && refused.Code != "400":
			t.Errorf("%q %q %q is refused with %s %v", operation, from, to, refused.Code, err)
		case strings.ContainsAny(err.Error(), "\r\x00\x1b\t"):
			t.Errorf("%q %q %q is refused with %q", operation, from, to, err)
		}
	})
}
