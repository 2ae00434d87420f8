package doctor_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"wolkpipe/pipeline/chat7"
	"wolkpipe/pipeline/doctor"
	"wolkpipe/pipeline/window"
)

// altered is a source whose answers to the report a test changes, by their
// number from 1.
type altered struct {
	seconds
	n     int
	alter func(n int, a *chat7.Answer)
}

func (s *altered) Rows(ctx context.Context, r window.Range, exclusive bool) (chat7.Answer, error) {
	a, err := s.seconds.Rows(ctx, r, exclusive)
	s.n++
	s.alter(s.n, &a)
	return a, err
}

// examineAltered examines a day with an interaction at every given second.
func examineAltered(t *testing.T, exclusive, sum bool, at []int64, alter func(int, *chat7.Answer)) doctor.Finding {
	t.Helper()
	zone, err := window.LoadZone("America/Bogota")
	if err != nil {
		t.Fatal(err)
	}
	s := &altered{seconds: seconds{exclusive: exclusive}, alter: alter}
	for _, second := range at {
		s.at = append(s.at, (zone.Local(monday).Date()-5).Start()+window.Local(second))
	}
	f, err := doctor.Examine(t.Context(), s, doctor.Options{
		Zone: zone, Sum: sum, Now: func() time.Time { return monday }, Random: rand.New(rand.NewPCG(1, 2)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func row(count int, code string) json.RawMessage {
	return fmt.Appendf(nil, `{"interactions":"%d","agent_name":"Ana","cod_act":%q}`, count, code)
}

// day is a second in every ten minutes of a working day.
func day() (at []int64) {
	for second := int64(8 * 3600); second < 20*3600; second += 600 {
		at = append(at, second+7)
	}
	return at
}

// TestSpells: a spell of empty answers, whenever it begins and however long it
// is, does not turn an end exclusive, or inclusive.
func TestSpells(t *testing.T) {
	for _, exclusive := range []bool{false, true} {
		for begin := 1; begin <= 60; begin++ {
			for length := 1; length <= 8; length++ {
				f := examineAltered(t, exclusive, false, day(), func(n int, a *chat7.Answer) {
					if n >= begin && n < begin+length {
						a.Rows = nil
					}
				})
				what := fmt.Sprintf("%d empty answers from number %d: ", length, begin)
				if f.ExclusiveEnd != nil {
					is(t, what+"exclusive end", f.ExclusiveEnd, &exclusive, f)
				}
				if f.Additive != nil {
					is(t, what+"additive", f.Additive, yes, f)
				}
			}
		}
	}
}

// TestUnsteadyDay: where a day changes while it is examined, a count that was
// another one for a moment only is no sign of counts that do not add up.
func TestUnsteadyDay(t *testing.T) {
	alter := func(changes bool) func(int, *chat7.Answer) {
		return func(n int, a *chat7.Answer) {
			if n == 35 { // while the parts are asked for
				a.Rows = append(a.Rows, row(1, "moment"))
			}
			if changes && n >= 36 && len(a.Rows) > 0 {
				a.Rows = append(a.Rows, row(n, "late"))
			}
		}
	}
	f := examineAltered(t, false, false, day(), alter(true))
	is(t, "a day that changes: additive", f.Additive, nil, f)
	if !noted(f, "changed while they were compared") {
		t.Errorf("notes %q", f.Notes)
	}
	f = examineAltered(t, false, false, day(), alter(false))
	is(t, "a day that does not: additive", f.Additive, no, f)
}

// TestRepeatedRows: rows alike to the byte, each with its own count, are no
// sign of counts that do not add up, also where such rows are dropped. If
// there is little else, nothing is concluded.
func TestRepeatedRows(t *testing.T) {
	for _, c := range []struct {
		name  string
		sum   bool
		times int // of 10 parts of the rows, that are repeated
		want  *bool
	}{
		{"summed", true, 10, yes},
		{"dropped, all", false, 10, nil},
		{"dropped, some", false, 2, yes},
	} {
		f := examineAltered(t, false, c.sum, day(), func(_ int, a *chat7.Answer) {
			if len(a.Rows) == 0 {
				return
			}
			var told struct {
				N int `json:"interactions,string"`
			}
			if err := json.Unmarshal(a.Rows[0], &told); err != nil {
				t.Fatal(err)
			}
			a.Rows = nil
			if c.times < 10 {
				a.Rows = append(a.Rows, row(told.N*10, "plain"))
			}
			for range told.N * c.times {
				a.Rows = append(a.Rows, bytes.Clone(row(1, "repeated")))
			}
		})
		is(t, c.name+": additive", f.Additive, c.want, f)
	}
}
