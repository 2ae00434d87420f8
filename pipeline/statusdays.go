package pipeline

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"wolkpipe/pipeline/extract"
	"wolkpipe/schemas"
)

// tellDays gives the days of which there is something to tell, and how many
// messages of the operation are in quarantine.
func (p *Pipeline) tellDays(ctx context.Context, poller *extract.Poller) (quarantined uint64, told []DayStatus) {
	told = []DayStatus{} // an array in JSON whatever happens
	rejected, _ := p.rejected.of(ctx, poller.Operation)
	for _, n := range rejected {
		quarantined += uint64(n)
	}
	today := poller.Live.Zone.Local(p.o.Clock.Now()).Date()
	for _, d := range poller.Days(today-mostDays+1, today) {
		s := DayStatus{Day: d.Date.String(), Missing: d.Missing, Corrected: d.Corrected, Quarantined: rejected[d.Date]}
		switch {
		case d.Settled:
			s.State = schemas.Settled
		case d.Recorded:
			s.State = schemas.Provisional
		}
		if d.Filling {
			s.Missing = 0 // its backfill tells
		}
		if s.Missing > 0 || s.Corrected > 0 || s.Quarantined > 0 {
			told = append(told, s)
		}
	}
	return quarantined, told
}

// mostTold is how many days of an operation are printed; JSON has all.
const mostTold = 10

// writeTold tells of the days of which there is something to tell.
func (s Status) writeTold(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "DAY\tOPERATION\tSTATE\tMISSING\tCORRECTED\tQUARANTINE")
	some := false
	for _, o := range s.Operations {
		for _, d := range o.Days[max(0, len(o.Days)-mostTold):] {
			some = true
			state := string(d.State)
			if state == "" {
				state = "-"
			}
			_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\t%d\n", d.Day, o.Operation, state, d.Missing, d.Corrected, d.Quarantined)
		}
		if more := len(o.Days) - mostTold; more > 0 {
			_, _ = fmt.Fprintf(t, "… %d before\t%s\t\t\t\t\n", more, o.Operation)
		}
	}
	if some {
		_, _ = fmt.Fprintln(w)
		_ = t.Flush()
	}
}

// writeDays tells how far the recorded days can be trusted.
func (s Status) writeDays(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "DAYS\tSETTLED\tPROVISIONAL\tCORRECTED WINDOWS\tLATEST CORRECTION")
	some := false
	for _, o := range s.Operations {
		d := o.Settling
		if d.Settled+d.Provisional == 0 {
			continue
		}
		some = true
		latest := "-"
		if d.AgeMax > 0 {
			latest = time.Duration(d.AgeMax*float64(time.Second)).Round(time.Minute).String() + " after its window"
		}
		_, _ = fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%s\n", o.Operation, d.Settled, d.Provisional, d.Corrected, latest)
	}
	if some {
		_, _ = fmt.Fprintln(w)
		_ = t.Flush()
	}
	for _, o := range s.Operations {
		if o.Settling.Advice != "" {
			_, _ = fmt.Fprintf(w, "%s: %s\n", o.Operation, o.Settling.Advice)
		}
	}
	s.writePeriods(w)
	s.writeTold(w)
}

// mostPeriods is how many periods of an operation are printed; JSON has all.
const mostPeriods = 6

func (s Status) writePeriods(w io.Writer) {
	for _, o := range s.Operations {
		all := o.Settling.Periods
		if len(all) == 0 {
			continue
		}
		left := ""
		if len(all) > mostPeriods {
			left, all = fmt.Sprintf("… %d more before, ", len(all)-mostPeriods), all[len(all)-mostPeriods:]
		}
		var said []string
		for _, p := range all {
			said = append(said, sayPeriod(p))
		}
		_, _ = fmt.Fprintf(w, "%s: %s%s\n", o.Operation, left, strings.Join(said, ", "))
	}
}

func sayPeriod(p extract.Period) string {
	days := p.From
	if p.To != p.From {
		days += " to " + p.To
	}
	return days + " " + p.State
}

// writeBackfills tells of what was asked for.
func (s Status) writeBackfills(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "BACKFILL\tSTATE\tFILLED\tTO COMPARE\tASKED")
	some := false
	for _, o := range s.Operations {
		for _, b := range o.Backfills {
			some = true
			_, _ = fmt.Fprintf(t, "%s\t%s\t%d/%d\t%d days\t%s\n", b.ID, b.State, b.Windows-b.Missing, b.Windows, b.Uncompared,
				b.Asked.Local().Format("2006-01-02 15:04"))
		}
	}
	if some {
		_, _ = fmt.Fprintln(w)
		_ = t.Flush()
	}
}
