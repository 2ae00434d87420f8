package descend

import "math"

const hours = 60 * 60

// dense is for how long a day may be taken to be evenly busy.
const dense = 8 * hours

// split is how many windows of a stretch to ask for where the others follow
// by subtraction.
func (t *stretch) split(d *Descent) int {
	n := t.len()
	if n == 1 {
		return 1
	}
	half := n / 2
	if 3*t.left >= 2*float64(n) && d.rangeOf(t.span).Seconds() <= dense {
		return min(half, doubled(1, t.inARow))
	}
	if half < 3 {
		return 1
	}
	part := 3
	for 2*part <= half {
		part *= 2
	}
	return part
}

// share is how many of n units, days or windows, to ask for where nothing
// follows: as many as are empty half of the time.
func (t *stretch) share(n int) int {
	most := n
	if !t.found && t.whole != nil || !t.asked { // the whole is known to hold something, or to be too much
		most = max(1, n/2)
	}
	if t.left <= 0 {
		return most
	}
	const worthIt = 0.38 // from which share of units with rows on none should be put together
	some := -math.Expm1(-t.left / float64(n))
	units := 1
	if some < worthIt {
		units = int(min(float64(n), math.Round(math.Ln2/some)))
	}
	inARow := t.inARow
	if t.days {
		inARow-- // two days in a row are a week-end, and tell nothing of the next
	}
	return max(1, min(most, doubled(units, inARow)))
}

// doubled doubles n for each empty part in a row beyond the first.
func doubled(n, inARow int) int {
	const enough = 20 // for any day, and no overflow
	return n << min(max(0, inARow-1), enough)
}
