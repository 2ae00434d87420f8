package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"wolkpipe/pipeline/extract"
	"wolkpipe/pipeline/window"
	"wolkpipe/schemas"
	"wolkpipe/sinks"
)

// Coverage is what is known of an operation's days.
type Coverage struct {
	Operation string        `json:"operation"`
	Timezone  string        `json:"timezone"`
	From      string        `json:"from"`
	To        string        `json:"to"`
	Days      []DayCoverage `json:"days"`
}

// DayCoverage is what is known of a day.
type DayCoverage struct {
	Day          string        `json:"day"`
	State        schemas.State `json:"state,omitempty"`  // empty: nothing is recorded
	Expected     int           `json:"windows_expected"` // of the whole day
	Observed     int           `json:"windows_observed"` //
	Missing      int           `json:"windows_missing"`  // over, and not observed
	Empty        int           `json:"windows_empty"`    // observed, without rows
	Corrected    int           `json:"windows_corrected"`
	Rows         int64         `json:"row_count"`
	Interactions int64         `json:"interactions"`
	Rejected     int64         `json:"rejected_rows"`
	Dropped      int64         `json:"dropped_rows"` // duplicates
	ComparedAt   *time.Time    `json:"compared_at"`  // with the source, in agreement; null: not since it changed
}

// mostDays is how many days are told of at once.
const mostDays = 366

// Coverage tells what is known of an operation's days, both included
// (2006-01-02). The error is an [*AskError] where the question is wrong.
func (p *Pipeline) Coverage(ctx context.Context, operation, from, to string) (Coverage, error) {
	c := Coverage{Operation: operation, From: from, To: to, Days: []DayCoverage{}}
	i := slices.IndexFunc(p.pollers, func(o *extract.Poller) bool { return o.Operation == operation })
	if i < 0 {
		return c, &AskError{"404", fmt.Errorf("operation %q is not in the configuration", operation)}
	}
	first, last, err := daysAsked(from, to)
	if err != nil {
		return c, &AskError{"400", err}
	}
	poller := p.pollers[i]
	c.Timezone = poller.Live.Zone.String()
	for date := first; date <= last; date++ {
		day, err := p.dayCoverage(ctx, poller, date)
		if err != nil {
			return c, err
		}
		c.Days = append(c.Days, day)
	}
	return c, nil
}

// daysAsked reads the first and the last of the days that are asked for.
func daysAsked(from, to string) (first, last window.Date, err error) {
	first, err1 := window.ParseDate(from)
	last, err2 := window.ParseDate(to)
	switch {
	case err1 != nil || err2 != nil:
		return 0, 0, errors.Join(err1, err2)
	case last < first || last-first >= mostDays:
		return 0, 0, fmt.Errorf("from %s to %s is not between 1 and %d days", from, to, mostDays)
	}
	return first, last, nil
}

func (p *Pipeline) dayCoverage(ctx context.Context, poller *extract.Poller, date window.Date) (DayCoverage, error) {
	key := sinks.Key{Operation: poller.Operation, Day: date.String()}
	recorded, day, err := p.source.fold(ctx, key, date)
	if err != nil {
		return DayCoverage{}, err
	}
	c := DayCoverage{Day: key.Day, Observed: len(day.Windows)}
	if recorded.Compared != nil {
		c.ComparedAt = &recorded.Compared.At
	}
	grid := poller.Live.Grid
	if recorded.Grid != 0 {
		c.State, grid = day.State, recorded.Grid
	}
	observed := make(map[string]bool, len(day.Windows))
	for _, w := range day.Windows {
		observed[w.Local] = true
	}
	now := p.o.Clock.Now()
	for _, w := range poller.Live.Zone.Windows(date, grid) {
		c.Expected++
		if !w.End.Add(poller.Live.Delay).After(now) && !observed[w.From.String()] {
			c.Missing++
		}
	}
	for i := range day.Windows {
		w := &day.Windows[i]
		c.Rows += int64(len(w.Rows))
		c.Interactions += w.Interactions()
		c.Rejected += int64(len(w.Rejects))
		c.Dropped += w.Dropped
		if len(w.Rows) == 0 {
			c.Empty++
		}
		if w.Revision > 1 {
			c.Corrected++
		}
	}
	return c, nil
}
