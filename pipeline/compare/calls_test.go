package compare

import (
	"testing"
	"time"
)

// daysOf is a model of some days of n interactions each, spread over the hours
// from 8 to 20, of ten agents and five codes.
func daysOf(t testing.TB, seed, days, n int) (*model, *random) {
	t.Helper()
	m := newModel(windowsOf(t, "America/Bogota", monday, days, 5*time.Minute))
	rng := random(uint64(seed)*0x9e3779b97f4a7c15 + 1)
	for range 20 {
		rng.float()
	}
	for d := range days {
		for range n {
			m.then[d*288+96+rng.below(144)].counts[someKey(&rng)]++
		}
	}
	m.settle()
	return m, &rng
}

func someKey(rng *random) Key {
	return Key{string(rune('A' + rng.below(10))), string(rune('1' + rng.below(5)))}
}

// TestUnchanged: what has not changed costs one call, and is confirmed.
func TestUnchanged(t *testing.T) {
	for seed := range 1000 {
		m, _ := daysOf(t, seed, 1, seed%400)
		if out := m.run(t); len(out.asked) != 1 || !out.confirmed[monday] || out.stats.Disagreed != 0 {
			t.Fatalf("day %d: asks for %s, confirms %v", seed, m.story(out), out.confirmed)
		}
	}
	for seed := range 10 {
		m, _ := daysOf(t, seed, 30, 200)
		if out := m.run(t); len(out.asked) != 1 || len(out.confirmed) != 30 {
			t.Fatalf("month %d: asks for %s, confirms %d days", seed, m.story(out), len(out.confirmed))
		}
	}
}

// late lets a closing come into each of n windows between 8 and 20 of a day.
func (m *model) late(rng *random, first, n int) {
	for n > 0 {
		if i := first + 96 + rng.below(144); m.same(i) {
			m.now[i].counts[someKey(rng)]++
			n--
		}
	}
}

// TestCalls prints what changes cost, and holds the bounds: nowhere more than
// 1.3 calls for each window.
func TestCalls(t *testing.T) {
	for _, c := range []struct {
		days, changed int
		most          float64 // on average
	}{
		{1, 0, 1}, {1, 1, 11}, {1, 3, 24}, {1, 20, 91}, {1, 60, 170}, {1, 144, 250},
		{30, 0, 1}, {30, 1, 16}, {30, 3, 40}, {30, 20, 200},
	} {
		seeds := 40
		if c.days > 1 {
			seeds = 6
		}
		calls, worst := 0, 0
		for seed := range seeds {
			m, rng := daysOf(t, seed, c.days, 200)
			for left := c.changed; left > 0; { // on days by chance
				n := left
				if c.days > 1 {
					n = 1
				}
				m.late(rng, 288*rng.below(c.days), n)
				left -= n
			}
			out := m.run(t)
			if bad := m.wrong(out); len(bad) > 0 || len(out.confirmed) != c.days {
				t.Fatalf("windows %v are wrong, %d days confirmed: %s", bad, len(out.confirmed), m.story(out))
			}
			calls, worst = calls+len(out.asked), max(worst, len(out.asked))
		}
		mean := float64(calls) / float64(seeds)
		t.Logf("%2d days of 288 windows and 200 interactions, %3d windows changed: %5.1f calls, at most %d", c.days, c.changed, mean, worst)
		if mean > c.most || c.days == 1 && worst > 288*13/10 {
			t.Errorf("%d changed windows in %d days took %.1f calls, at most %d; want %.1f", c.changed, c.days, mean, worst, c.most)
		}
	}
}

// TestCallsAtTheWorst: however unlike a day is to what is recorded, and
// whatever of the answers can be compared.
func TestCallsAtTheWorst(t *testing.T) {
	share := func(name string, m *model, o Options) {
		t.Helper()
		out := drive(t, m, o, m.ask)
		t.Logf("%s: %d calls for %d windows", name, len(out.asked), len(m.windows))
		if most := max(len(m.windows)+1, len(m.windows)*13/10); len(out.asked) > most {
			t.Errorf("%s takes %d calls, want %d", name, len(out.asked), most)
		}
	}
	additive := Options{Additive: true}
	for _, length := range []time.Duration{5 * time.Minute, time.Hour, 6 * time.Hour} {
		fresh := func() *model { return newModel(windowsOf(t, "UTC", monday, 1, length)).evenly(keys[3], 2) }
		all := func(change func(*held)) *model {
			m := fresh()
			for i := range m.now {
				change(&m.now[i])
			}
			return m
		}
		share("all changed", all(func(h *held) { h.counts[keys[0]]++ }), additive)
		share("all deleted", all(func(h *held) { clear(h.counts) }), additive)
		share("all blind", all(func(h *held) { h.blind = true }), additive)
		share("a reject everywhere", all(func(h *held) { h.junk[keys[1]] = true }), additive)
		share("nothing added up", fresh(), Options{})
		every := func(n, of int) *model {
			m := fresh()
			for i := range m.now {
				if i%of < n {
					m.now[i].counts[keys[i%3]]++
				}
			}
			return m
		}
		share("every second", every(1, 2), additive)
		share("two of three", every(2, 3), additive)
		share("every third", every(1, 3), additive)
		share("every fifth", every(1, 5), additive)
		m := fresh()
		m.repeat = func() bool { return true }
		share("a key repeated in each answer", m, additive)
		m = fresh()
		m.tooMuch = 1
		share("too much but by single windows", m, additive)
		m = fresh()
		m.lies = func(int, int) bool { return true }
		share("falsely empty throughout", m, additive)
	}
}

// TestCallsWithOddWindows prints what windows cost that cannot be part of a
// sum: each itself, and the stretches between them.
func TestCallsWithOddWindows(t *testing.T) {
	for _, n := range []int{1, 5, 50} {
		m, rng := daysOf(t, n, 30, 200)
		m.both(func(all []held) {
			rng := *rng
			for range n {
				all[rng.below(len(all))].junk[keys[0]] = true
			}
		})
		out := m.run(t)
		t.Logf("a month with %d windows that cannot be summed: %d calls", n, len(out.asked))
		if len(out.asked) > 2*n+1 || len(out.confirmed) != 30 {
			t.Errorf("%d odd windows take %d calls; %d days confirmed", n, len(out.asked), len(out.confirmed))
		}
	}
}

// BenchmarkMonth compares a month of 200 interactions a day with itself.
func BenchmarkMonth(b *testing.B) {
	m, _ := daysOf(b, 1, 30, 200)
	known := m.known()
	a := m.honest(0, len(m.windows))
	b.ResetTimer()
	for range b.N {
		c, err := New(known, Options{Additive: true})
		if err != nil {
			b.Fatal(err)
		}
		r, _ := c.Next()
		c.Answered(r, a)
		if len(c.Confirmed()) != 30 {
			b.Fatal("the month is not confirmed")
		}
	}
}
