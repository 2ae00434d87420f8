package chat7sim

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"wolkpipe/pipeline/window"
)

// Count is one line of the truth: how many interactions an agent closed with a
// code. Names are clean: NFC, no HTML entities, no space but single ones inside.
type Count struct {
	Agent        string `json:"agent_name"`
	Code         string `json:"cod_act"`
	Interactions int64  `json:"interactions"` // 1 at least
}

// Truth is what a faultless source would answer now for r: what has been
// closed and recorded, under the code that it has now, sorted by agent and
// code. It panics on an operation that the scenario does not have.
func (s *Sim) Truth(operation string, r window.Range) []Count {
	o := s.mustFind(operation)
	return o.clean(o.count(r, s.now().Unix(), nil))
}

// Final is what a faultless source will answer for r once every closing has
// been recorded, recoded and deleted that ever will be; what lies in the
// future is in it. It panics on an operation that the scenario does not have.
func (s *Sim) Final(operation string, r window.Range) []Count {
	o := s.mustFind(operation)
	return o.clean(o.count(r, math.MaxInt64, nil))
}

func (s *Sim) mustFind(name string) *operation {
	o := s.operations[name]
	if o == nil {
		panic(fmt.Sprintf("chat7sim: no operation %q in the scenario", name))
	}
	return o
}

// key is a row of an answer: numbers of an agent's spelling and a typification.
type key struct {
	agent uint32
	code  uint16
}

// tally is what a range holds, as the source writes it.
type tally struct {
	counts map[key]int64
	junk   []entry
}

// notes count how often what is late, recoded or deleted was in an answer.
type notes struct{ late, recoded, deleted, shared int64 }

// count reads r as of an instant; n may be nil.
func (o *operation) count(r window.Range, now int64, n *notes) tally {
	if n == nil {
		n = new(notes)
	}
	t := tally{counts: map[key]int64{}}
	for d := r.From.Date(); !r.Empty() && d <= (r.To-1).Date(); d++ {
		from, to := int64(r.From-d.Start()), int64(r.To-d.Start())
		today := o.days.get(d, o.generate)
		for _, e := range today.between(from, to) {
			if e.at > now {
				continue
			}
			if e.kind == junk {
				t.junk = append(t.junk, e)
				continue
			}
			k := key{e.agent, e.code}
			if e.history >= 0 {
				h := &today.histories[e.history]
				switch {
				case h.recorded > now:
					n.late++
					continue
				case h.deleted != 0 && h.deleted <= now:
					continue
				case h.deleted != 0:
					n.deleted++
				}
				if h.recoded != 0 && h.recoded <= now {
					k.code = h.newCode
				} else if h.recoded != 0 {
					n.recoded++
				}
				if e.kind == touch {
					if int64(h.closedAt) < to { // counted where it was closed
						continue
					}
					n.shared++
				}
			}
			t.counts[k]++
		}
	}
	return t
}

// clean merges the rows that are one once they are written properly.
func (o *operation) clean(t tally) []Count {
	sums := make(map[[2]string]int64, len(t.counts))
	for k, n := range t.counts {
		sums[[2]string{o.roster.agentNames.all[k.agent].clean, o.roster.codeName(k.code).clean}] += n
	}
	counts := make([]Count, 0, len(sums))
	for k, n := range sums {
		counts = append(counts, Count{k[0], k[1], n})
	}
	slices.SortFunc(counts, func(a, b Count) int {
		return cmp.Or(cmp.Compare(a.Agent, b.Agent), cmp.Compare(a.Code, b.Code))
	})
	return counts
}

func (r *roster) codeName(c uint16) *spelling { return &r.codeNames.all[r.codes[c].spelling] }
