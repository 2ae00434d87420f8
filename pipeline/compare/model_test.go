package compare

import (
	"time"

	"pgregory.net/rapid"

	"wolkpipe/pipeline/window"
)

// random is an xorshift: one draw for all, so that shrinking stays quick.
type random uint64

func (r *random) float() float64 {
	*r |= 1
	*r ^= *r << 13
	*r ^= *r >> 7
	*r ^= *r << 17
	return float64(*r>>11) / (1 << 53)
}

func (r *random) below(n int) int { return int(r.float() * float64(n)) }

// rates are how often things are so, of windows.
type rates struct{ gaps, busy, odd, changed float64 }

// risers and fallers: counts of a key change in one direction only, as what
// cancels out is not seen.
const risers = 3 // keys[:risers] come in late, the others are deleted

// drawModel draws windows, what is recorded of them and what they hold.
func drawModel(t *rapid.T, changed ...float64) (*model, *random) {
	length := rapid.SampledFrom([]time.Duration{5 * time.Minute, 15 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour}).Draw(t, "length")
	place := rapid.SampledFrom([]string{"UTC", "America/Santiago", "Asia/Beirut"}).Draw(t, "zone")
	from := window.DateOf(2026, 3, 1) + window.Date(rapid.IntRange(0, 220).Draw(t, "from"))
	most := 3
	if length >= time.Hour {
		most = 40
	}
	r := rates{
		gaps:    rapid.SampledFrom([]float64{0, 0, 0.01, 0.2}).Draw(t, "gaps"),
		busy:    rapid.SampledFrom([]float64{0, 0.1, 1, 4}).Draw(t, "busy"),
		odd:     rapid.SampledFrom([]float64{0, 0, 0.01, 0.1, 0.5}).Draw(t, "odd"),
		changed: rapid.SampledFrom(changed).Draw(t, "changed"),
	}
	rng := random(rapid.Uint64().Draw(t, "rng"))
	return makeModel(t, windowsOf(t, place, from, rapid.IntRange(1, most).Draw(t, "days"), length), r, &rng), &rng
}

func makeModel(t tb, windows []window.Window, r rates, rng *random) *model {
	var kept []window.Window
	gap := false
	for _, w := range windows {
		if rng.float() < r.gaps {
			gap = !gap
		}
		if !gap || r.gaps == 0 {
			kept = append(kept, w)
		}
	}
	m := newModel(kept)
	for i := range m.then {
		h := &m.then[i]
		for lots := r.busy; lots > 0; lots-- {
			if rng.float() < lots {
				h.counts[keys[rng.below(len(keys))]]++
			}
		}
		if rng.float() < r.odd {
			h.twist(rng)
		}
	}
	m.settle()
	for i := range m.now {
		if rng.float() < r.changed {
			m.now[i].change(rng, r.odd > 0)
		}
	}
	return m
}

// twist makes rows unreadable, or alike.
func (h *held) twist(rng *random) {
	k := keys[rng.below(risers)]
	switch rng.below(3) {
	case 0:
		h.counts[k] += 2
		h.alike[k] = 1
	case 1:
		h.junk[k] = true
	default:
		h.blind = true
	}
}

// change is what happens at the source.
func (h *held) change(rng *random, odd bool) {
	up, down := keys[rng.below(risers)], keys[risers+rng.below(len(keys)-risers)]
	switch rng.below(6) {
	case 0, 1: // came in late
		h.counts[up] += 1 + int64(rng.below(3))
	case 2: // deleted
		h.less(down)
	case 3: // given another code
		if h.counts[down] > 0 {
			h.less(down)
			h.counts[up]++
		}
	case 4: // all of it deleted
		if h.counts[keys[0]]+h.counts[keys[1]]+h.counts[keys[2]] == 0 {
			clear(h.counts)
		}
	case 5:
		if len(h.alike) > 0 || len(h.junk) > 0 || h.blind {
			clear(h.alike)
			clear(h.junk)
			h.blind = false
		} else if odd {
			h.twist(rng)
		}
	}
}

func (h *held) less(k Key) {
	if h.counts[k]--; h.counts[k] <= 0 {
		delete(h.counts, k)
	}
}

// twistAnswers makes the source refuse some ranges and repeat keys.
func (m *model) twistAnswers(t *rapid.T, rng *random) {
	chance := func(name string, some ...float64) func() bool {
		rate := rapid.SampledFrom(some).Draw(t, name)
		return func() bool { return rng.float() < rate }
	}
	m.repeat = chance("repeat", 0, 0, 0.05, 0.5, 1)
	m.slow = chance("slow", 0, 0, 0.05, 0.5)
	m.tooMuch = rapid.SampledFrom([]int{0, 0, 1, 10, 100}).Draw(t, "too much")
}

// wholeDays are the days all of whose windows there are.
func (m *model) wholeDays(t tb, place string, length time.Duration) map[window.Date]bool {
	days := map[window.Date]bool{}
	n := map[window.Date]int{}
	for _, w := range m.windows {
		n[w.From.Date()]++
	}
	for d, have := range n {
		days[d] = have == len(windowsOf(t, place, d, 1, length))
	}
	return days
}
