package status

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// sample is an installation in which everything happens at once. Its answers
// follow clock, so that what is shown changes.
type sample struct {
	now   time.Time
	later atomic.Int64 // windows that were recorded since
	many  int          // operations more than the named ones
	calm  atomic.Bool  // all is well
}

// secretAgent is a name that must not be shown anywhere.
const secretAgent = "Zoraida Quiñones"

func newSample() *sample {
	return &sample{now: time.Date(2026, 11, 26, 15, 4, 30, 0, time.UTC)}
}

func (s *sample) options(t testing.TB) Options {
	return Options{
		Alive: func() error { return nil }, Ready: func() error { return errors.New("NATS is away") },
		Gatherer: prometheus.NewRegistry(), Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Coverage: func(_ context.Context, operation, _, _ string) (any, int, error) {
			if operation != "ventas" {
				return nil, 404, errors.New(`operation "<b>" is not in the configuration`)
			}
			return map[string]int{"days": 2}, 0, nil
		},
		Installation: s.installation, Operation: s.operation, Day: s.day, now: func() time.Time { return s.now },
	}
}

func zoneOf(name string) *time.Location {
	zone, err := time.LoadLocation(name)
	if err != nil {
		panic(err)
	}
	return zone
}

var (
	bogota  = zoneOf("America/Bogota")
	mexico  = zoneOf("America/Mexico_City")
	santago = zoneOf("America/Santiago")
)

// healthy is an operation that does its work.
func (s *sample) healthy(name string, zone *time.Location, since string) Operation {
	now := s.now.Add(time.Duration(s.later.Load()) * 5 * time.Minute)
	end := now.Add(-90 * time.Second).Truncate(5 * time.Minute)
	return Operation{
		Name: name, Zone: zone, Now: now, Since: since, First: since, Every: 5 * time.Minute, Delay: time.Minute,
		State: "running", LastWindow: end.Add(-5 * time.Minute).In(zone).Format("2006-01-02T15:04:05"), LastEnd: end,
		LastAnswer: now.Add(-25 * time.Second), Due: 73841 + int(s.later.Load()), Settled: 241, Provisional: 9, Corrected: 118,
		Quota: Quota{Limit: 4000, Left: 2710 - s.later.Load(), Needed: 176, Until: time.Date(2026, 11, 27, 5, 0, 0, 0, time.UTC)},
	}
}

func (s *sample) operations() []Operation {
	ventas := s.healthy("ventas", bogota, "2026-03-12")
	ventas.Quarantined = 14
	ventas.First = "2026-01-01"
	ventas.Backfills = []Backfill{
		{"ventas-20260101-20260311", "2026-01-01", "2026-03-11", "active", s.now.Add(-3 * time.Hour), time.Time{}, 20160, 7412, 3},
		{"ventas-20251201-20251231", "2025-12-01", "2025-12-31", "done", s.now.Add(-73 * time.Hour), s.now.Add(-70 * time.Hour), 8928, 0, 0},
	}
	ventas.Notices = []Notice{{"unknown_code", "a code is neither in the source's list nor known: add it to the list in wolkvox: PROMO_NAV, <b>X9</b>", s.now.Add(-26 * time.Hour)}}
	soporte := s.healthy("soporte-mx", mexico, "2026-06-01")
	soporte.Advice = "no count changed later than 9h40m0s after its window: `settle` could end at 24h0m0s"
	all := []Operation{ventas, soporte}
	for i := range s.many {
		all = append(all, s.healthy(fmt.Sprintf("campana-%03d", i), bogota, "2026-08-01"))
	}
	if s.calm.Load() {
		ventas.Notices, ventas.Quarantined, all[1].Advice = nil, 0, ""
		all[0] = ventas
		return all
	}
	cobranza := s.healthy("cobranza", santago, "2026-09-01")
	cobranza.State, cobranza.Until = "quota", time.Date(2026, 11, 27, 3, 0, 0, 0, time.UTC)
	cobranza.Error = "asking: quota: the day's calls are used up, by our own count"
	cobranza.LastEnd = cobranza.LastEnd.Add(-3*time.Hour - 10*time.Minute)
	cobranza.LastWindow, cobranza.Missing = "2026-11-26T08:45:00", 38
	cobranza.Quota = Quota{1000, 0, 155, cobranza.Until, true}
	retencion := s.healthy("retencion", bogota, "2026-10-20")
	retencion.State, retencion.Error = "bad_token", "asking: bad_token: the source refuses the token: put the right token in its file, or restart with the right variable"
	retencion.LastEnd, retencion.LastWindow = retencion.LastEnd.Add(-49*time.Hour), "2026-11-24T09:00:00"
	retencion.Missing, retencion.Quota = 588, Quota{Needed: 176}
	piloto := s.healthy("piloto-chile", santago, "2026-11-20")
	piloto.Missing, piloto.Quarantined, piloto.Provisional, piloto.Settled = 212, 3, 7, 0
	return append(all, cobranza, retencion, piloto)
}

// hash is a number that looks random and is always the same.
func hash(parts ...any) (h uint32) {
	h = 2166136261
	for _, c := range []byte(fmt.Sprint(parts...)) {
		h = (h ^ uint32(c)) * 16777619
	}
	return h ^ h>>13
}

