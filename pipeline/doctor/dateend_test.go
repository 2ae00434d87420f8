package doctor_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"wolkpipe/pipeline/chat7"
	"wolkpipe/pipeline/doctor"
	"wolkpipe/pipeline/window"
)

// seconds is a source with an interaction at each of these.
type seconds struct {
	at        []window.Local
	exclusive bool
}

func (s seconds) Rows(_ context.Context, r window.Range, exclusive bool) (a chat7.Answer, _ error) {
	end := r.To - 1 // what is sent
	if exclusive {
		end++
	}
	n := 0
	for _, at := range s.at {
		if at >= r.From && (at < end || at == end && !s.exclusive) {
			n++
		}
	}
	if n > 0 {
		a.Rows = []json.RawMessage{fmt.Appendf(nil, `{"interactions":"%d","agent_name":"Ana","cod_act":"1"}`, n)}
	}
	return a, nil
}

func (seconds) TokenInfo(context.Context) (chat7.TokenInfo, error) {
	return chat7.TokenInfo{Limit: new(int64(1000)), Used: new(int64(3))}, nil
}

// TestDateEnd: on any interactions whatever, neighbours and the ends of days
// among them, the reading of date_end is found, and parts add up under it.
func TestDateEnd(t *testing.T) {
	zone, err := window.LoadZone("America/Bogota")
	if err != nil {
		t.Fatal(err)
	}
	day := zone.Local(monday).Date() - 5
	rapid.Check(t, func(t *rapid.T) {
		s := seconds{exclusive: rapid.Bool().Draw(t, "exclusive")}
		second := rapid.OneOf(rapid.Int64Range(0, 24*60*60-2), rapid.Int64Range(36000, 36010), rapid.SampledFrom([]int64{0, 1, 43199, 43200, 86397, 86398}))
		for _, at := range rapid.SliceOfN(second, 1, 40).Draw(t, "seconds") {
			s.at = append(s.at, day.Start()+window.Local(at))
		}
		f, err := doctor.Examine(t.Context(), s, doctor.Options{
			Zone: zone, Now: func() time.Time { return monday }, Random: rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "random"), 0)),
		})
		switch {
		case err != nil:
			t.Fatal(err)
		case f.ExclusiveEnd == nil || *f.ExclusiveEnd != s.exclusive:
			t.Fatalf("exclusive end %v, want %v: %q", f.ExclusiveEnd, s.exclusive, f.Notes)
		case f.Additive != nil && !*f.Additive:
			t.Fatalf("counts do not add up: %q", f.Notes)
		case f.Calls > 60:
			t.Fatalf("%d calls", f.Calls)
		case f.Interactions != int64(len(s.at)):
			t.Fatalf("%d interactions, want %d", f.Interactions, len(s.at))
		case f.ClockSkew != nil:
			t.Fatal("a clock was compared that nobody told")
		}
	})
}

// TestLastSecond: where the end is left out, the last second of a day is in no
// answer that is asked for in the other form; that is no failure.
func TestLastSecond(t *testing.T) {
	zone, err := window.LoadZone("America/Bogota")
	if err != nil {
		t.Fatal(err)
	}
	last := (zone.Local(monday).Date() - 5).End() - 1
	f, err := doctor.Examine(t.Context(), seconds{[]window.Local{last, last}, true},
		doctor.Options{Zone: zone, Now: func() time.Time { return monday }})
	if err != nil || f.ExclusiveEnd != nil || f.Additive != nil || len(f.Notes) == 0 {
		t.Errorf("error %v, finding %+v", err, f)
	}
}
