package doctor

import (
	"context"
	"fmt"
	"slices"

	"wolkpipe/pipeline/window"
)

// How a whole is cut: twice, so that the second time the cuts can be where the
// interactions are.
const (
	firstParts  = 10
	secondParts = 12
	fewestParts = 4
	forRechecks = 4 // calls kept for parts that were empty

	// What may be too little to conclude from.
	fewestCuts         = 5 // with interactions on both sides
	fewestInteractions = 5
)

// part is one part of a whole and what the source says of it.
type part struct {
	window.Range
	tally
}

// additivity compares the whole of r with its parts. second is one with an
// interaction: cut there, a date_end that was misunderstood shows too.
func (e *exam) additivity(ctx context.Context, r window.Range, second window.Local) error {
	e.Progress("comparing parts with the whole of " + r.From.Date().String())
	before, err := e.rows(ctx, r)
	if err != nil {
		return err
	}
	e.found.Interactions = int64(before.total)
	n := min(e.share(firstParts), max(fewestParts, e.share(firstParts+secondParts)/2))
	// The search for a second went for the first one that has an interaction.
	busy := []part{{Range: window.Range{From: second, To: r.To}, tally: before}}
	first, err := e.parts(ctx, r, e.cuts(r, busy, n, second, second+1))
	if err != nil {
		return err
	}
	all := [][]part{first}
	if n := e.share(secondParts); n >= fewestParts {
		again, err := e.parts(ctx, r, e.cuts(r, first, n))
		if err != nil {
			return err
		}
		all = append(all, again)
	}
	after, err := e.rows(ctx, r)
	if err != nil {
		return err
	}
	return e.judge(ctx, r, before, after, all)
}

// share is how many parts there are calls for, of those that are left when
// the whole is asked for again, and parts that were empty.
func (e *exam) share(wanted int) int { return min(wanted, e.left()-forRechecks-1) }

// cuts draws where to cut r into n parts: as often within one of the given
// parts as it has interactions. Every other cut is at the bound of a window.
// Seconds that the clock skips are no place for it: no window begins there.
func (e *exam) cuts(r window.Range, within []part, n int, wanted ...window.Local) []window.Local {
	cuts := slices.DeleteFunc(slices.Clone(wanted), func(c window.Local) bool { return c <= r.From || c >= r.To })
	var total float64
	for _, p := range within {
		total += p.total
	}
	for tries := 0; len(cuts) < n-1 && tries < 20*n; tries++ {
		at := e.Random.Float64() * total
		i := 0
		for ; i < len(within)-1 && at >= within[i].total; i++ {
			at -= within[i].total
		}
		cut := within[i].From + window.Local(e.Random.Int64N(within[i].Seconds()))
		if bound := e.Grid.At(cut).From; len(cuts)%2 == 0 {
			cut = bound
		}
		_, exists := e.Zone.Window(window.Range{From: cut, To: cut + 1})
		if exists && cut > r.From && cut < r.To && !slices.Contains(cuts, cut) {
			cuts = append(cuts, cut)
		}
	}
	slices.Sort(cuts)
	return cuts
}

// parts asks for all parts of r between cuts.
func (e *exam) parts(ctx context.Context, r window.Range, cuts []window.Local) ([]part, error) {
	if len(cuts)+1 < fewestParts || len(cuts)+1 >= e.left() {
		return nil, errSpent
	}
	parts := make([]part, 0, len(cuts)+1)
	from := r.From
	for _, to := range append(cuts, r.To) {
		p := part{Range: window.Range{From: from, To: to}}
		var err error
		if p.tally, err = e.rows(ctx, p.Range); err != nil {
			return nil, err
		}
		parts = append(parts, p)
		from = to
	}
	return parts, nil
}

// judge concludes, after asking again for what may have been empty by mistake.
func (e *exam) judge(ctx context.Context, r window.Range, before, after tally, all [][]part) error {
	var sum verdict
	for _, parts := range all {
		v := compare(before, after, parts)
		if v.less > 0 && v.more == 0 {
			var err error
			if after, err = e.recheck(ctx, r, parts, after); err != nil {
				return err
			}
			v = compare(before, after, parts)
		}
		sum.add(v)
		e.found.Cuts += inside(parts)
	}
	switch differ := sum.more + sum.less; {
	case differ > 0 && sum.changed > 0:
		e.note("the day's counts changed while they were compared, so whether they add up is not known: run doctor again")
	case differ > 0:
		e.found.Additive = new(false)
		e.note("parts of %s do not add up to the whole, in %d of %d comparisons by agent and code (%d more, %d less): "+
			"no window is derived, each is asked for", r.From.Date(), differ, sum.keys, sum.more, sum.less)
	case before.total < fewestInteractions || e.found.Cuts < fewestCuts:
		e.note("%s has too few interactions, %.0f, to tell whether counts add up: run doctor again after a busier day", r.From.Date(), before.total)
	case sum.agreed <= sum.leftOut:
		e.note("whether counts add up is not known: too many rows repeat an agent and code, cannot be read, or changed meanwhile")
	default:
		e.found.Additive = new(true)
	}
	return nil
}

// recheck asks again for the parts that were empty, and then for the whole,
// which shows that the source is not in a spell of empty answers.
func (e *exam) recheck(ctx context.Context, r window.Range, parts []part, after tally) (tally, error) {
	again := false
	for i := range parts {
		if parts[i].some() {
			continue
		}
		got, err := e.rows(ctx, parts[i].Range)
		if err != nil {
			return after, fmt.Errorf("asking again for what was empty: %w", err)
		}
		if got.some() {
			e.note("an answer was empty though there are rows: %s", parts[i].Range)
		}
		parts[i].tally = got
		again = true
	}
	if !again {
		return after, nil
	}
	return e.rows(ctx, r)
}

// inside counts the cuts that have interactions on both sides.
func inside(parts []part) int {
	some := func(p part) bool { return p.some() }
	first := slices.IndexFunc(parts, some)
	if first < 0 {
		return 0
	}
	last := first
	for i, p := range parts {
		if p.some() {
			last = i
		}
	}
	return last - first
}

// verdict is what comparing a whole with its parts says.
type verdict struct {
	keys            int     // compared
	more, less      int     // keys of which the parts have more or less than the whole
	changed         int     // keys of which the whole changed meanwhile
	agreed, leftOut float64 // interactions
}

func (v *verdict) add(o verdict) {
	v.keys += o.keys
	v.more += o.more
	v.less += o.less
	v.changed += o.changed
	v.agreed += o.agreed
	v.leftOut += o.leftOut
}

// compare compares the whole, as it was before and after, with its parts.
func compare(before, after tally, parts []part) verdict {
	keys := map[key]bool{}
	sums := map[key]count{}
	add := func(t tally, times int64) {
		for k, c := range t.counts {
			keys[k] = true
			s := sums[k]
			s.sum += times * c.sum
			s.doubtful = s.doubtful || c.doubtful
			sums[k] = s
		}
	}
	for _, p := range parts {
		add(p.tally, 1)
	}
	add(before, -1) // what is left is what the parts have more
	add(after, 0)
	var v verdict
	for k := range keys {
		whole, s := before.counts[k].sum, sums[k]
		switch {
		case whole != after.counts[k].sum:
			v.changed++
			v.leftOut += float64(max(whole, after.counts[k].sum))
		case s.sum == 0:
			v.keys++
			v.agreed += float64(whole)
		case s.doubtful:
			v.leftOut += float64(max(whole, 1))
		default:
			v.keys++
			if s.sum > 0 {
				v.more++
			} else {
				v.less++
			}
		}
	}
	return v
}
