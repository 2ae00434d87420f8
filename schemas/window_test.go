package schemas

import (
	"cmp"
	"testing"

	"pgregory.net/rapid"
)

func TestRowCompare(t *testing.T) {
	name := rapid.SampledFrom([]string{"", "A", "a", "ab", "é", "-", "0012", "12"})
	row := rapid.Custom(func(t *rapid.T) Row {
		return Row{Agent: name.Draw(t, "agent"), Code: name.Draw(t, "code"), Interactions: rapid.Int64().Draw(t, "n")}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := row.Draw(t, "a"), row.Draw(t, "b")
		want := cmp.Or(cmp.Compare(a.Agent, b.Agent), cmp.Compare(a.Code, b.Code))
		if got := a.Compare(b); got != want || b.Compare(a) != -want {
			t.Fatalf("%+v to %+v is %d, and back %d; want %d", a, b, got, b.Compare(a), want)
		}
	})
}

func TestWindowInteractions(t *testing.T) {
	w := Window{Rows: []Row{{Interactions: 2}, {Code: "a", Interactions: 5}}}
	if w.Interactions() != 7 || (&Window{}).Interactions() != 0 {
		t.Errorf("totals %d and %d, want 7 and 0", w.Interactions(), (&Window{}).Interactions())
	}
}
