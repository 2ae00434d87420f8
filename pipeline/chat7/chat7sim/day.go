package chat7sim

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"wolkpipe/pipeline/window"
)

// entry is one thing that a range may count, at a second of a day's clock.
// It is kept small: a dense day has millions.
type entry struct {
	at       int64  // the closing, Unix seconds
	second   int32  // of the day, on the clock
	history  int32  // in day.histories; -1: recorded at once, and so it stays
	agent    uint32 // a spelling
	code     uint16 // a typification
	kind     uint8
	junkText uint8 // in junkCounts
}

// The kinds of entry.
const (
	closing uint8 = iota
	touch         // of an interaction that is closed later that day
	junk          // a row of its own that nobody can read
)

// history is what becomes of an interaction. Instants are Unix seconds, 0: never.
type history struct {
	recorded, recoded, deleted int64
	newCode                    uint16
	closedAt                   int32 // second of the day
}

// day holds a date's entries sorted by second.
type day struct {
	entries   []entry
	histories []history
}

// junkCounts are the counts that nobody can read, as JSON.
var junkCounts = []string{`""`, `null`, `"-3"`, `-2`, `"tres"`, `"1,23"`, `1.5`, `"12 34"`, `true`}

// generate draws the entries of a date.
//
// What happens is drawn from one generator and what becomes of it from
// another, so that faults do not change who closed what and when.
func (o *operation) generate(d window.Date) *day {
	rng := generator(labelDay, o.seed, uint64(d))
	fate := generator(labelDayFaults, o.seed, uint64(d))
	stretches := stretchesOf(o.loc, d)
	n := o.volume(d, rng)
	result := &day{entries: make([]entry, 0, n)}
	var buf []int64
	for range n {
		second := o.second(rng)
		// None in a second that the clock skips, one for each pass of one
		// that it repeats.
		buf = passes(buf[:0], stretches, d.Start()+window.Local(second))
		for _, at := range buf {
			a := o.roster.agents[o.roster.agent(rng)]
			e := entry{at: at, second: second, history: -1, agent: uint32(a.first), code: uint16(o.roster.code(rng))}
			if chance(fate, o.faults.SplitNames) {
				e.agent = uint32(a.second)
			}
			o.fate(result, e, stretches, d, fate)
		}
	}
	result.entries = bySecond(result.entries)
	return result
}

// bySecond sorts entries by counting, and keeps the order within a second.
func bySecond(entries []entry) []entry {
	var next [24*60*60 + 1]int32 // where the next entry of a second goes
	for _, e := range entries {
		next[e.second+1]++
	}
	for s := 1; s < len(next); s++ {
		next[s] += next[s-1]
	}
	sorted := make([]entry, len(entries))
	for _, e := range entries {
		sorted[next[e.second]] = e
		next[e.second]++
	}
	return sorted
}

// fate decides what becomes of e and adds it, and what comes with it, to result.
func (o *operation) fate(result *day, e entry, stretches []stretch, d window.Date, rng *rand.Rand) {
	f := o.faults
	h := history{recorded: e.at, closedAt: e.second}
	late, lateBy := f.Late.draw(rng)
	if late {
		h.recorded += lateBy
	}
	recoded, recodedAfter := f.Recoded.draw(rng)
	if recoded {
		h.recoded, h.newCode = h.recorded+recodedAfter, uint16(o.roster.code(rng))
	}
	deleted, deletedAfter := f.Deleted.draw(rng)
	if deleted {
		h.deleted = h.recorded + deletedAfter
	}
	shared := chance(rng, f.Shared)
	if late || recoded || deleted || shared {
		e.history = int32(len(result.histories))
		result.histories = append(result.histories, h)
	}
	result.entries = append(result.entries, e)
	if shared {
		t := e
		t.kind, t.second = touch, e.second-1-rng.Int32N(7200)
		if rng.IntN(2) == 0 { // by somebody else
			t.agent = uint32(o.roster.agents[o.roster.agent(rng)].first)
		}
		if t.second >= 0 && len(passes(nil, stretches, d.Start()+window.Local(t.second))) > 0 {
			result.entries = append(result.entries, t)
		}
	}
	if chance(rng, f.JunkRows) {
		j := e
		j.kind, j.history, j.junkText = junk, -1, uint8(rng.IntN(len(junkCounts)))
		result.entries = append(result.entries, j)
	}
}

// draw decides whether the lag strikes, and how long it is: a second at least.
func (l Lag) draw(rng *rand.Rand) (bool, int64) {
	if !chance(rng, l.Rate) {
		return false, 0
	}
	lag := time.Duration(rng.ExpFloat64() * float64(l.Mean))
	limit := l.Max
	if limit == 0 {
		limit = 10 * l.Mean
	}
	return true, max(1, int64(min(lag, limit)/time.Second))
}

// volume draws how many interactions a date has.
func (o *operation) volume(d window.Date, rng *rand.Rand) int {
	mean := float64(o.InteractionsPerDay)
	if o.Steady {
		return o.InteractionsPerDay
	}
	switch weekday := weekday(d); {
	case o.Closed && !o.Weekends && (weekday == time.Saturday || weekday == time.Sunday):
		return 0
	case o.Closed:
		return o.InteractionsPerDay
	case holiday(d) || o.holidays[d]:
		mean *= 0.08
	case o.Weekends:
	case weekday == time.Saturday:
		mean *= 0.4
	case weekday == time.Sunday:
		mean *= 0.1
	}
	return int(math.Round(mean * (0.85 + 0.3*rng.Float64())))
}

// second draws a second of the day.
func (o *operation) second(rng *rand.Rand) int32 {
	at := rng.Float64() * o.shape[minutesPerDay-1]
	minute, _ := slices.BinarySearch(o.shape[:], at)
	return int32(min(minute, minutesPerDay-1)*60 + rng.IntN(60))
}

// between are the entries with from <= second < to.
func (d *day) between(from, to int64) []entry {
	bound := func(second int64) int {
		i, _ := slices.BinarySearchFunc(d.entries, second, func(e entry, s int64) int {
			if int64(e.second) < s {
				return -1
			}
			return 1
		})
		return i
	}
	lo, hi := bound(from), bound(to)
	return d.entries[lo:max(lo, hi)]
}