func (s *sample) days(o Operation, from, to string) (all []Day) {
	first, _ := time.Parse(time.DateOnly, max(from, o.First))
	last, _ := time.Parse(time.DateOnly, to)
	today := o.today()
	for t := first; !t.After(last) && !t.After(today); t = t.AddDate(0, 0, 1) {
		day := t.Format(time.DateOnly)
		d := Day{Day: day, Recorded: true, Settled: today.Sub(t) > 8*24*time.Hour, Due: 288}
		h := hash(o.Name, day)
		switch {
		case h%9 == 0:
			d.Corrected = int(h%7) + 1
		case h%31 == 1:
			d.Rejected = 2
		}
		if t.Equal(today) {
			d.Due, d.Settled = 120, false
		}
		if s.calm.Load() {
			d.Rejected = 0
			all = append(all, d)
			continue
		}
		switch {
		case o.Name == "ventas" && day >= "2026-02-05" && day < "2026-03-12":
			d = Day{Day: day, Filling: true, Due: 288, Missing: 288}
			if day < "2026-02-09" {
				d.Recorded, d.Missing = true, 201
			}
		case o.Name == "retencion" && day > "2026-11-24":
			d.Recorded, d.Settled, d.Missing = false, false, d.Due
		case o.Name == "retencion" && day == "2026-11-24":
			d.Missing = 179
		case o.Name == "cobranza" && t.Equal(today):
			d.Missing = 38
		case o.Name == "piloto-chile" && (day == "2026-11-21" || day == "2026-11-22"):
			d.Missing = 106
		}
		if d.Missing > 0 {
			d.Settled = false
		}
		all = append(all, d)
	}
	return all
}

func (s *sample) installation(context.Context) Installation {
	i := Installation{
		Version: "v1.4.0 (3f9c2d1)", Now: s.now, Started: s.now.Add(-9*24*time.Hour - 4*time.Hour), NATS: "connected",
		Operations: s.operations(),
		Sinks: []Sink{
			{Name: "events", Windows: 2592, Rows: 31044},
			{Name: "lake", Backlog: 311, Failing: 2, Windows: 2281, Rows: 27310,
				Error: "ventas 2026-11-26: writing chat_7/operation=ventas/day=2026-11-26/chat_7.parquet: AccessDenied: allow s3:PutObject to this role"},
			{Name: "quarantine", Windows: 17, Rows: 17},
		},
	}
	if s.calm.Load() {
		i.Sinks[1] = Sink{Name: "lake", Windows: 2592, Rows: 31044}
	}
	for n := range i.Operations {
		o := &i.Operations[n]
		o.Days = s.days(*o, o.today().AddDate(0, 0, -stripDays+1).Format(time.DateOnly), "2026-11-30")
	}
	return i
}

func (s *sample) operation(_ context.Context, name, from, to string) (Operation, error) {
	all := s.operations()
	i := slices.IndexFunc(all, func(o Operation) bool { return o.Name == name })
	if i < 0 {
		return Operation{}, ErrUnknown
	}
	o := all[i]
	o.Days = s.days(o, from, to)
	return o, nil
}

func (s *sample) day(ctx context.Context, operation, day string) (Content, error) {
	if operation == "broken" {
		return Content{}, errors.New("the journal is away: " + secretAgent)
	}
	o, err := s.operation(ctx, operation, day, day)
	if err != nil || len(o.Days) == 0 || len(day) != 10 {
		return Content{}, ErrUnknown
	}
	c := Content{Operation: operation, Zone: o.Zone, Day: day, Now: o.Now, Recorded: o.Days[0].Recorded, Settled: o.Days[0].Settled}
	t, _ := time.Parse(time.DateOnly, day)
	if day > o.First {
		c.Previous = t.AddDate(0, 0, -1).Format(time.DateOnly)
	}
	if t.Before(o.today()) {
		c.Next, c.ComparedAt = t.AddDate(0, 0, 1).Format(time.DateOnly), t.AddDate(0, 0, 2)
	}
	step := o.Every
	if operation == "campana-000" {
		step = time.Minute
	}
	for at := time.Duration(0); at < 24*time.Hour; at += step {
		c.Windows = append(c.Windows, s.window(o, t, at, step))
	}
	return c, nil
}

func (s *sample) window(o Operation, day time.Time, at, step time.Duration) Window {
	clock := func(d time.Duration) string {
		return fmt.Sprintf("%02d:%02d:%02d", d/time.Hour, d%time.Hour/time.Minute, d%time.Minute/time.Second)
	}
	start := time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, o.zone()).Add(at)
	w := Window{From: clock(at), To: clock(at + step), Due: !start.Add(step + o.Delay).After(o.Now)}
	d := o.byDay()[day.Format(time.DateOnly)]
	h := hash(o.Name, day, at)
	hour := int(at / time.Hour)
	w.Observed = w.Due && d.Recorded && (d.Missing == 0 || hour < 9 || hour > 13)
	if !w.Observed {
		return w
	}
	w.Method, w.Cause, w.Revision, w.At = "direct", "live", 1, start.Add(step+o.Delay+time.Duration(h%3000)*time.Millisecond)
	if hour < 7 || hour > 19 || h%11 == 0 {
		w.Method = "empty"
		return w
	}
	w.Rows = int64(h%9) + 1
	w.Interactions = w.Rows*2 + int64(h%17)
	if d.Corrected > 0 && h%29 == 0 {
		w.Revision, w.Cause, w.At = 2, "settle", w.At.Add(25*time.Hour)
	}
	if h%97 == 0 {
		w.Rejected, w.Dropped = 2, 1
	}
	if strings.HasPrefix(o.Name, "piloto") && h%3 == 0 {
		w.Method = "derived"
	}
	return w
}
