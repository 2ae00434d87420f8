package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/nats-io/nats.go"

	"wolkpipe/pipeline"
	"wolkpipe/pipeline/backfill"
	"wolkpipe/pipeline/doctor"
	"wolkpipe/pipeline/plan"
)

// told is a forecast in JSON.
type told struct {
	ID       string     `json:"id"`
	Windows  int        `json:"windows"`         // of the range, due by now
	Missing  int        `json:"windows_missing"` // calls if asked one by one
	Least    int64      `json:"calls_at_least"`  //
	Expected *int64     `json:"calls_expected"`  // null: no day is known to judge by
	Most     int64      `json:"calls_at_most"`   //
	Limit    *int64     `json:"quota_calls"`     // a day; null: not known
	Live     int64      `json:"live_calls"`      // a day, kept for live polling
	Days     *float64   `json:"quota_days"`      // null: not known, or never
	Done     *time.Time `json:"done_at"`         // null: never
}

// forecast tells what the backfill would take, and does nothing.
func (b *backfillCommand) forecast(ctx context.Context, r backfill.Request) error {
	log := newLogger(b.config)
	in, _, err := attach(ctx, b.config, log)
	if err != nil {
		return err
	}
	defer in.Close()
	quota := plan.Quota{Left: -1}
	quota.Limit = b.operation().Quota
	var s pipeline.Status
	if err := control(ctx, in.nats, pipeline.StatusSubject, nil, &s); err != nil && !errors.Is(err, nats.ErrNoResponders) {
		return err
	}
	for _, o := range s.Operations {
		if o.Operation == r.Operation && o.QuotaLeft != nil && o.QuotaLimit != nil {
			quota = plan.Quota{Limit: *o.QuotaLimit, Left: *o.QuotaLeft}
		}
	}
	f, err := b.look(ctx, in, r, &quota)
	if err != nil {
		return err
	}
	if b.json {
		return writeJSON(b.cmd.OutOrStdout(), toldOf(r, quota, f))
	}
	return writeForecast(b.cmd.OutOrStdout(), r, quota, f)
}

// look forecasts from what the journal holds; there may be none yet.
func (b *backfillCommand) look(ctx context.Context, in *installation, r backfill.Request, quota *plan.Quota) (plan.Forecast, error) {
	p, err := in.look(ctx, in.log)
	if err == nil {
		return p.Forecast(ctx, r, quota)
	}
	if !errors.Is(err, errNothing) {
		return plan.Forecast{}, err
	}
	kv, err := in.js.KeyValue(ctx, pipeline.StateBucket) // doctor may have been run
	if err == nil && quota.Limit == 0 {
		if finding, _, err := doctor.Load(ctx, kv, r.Operation); err == nil && finding.Quota.Limit != nil {
			quota.Limit = *finding.Quota.Limit
		}
	}
	return pipeline.ForecastOfNothing(b.operation(), b.clock.Now(), r, *quota), nil
}

func toldOf(r backfill.Request, q plan.Quota, f plan.Forecast) told {
	t := told{ID: r.ID(), Windows: f.Windows, Missing: f.Missing, Least: f.Least, Most: f.Most, Live: f.Live}
	if f.Expected >= 0 {
		t.Expected = &f.Expected
	}
	if q.Limit > 0 {
		t.Limit = &q.Limit
	}
	if f.Days > 0 {
		t.Days = &f.Days
	}
	if !f.Done.IsZero() {
		done := f.Done.UTC().Truncate(time.Second)
		t.Done = &done
	}
	return t
}

func writeForecast(w io.Writer, r backfill.Request, q plan.Quota, f plan.Forecast) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(what, format string, args ...any) {
		_, _ = fmt.Fprintf(t, "  %s\t%s\n", what, fmt.Sprintf(format, args...)) // Flush tells
	}
	_, _ = fmt.Fprintf(t, "%s\n", r.ID())
	line("windows", "%d, of which %d are missing", f.Windows, f.Missing)
	if f.Missing == 0 {
		line("calls", "none: all is there")
		return t.Flush()
	}
	if f.Expected >= 0 {
		line("calls", "about %d, by the days that are recorded; at least %d, at most %d", f.Expected, f.Least, f.Most)
	} else {
		line("calls", "at least %d, at most %d; no day is recorded to judge by", f.Least, f.Most)
	}
	switch {
	case q.Limit == 0:
		line("quota", "not known: `wolkpipe doctor` asks for it")
	case f.Days < 0:
		line("quota", "%d a day, all of which live polling takes", q.Limit)
	default:
		line("quota", "%d a day, of which %d are kept for live polling: %.1f days", q.Limit, f.Live, f.Days)
	}
	done := f.Done.Format("2006-01-02 15:04 -07:00")
	switch {
	case f.Done.IsZero():
		line("done", "never: give the operation longer windows, or more licences")
	case f.Expected >= 0:
		line("done", "%s", done)
	default:
		line("done", "%s at the latest", done)
	}
	return t.Flush()
}
