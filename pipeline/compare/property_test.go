package compare

import (
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"

	"wolkpipe/pipeline/window"
)

// TestConfirmedIsTrue: what is confirmed is what the source holds, whatever
// changed. Where no window went empty or was left out, that is every day.
func TestConfirmedIsTrue(t *testing.T) {
	confirmed, narrowed := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		m, rng := drawModel(t, 0, 0.002, 0.02, 0.2, 1)
		m.twistAnswers(t, rng)
		o := Options{Additive: rapid.Bool().Draw(t, "additive"), DirectLimit: rapid.SampledFrom([]int{0, 0, 1, 10}).Draw(t, "limit")}
		out := drive(t, m, o, m.ask)
		if bad := m.wrong(out); len(bad) > 0 {
			t.Fatalf("windows %v of confirmed days are wrong: %s", bad, m.story(out))
		}
		open := out.stats.LeftOut > 0
		for i, res := range out.results {
			open = open || len(res.Rows) == 0 && len(m.then[i].answer().Rows) > 0
		}
		for _, d := range m.completeDays(t) {
			if !out.confirmed[d] && !open {
				t.Fatalf("%v is not confirmed: %s", d, m.story(out))
			}
		}
		confirmed += len(out.confirmed)
		narrowed += out.stats.Disagreed
	})
	if confirmed == 0 || narrowed == 0 {
		t.Errorf("%d days confirmed, %d ranges disagreed: the property holds of nothing", confirmed, narrowed)
	}
}

// completeDays are the days without a gap, by count.
func (m *model) completeDays(t tb) (days []window.Date) {
	if len(m.windows) == 0 {
		return nil
	}
	length := time.Duration(m.windows[0].Seconds()) * time.Second
	for d, ok := range m.wholeDays(t, m.windows[0].Start.Location().String(), length) {
		if ok {
			days = append(days, d)
		}
	}
	return days
}

// TestFalseEmpties: answers that are empty for no reason do not confirm what
// is wrong, but where rows are told as none, and none are known.
func TestFalseEmpties(t *testing.T) {
	lies, confirmed := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		m, rng := drawModel(t, 0, 0.002, 0.02, 0.2)
		m.twistAnswers(t, rng)
		rate := rapid.SampledFrom([]float64{0.02, 0.2, 0.7, 1}).Draw(t, "lies")
		spell := rapid.IntRange(1, 50).Draw(t, "spell") // of calls, in turn
		n := 0
		m.lies = func(first, last int) bool {
			n++
			return n/spell%2 == 0 && rng.float() < rate
		}
		out := drive(t, m, Options{Additive: true}, m.ask)
		for _, i := range m.wrong(out) {
			if !m.lied[i] || len(m.then[i].answer().Rows) > 0 {
				t.Fatalf("window %d of a confirmed day is wrong: %s", i, m.story(out))
			}
		}
		for i := range m.lied {
			if m.lied[i] {
				lies++
			}
		}
		confirmed += len(out.confirmed)
	})
	if lies == 0 || confirmed == 0 {
		t.Errorf("%d windows lied about, %d days confirmed: the property holds of nothing", lies, confirmed)
	}
}

// TestOneFalseEmptyUnderATrueWhole: where the answer for a whole day is true
// and every key is sure, no false empty within it is confirmed, not even of
// windows of which nothing is known.
func TestOneFalseEmptyUnderATrueWhole(t *testing.T) {
	lies := 0
	rapid.Check(t, func(t *rapid.T) {
		rng := random(rapid.Uint64().Draw(t, "rng"))
		r := rates{busy: rapid.SampledFrom([]float64{0.1, 1}).Draw(t, "busy"), changed: rapid.SampledFrom([]float64{0.02, 0.2, 0.9}).Draw(t, "changed")}
		m := makeModel(t, windowsOf(t, "UTC", monday, 1, 30*time.Minute), r, &rng)
		rate := rapid.SampledFrom([]float64{0.05, 0.5, 1}).Draw(t, "lies")
		m.lies = func(first, last int) bool {
			lie := last-first < len(m.windows) && rng.float() < rate
			if lie {
				lies++
			}
			return lie
		}
		out := drive(t, m, Options{Additive: true}, m.ask)
		if bad := m.wrong(out); len(bad) > 0 {
			t.Fatalf("windows %v of a confirmed day are wrong: %s", bad, m.story(out))
		}
	})
	if lies == 0 {
		t.Error("nothing was told falsely")
	}
}

// TestSecondComparison: whatever happened during a first one, a second one of
// what was then recorded finds the rest, once the source is at rest.
func TestSecondComparison(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, rng := drawModel(t, 0, 0.02, 0.2)
		m.repeat = nil
		step := rapid.IntRange(1, 20).Draw(t, "step")
		n := 0
		drive(t, m, Options{Additive: true}, func(r window.Range) (Answer, bool) {
			if n++; n%step == 0 {
				m.now[rng.below(len(m.now))].change(rng, false)
			}
			a, ok := m.ask(r)
			if first, last := m.bounds(r); last-first == 1 && ok {
				m.then[first] = m.now[first].clone()
			}
			return a, ok
		})
		out := drive(t, m, Options{Additive: true}, m.ask)
		if bad := m.wrong(out); len(bad) > 0 {
			t.Fatalf("windows %v of confirmed days are wrong: %s", bad, m.story(out))
		}
	})
}

// FuzzAnswers drives a comparison by bytes: whatever the answers, it ends
// within twice as many calls as there are windows.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte{1, 2, 3}, uint8(12), uint8(0))
	f.Add([]byte{255, 0, 0, 4, 9, 128, 7, 7, 0}, uint8(100), uint8(3))
	f.Add([]byte{64, 65, 200, 0, 1}, uint8(250), uint8(1))
	f.Fuzz(func(t *testing.T, script []byte, size, limit uint8) {
		all := windowsOf(t, "America/Santiago", window.DateOf(2026, 9, 5), 3, 15*time.Minute)
		rng := random(len(script)*7919 + int(size))
		m := makeModel(t, all[:min(len(all), 1+int(size))], rates{busy: 1, odd: 0.05}, &rng)
		i := 0
		next := func() byte {
			if len(script) == 0 {
				return 0
			}
			i++
			return script[(i-1)%len(script)] ^ byte((i-1)/len(script))
		}
		drive(t, m, Options{Additive: size%5 > 0, DirectLimit: int(limit)}, func(r window.Range) (Answer, bool) {
			first, last := m.bounds(r)
			switch b := next(); {
			case b < 64:
				return Answer{Content: Content{Counts: counts{keys[0]: 7}, Blind: true}}, true
			case b < 80 && last-first > 1:
				return Answer{}, false
			case b < 96:
				return Answer{Rows: []json.RawMessage{nil}, Content: Content{Blind: true, Unsure: keys[:1]}}, true
			case b < 112:
				return Answer{Rows: []json.RawMessage{nil}, Content: Content{Counts: counts{keys[0]: int64(next()) - 100, keys[1]: 1 << 62, keys[2]: 1<<63 - 1}}}, true
			case b < 160:
				return m.honest(first, last), true
			default:
				return told(Content{Counts: counts{keys[b%4]: 1 + int64(next()), keys[(b+1)%4]: int64(b) / 50}}, 0), true
			}
		})
	})
}
