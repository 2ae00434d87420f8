package doctor

import (
	"context"
	"fmt"

	"wolkpipe/pipeline/window"
)

// lookBack is how many days are looked through: the most that the source
// answers for at once.
const lookBack = 31

// mostPieces bounds how many ranges are looked at before one is chosen.
const mostPieces = 8

// piece is a range of whole days, the last one excluded, and how many
// interactions it seems to hold.
type piece struct {
	from, to window.Date
	total    float64
}

func (p piece) days() int          { return int(p.to - p.from) }
func (p piece) density() float64   { return p.total / float64(p.days()) }
func (p piece) r() window.Range    { return window.Range{From: p.from.Start(), To: p.to.Start()} }
func (p piece) until() window.Date { return p.to - 1 }

// busiest finds a busy day: that with rows is certain, that it is the busiest
// is not. The range is the day, or a part of it where an answer for all of it
// is more than the source gives; empty where no interactions were found.
func (e *exam) busiest(ctx context.Context) (window.Range, error) {
	today := e.Zone.Local(e.Now()).Date()
	e.Progress(fmt.Sprintf("looking for a busy day since %s", today-lookBack))
	best, err := e.densest(ctx, today)
	if err != nil {
		return window.Range{}, err
	}
	if best.total == 0 { // perhaps it has only just begun
		until := e.Zone.Local(e.Now().Add(-settledFor))
		return e.part(ctx, window.Range{From: today.Start(), To: until})
	}
	for best.days() > 1 {
		middle := best.from + window.Date(best.days()/2)
		first := piece{from: best.from, to: middle}
		got, err := e.rows(ctx, first.r())
		if err != nil {
			return window.Range{}, err
		}
		first.total = got.total
		// Good enough to choose by: what is chosen is asked in the end.
		second := piece{from: middle, to: best.to, total: best.total - first.total}
		best = first
		if second.density() > first.density() {
			best = second
		}
	}
	return e.part(ctx, best.r())
}

// densest asks for the days before today in ranges as long as the source
// answers, the latest ones first, and gives the one with the most
// interactions a day. No range passes the end of a month.
func (e *exam) densest(ctx context.Context, today window.Date) (piece, error) {
	for longest := lookBack; ; longest /= 2 {
		best, err := e.look(ctx, today, longest)
		if err == nil || !tooMuch(err) {
			return best, err
		}
		if longest == 1 { // more than a day's answer holds: busy enough
			return piece{today - 1, today, 1}, nil
		}
	}
}

func (e *exam) look(ctx context.Context, today window.Date, longest int) (best piece, err error) {
	best = piece{from: today - 1, to: today}
	next := piece{to: today}
	for n := 0; n < mostPieces && next.to > today-lookBack; n++ {
		month, _ := next.until().Month()
		next.from = max(month, next.to-window.Date(longest), today-lookBack)
		got, err := e.rows(ctx, next.r())
		if err != nil {
			return piece{}, err
		}
		if next.total = got.total; next.density() > best.density() {
			best = next
		}
		next.to = next.from
	}
	return best, nil
}

// part is as much of r as one answer is given for, if it has interactions;
// else it is empty.
func (e *exam) part(ctx context.Context, r window.Range) (window.Range, error) {
	const shortest = 60
	for later := true; r.Seconds() >= shortest; later = !later {
		got, err := e.rows(ctx, r)
		switch {
		case err == nil && got.some():
			return r, nil
		case err == nil:
			return window.Range{}, nil
		case !tooMuch(err):
			return window.Range{}, err
		}
		// From both ends towards the afternoon.
		if middle := r.From + window.Local(r.Seconds()/2); later {
			r.From = middle
		} else {
			r.To = middle
		}
	}
	return window.Range{}, nil
}
