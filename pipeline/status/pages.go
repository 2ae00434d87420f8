package status

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// view is what a page's template is given. Which fields are set depends on Kind.
type view struct {
	Kind   string // "overview", "operation", "day", "problem"
	Title  string
	Crumbs []crumb
	Every  int64 // milliseconds between updates

	Level    Level
	Headline string

	Installation Installation
	Answers      []answer
	Matters      []matter
	MattersLeft  int
	Rows         []row
	Fills        []fill

	Operation     Operation
	Period        string // the month or year that is shown; empty: the last 12 months
	Years         []int
	Months        []month
	Listed        bool // its days are listed too
	Before, After string

	Content Content
	Totals  totals
	Summary Day
	Month   string
	Hours   []hour
	Hour    string
	Lines   []line

	Text string
	Back crumb
}

type crumb struct{ Name, Link string }

// row is an operation on the overview.
type row struct {
	Operation
	Strip strip
}

// fill is a backfill with its operation.
type fill struct {
	Backfill
	Operation string
	Zone      *time.Location
}

const (
	stripDays   = 35
	mostMatters = 12
	pageTime    = 10 * time.Second // bounds what a page takes to be put together
	updateEvery = 10 * time.Second
)

// pages answers what a person looks at.
type pages struct{ Options }

func (p *pages) overview(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), pageTime)
	defer cancel()
	s := p.Installation(ctx)
	v := view{Kind: "overview", Installation: s, Answers: s.glance(), Matters: s.matters()}
	v.Level, v.Headline = s.headline()
	v.Title = "wolkpipe: " + v.Headline
	if n := len(v.Matters); n > mostMatters {
		v.Matters, v.MattersLeft = v.Matters[:mostMatters], n-mostMatters
	}
	for _, o := range s.Operations {
		v.Rows = append(v.Rows, row{o, o.latest(stripDays)})
		v.Fills = append(v.Fills, o.fills(true)...)
	}
	p.write(w, r, http.StatusOK, v)
}

// fills are the operation's backfills, or those that go on.
func (o Operation) fills(active bool) (all []fill) {
	for _, b := range o.Backfills {
		if !active || b.State == "active" {
			all = append(all, fill{b, o.Name, o.zone()})
		}
	}
	return all
}

func (p *pages) operation(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), pageTime)
	defer cancel()
	name, query := r.PathValue("name"), r.URL.Query()
	// The zone of the operation is not known yet: today is one of three days.
	now := time.Now().UTC()
	if p.now != nil {
		now = p.now().UTC()
	}
	v := view{Kind: "operation"}
	from, to := firstOf(now.AddDate(0, 0, -1)).AddDate(0, -11, 0), now.AddDate(0, 0, 1)
	year, month := query.Get("year"), query.Get("month")
	switch {
	case month != "":
		first, err := time.Parse("2006-01", month)
		if err != nil || len(month) != 7 {
			p.missing(w, r, "No such month", crumb{"All of this operation", "/operations/" + name})
			return
		}
		from, to = first, first.AddDate(0, 1, -1)
		v.Period, v.Listed = month, true
	case year != "":
		n, err := strconv.Atoi(year)
		if err != nil || len(year) != 4 || n < 1970 {
			p.missing(w, r, "No such year", crumb{"All of this operation", "/operations/" + name})
			return
		}
		from = time.Date(n, 1, 1, 0, 0, 0, 0, time.UTC)
		to = from.AddDate(1, 0, -1)
		v.Period = year
	}
	o, err := p.Operation(ctx, name, from.Format(time.DateOnly), to.Format(time.DateOnly))
	if p.failed(w, r, err, "No such operation", crumb{"All operations", "/"}) {
		return
	}
	v.Operation, v.Crumbs = o, []crumb{{Name: o.Name}}
	v.Matters, v.Fills, v.Years, v.Months = o.matters(), o.fills(false), o.years(), o.months(from, to)
	if v.Listed {
		v.Before, v.After = o.beside(from)
	} else if v.Period == "" { // what is new stands first
		slices.Reverse(v.Months)
		v.Months = v.Months[:min(12, len(v.Months))]
	}
	v.Title = fmt.Sprintf("%s: %s", o.Name, o.Says())
	p.write(w, r, http.StatusOK, v)
}

// beside gives the months around one of which something may be known.
func (o Operation) beside(first time.Time) (before, after string) {
	if known, err := time.Parse(time.DateOnly, o.First); err == nil && first.After(known) {
		before = first.AddDate(0, -1, 0).Format("2006-01")
	}
	if next := first.AddDate(0, 1, 0); !next.After(o.today()) {
		after = next.Format("2006-01")
	}
	return before, after
}

func (p *pages) day(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), pageTime)
	defer cancel()
	name := r.PathValue("name")
	c, err := p.Day(ctx, name, r.PathValue("day"))
	if p.failed(w, r, err, "Nothing is known of that day", crumb{"All operations", "/"}) {
		return
	}
	v := view{Kind: "day", Content: c, Totals: c.totals(), Summary: c.day(), Month: c.Day[:7], Hours: c.hours()}
	v.Crumbs = []crumb{{c.Operation, "/operations/" + c.Operation}, {Name: c.Day}}
	v.Title = fmt.Sprintf("%s %s: %s", c.Operation, c.Day, v.Summary.State())
	windows := c.Windows
	if len(lines(windows)) > mostLines {
		if v.Hour = r.URL.Query().Get("hour"); len(c.inHour(v.Hour)) == 0 {
			v.Hour = windows[0].From[:2]
		}
		windows = c.inHour(v.Hour)
	}
	v.Lines = lines(windows)
	if v.Hour == "" {
		lead(v.Hours, v.Lines)
	}
	p.write(w, r, http.StatusOK, v)
}

// failed answers for an error, if there is one.
func (p *pages) failed(w http.ResponseWriter, r *http.Request, err error, unknown string, back crumb) bool {
	switch {
	case err == nil:
		return false
	case errors.Is(err, ErrUnknown):
		p.missing(w, r, unknown, back)
	default:
		p.Log.Warn("a page could not be put together", "path", r.URL.Path, "error", err)
		p.write(w, r, http.StatusServiceUnavailable, view{
			Kind: "problem", Title: "wolkpipe: not to be had now", Headline: "This is not to be had now",
			Text: "The journal does not answer; reload the page in a while. The log says why.", Back: crumb{"All operations", "/"},
		})
	}
	return true
}

func (p *pages) missing(w http.ResponseWriter, r *http.Request, what string, back crumb) {
	p.write(w, r, http.StatusNotFound, view{
		Kind: "problem", Title: "wolkpipe: " + what, Headline: what,
		Text: "The address may be mistyped, or an operation was renamed, or the day is still to come.", Back: back,
	})
}

// partHeader asks for what changes of a page alone.
const partHeader = "Wolkpipe-Part"

// write renders whole, so that a page that cannot be is no half of one.
func (p *pages) write(w http.ResponseWriter, r *http.Request, status int, v view) {
	name := "layout.html"
	if r.Header.Get(partHeader) == "main" {
		name = "main"
	}
	v.Every = cmp.Or(p.every, updateEvery).Milliseconds()
	var page bytes.Buffer
	if err := templates.ExecuteTemplate(&page, name, v); err != nil {
		p.Log.Error("a page could not be written", "path", r.URL.Path, "error", err)
		http.Error(w, "the page could not be written; the log says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes()) // whoever asked may be gone
}
