package chat7sim

import (
	"hash/fnv"
	"math/rand/v2"
)

// Second words of the generators' seeds, so that no two draw alike.
const (
	labelPeople = iota + 1
	labelSpelling
	labelDay
	labelDayFaults
	labelCall
	labelRange
	labelRow
	labelSpell
)

// mix makes one seed of several numbers (splitmix64 over each).
func mix(parts ...uint64) uint64 {
	h := uint64(0x9e3779b97f4a7c15)
	for _, p := range parts {
		h = (h ^ p) + 0x9e3779b97f4a7c15
		h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
		h = (h ^ h>>27) * 0x94d049bb133111eb
		h ^= h >> 31
	}
	return h
}

func mixText(seed uint64, text string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text))
	return mix(seed, h.Sum64())
}

// generator is a source of random numbers that depends on its arguments alone.
func generator(label, seed uint64, parts ...uint64) *rand.Rand {
	return rand.New(rand.NewPCG(mix(append(parts, seed)...), label))
}

// chance draws whether something of rate r happens.
func chance(rng *rand.Rand, r Rate) bool { return r > 0 && rng.Float64() < float64(r) }
