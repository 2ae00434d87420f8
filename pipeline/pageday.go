package pipeline

import (
	"context"
	"strings"

	"wolkpipe/pipeline/extract"
	"wolkpipe/pipeline/status"
	"wolkpipe/pipeline/window"
	"wolkpipe/schemas"
	"wolkpipe/sinks"
)

// Day is a day's windows, by one fold of the journal. The error is
// [status.ErrUnknown], or the journal's.
func (g *Page) Day(ctx context.Context, operation, day string) (status.Content, error) {
	poller := g.poller(operation)
	date, err := window.ParseDate(day)
	if poller == nil || err != nil {
		return status.Content{}, status.ErrUnknown
	}
	now := g.p.o.Clock.Now()
	known := len(poller.Days(date, date)) > 0
	if !known && !poller.Status().Reading { // then the journal need not be asked
		return status.Content{}, status.ErrUnknown
	}
	key := sinks.Key{Operation: operation, Day: date.String()}
	recorded, content, err := g.p.source.fold(ctx, key, date)
	if err != nil {
		return status.Content{}, err
	}
	c := status.Content{
		Operation: operation, Zone: poller.Live.Zone.Location(), Day: key.Day, Now: now,
		Recorded: recorded.Grid != 0, Settled: content.State == schemas.Settled, Unreadable: len(recorded.Bad),
	}
	if recorded.Compared != nil {
		c.ComparedAt = recorded.Compared.At
	}
	grid := poller.Live.Grid
	if c.Recorded {
		grid = recorded.Grid
	}
	if !known && !c.Recorded {
		return status.Content{}, status.ErrUnknown
	}
	c.Previous, c.Next = beside(poller, date)
	i := 0 // content.Windows are some of the day's, in the same order
	for _, w := range poller.Live.Zone.Windows(date, grid) {
		line := status.Window{From: clock(date, w.From), To: clock(date, w.To), Due: !w.End.Add(poller.Live.Delay).After(now)}
		if i < len(content.Windows) && content.Windows[i].Local == w.From.String() {
			fill(&line, &content.Windows[i])
			i++
		}
		c.Windows = append(c.Windows, line)
	}
	return c, nil
}

func fill(line *status.Window, w *schemas.Window) {
	line.Observed, line.Method, line.Cause = true, string(w.Method), string(w.Cause)
	line.Revision, line.At = w.Revision, w.ObservedAt
	line.Rows, line.Interactions = int64(len(w.Rows)), w.Interactions()
	line.Rejected, line.Dropped = int64(len(w.Rejects)), w.Dropped
}

// clock is a reading of the wall clock on date, 24:00:00 at its end.
func clock(date window.Date, l window.Local) string {
	if l == date.End() {
		return "24:00:00"
	}
	return strings.TrimPrefix(l.String(), date.String()+"T")
}

// beside finds the days around date of which there is something to show.
func beside(poller *extract.Poller, date window.Date) (previous, next string) {
	if days := poller.Days(date-mostDays, date-1); len(days) > 0 {
		previous = days[len(days)-1].Date.String()
	}
	if days := poller.Days(date+1, date+mostDays); len(days) > 0 {
		next = days[0].Date.String()
	}
	return previous, next
}
