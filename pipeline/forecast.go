package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"wolkpipe/pipeline/backfill"
	"wolkpipe/pipeline/descend"
	"wolkpipe/pipeline/doctor"
	"wolkpipe/pipeline/extract"
	"wolkpipe/pipeline/journal"
	"wolkpipe/pipeline/plan"
	"wolkpipe/pipeline/transform"
	"wolkpipe/pipeline/window"
)

// Forecast tells what a backfill will take. It asks the source for nothing:
// how many calls a day takes is worked out by asking the recorded ones over in
// memory. Where quota has no Limit, what doctor found is put into it.
func (p *Pipeline) Forecast(ctx context.Context, r backfill.Request, quota *plan.Quota) (plan.Forecast, error) {
	i := slices.IndexFunc(p.pollers, func(o *extract.Poller) bool { return o.Operation == r.Operation })
	if i < 0 {
		return plan.Forecast{}, fmt.Errorf("operation %q is not in the configuration", r.Operation)
	}
	poller := p.pollers[i]
	finding, _, err := doctor.Load(ctx, p.state, r.Operation)
	if err != nil {
		return plan.Forecast{}, err
	}
	if quota.Limit == 0 && finding.Quota.Limit != nil {
		quota.Limit = *finding.Quota.Limit
	}
	day, err := p.costs(ctx, poller.Live, r.Operation, finding.Additive != nil && *finding.Additive)
	if err != nil {
		return plan.Forecast{}, err
	}
	return poller.Forecast(r, *quota, plan.Costs{Most: descend.Most, Day: day, Call: max(finding.LatencyP50, usualCall)}), nil
}

// ForecastOfNothing is a Forecast for an operation that never ran.
func ForecastOfNothing(op Operation, now time.Time, r backfill.Request, quota plan.Quota) plan.Forecast {
	live := plan.Live{Zone: op.Zone, Grid: op.Grid, Delay: op.Delay, Since: op.Zone.Local(now).Date(), Ages: op.Ages}
	if op.Since != nil {
		live.Since = *op.Since
	}
	none := func(window.Date) (float64, bool) { return 0, false }
	return live.Forecast(now, &plan.Coverage{}, plan.Backfill{From: r.From, To: r.To, Grid: r.Grid}, quota,
		plan.Costs{Most: descend.Most, Day: none, Call: usualCall})
}

const (
	usualCall = time.Second // answers are seen to take from under a second to over 15
	modelDays = 28          // how many recorded days tell what others will take
)

// costs gives what asking for a day takes, by the mean of recorded days of its
// weekday; where none is recorded, of all.
func (p *Pipeline) costs(ctx context.Context, live plan.Live, operation string, additive bool) (func(window.Date) (float64, bool), error) {
	keys, err := p.journal.Days(ctx, operation)
	if err != nil {
		return nil, err
	}
	today := live.Zone.Local(p.o.Clock.Now()).Date()
	keys = slices.DeleteFunc(keys, func(k journal.Key) bool { return k.Day >= today })
	var weekdays [7]mean
	var all mean
	for _, key := range keys[max(0, len(keys)-modelDays):] {
		day, err := p.journal.Day(ctx, key)
		if err != nil {
			return nil, err
		}
		if calls, ok := replay(day, live.Zone, additive); ok {
			weekdays[weekday(key.Day)].add(calls)
			all.add(calls)
		}
	}
	return func(d window.Date) (float64, bool) {
		if m := weekdays[weekday(d)]; m.n > 0 {
			return m.value()
		}
		return all.value()
	}, nil
}

func weekday(d window.Date) int { return int((d%7 + 7) % 7) }

type mean struct{ sum, n float64 }

func (m *mean) add(calls int)         { m.sum, m.n = m.sum+float64(calls), m.n+1 }
func (m mean) value() (float64, bool) { return m.sum / max(m.n, 1), m.n > 0 }

// replay counts the calls that establishing a recorded day would have taken.
func replay(day *journal.Day, zone window.Zone, additive bool) (calls int, ok bool) {
	if day.Grid == 0 {
		return 0, false
	}
	windows := zone.Windows(day.Day, day.Grid)
	if len(day.Windows) < len(windows) {
		return 0, false
	}
	counts := make(map[window.Local]transform.Tally, len(windows))
	for _, o := range day.Windows {
		counts[o.Local] = transform.Keys(o.Rows)
	}
	d, err := descend.New(windows, descend.Options{Derive: additive})
	if err != nil {
		return 0, false
	}
	for r, more := d.Next(); more; r, more = d.Next() {
		answer := descend.Answer{Usable: true, Counts: map[descend.Key]int64{}}
		for _, w := range windows {
			if w.From < r.From || w.From >= r.To {
				continue
			}
			for k, n := range counts[w.From].Counts {
				answer.Counts[descend.Key(k)] += n
				answer.Total += n
			}
			answer.Usable = answer.Usable && counts[w.From].Usable
		}
		answer.Rows = make([]json.RawMessage, len(answer.Counts)) // of which only the number is looked at
		d.Answered(r, answer)
		d.Take()
		calls++
	}
	return calls, true
}
