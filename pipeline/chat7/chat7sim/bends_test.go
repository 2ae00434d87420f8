package chat7sim_test

import (
	"slices"
	"testing"
	"time"

	"wolkpipe/pipeline/chat7/chat7sim"
	"wolkpipe/pipeline/window"
)

func TestExclusiveEnd(t *testing.T) {
	c := at("2026-11-12T15:00:00Z")
	sim := newSim(t, only(4000, chat7sim.Faults{ExclusiveEnd: true}), 1, c)
	differ := 0
	r := span(t, "2026-11-10T10:00:00", "2026-11-10T10:00:30")
	for range 200 {
		if d := patient(t, sim, "sim-ventas", r); !same(d.counts, sim.Truth("ventas", window.Range{From: r.From, To: r.To - 1})) {
			t.Fatalf("%v: %v", r, d.counts)
		} else if !same(d.counts, sim.Truth("ventas", r)) {
			differ++
		}
		r = window.Range{From: r.To, To: r.To + 30}
	}
	if differ == 0 {
		t.Error("no range had an interaction in its last second")
	}
}

func TestRowCap(t *testing.T) {
	c := at("2026-11-12T15:00:00Z")
	day := span(t, "2026-11-10T00:00:00", "2026-11-11T00:00:00")
	cut := mustDecode(t, ask(newSim(t, only(4000, chat7sim.Scenarios()["row-cap"].Faults), 1, c), "sim-ventas", day))
	if cut.rows != 40 {
		t.Errorf("%d rows", cut.rows)
	}
	if a := ask(newSim(t, only(4000, chat7sim.Scenarios()["row-cap-refused"].Faults), 1, c), "sim-ventas", day); a.status != 400 {
		t.Errorf("HTTP %d", a.status)
	}
	short := newSim(t, only(4000, chat7sim.Scenarios()["short-ranges"].Faults), 1, c)
	if a, b := ask(short, "sim-ventas", day), ask(short, "sim-ventas", window.Range{From: day.From, To: day.To + 1}); a.status != 200 || b.status != 400 {
		t.Errorf("a day: HTTP %d, a second more: %d", a.status, b.status)
	}
}

func TestEmptyAfterEnd(t *testing.T) {
	c := at("2026-11-12T05:10:00Z")
	c.add(-time.Nanosecond) // ten minutes after the day, but for a moment
	f := chat7sim.Scenarios()["empty-after-end"].Faults
	sim := newSim(t, only(1000, f), 1, c)
	lies := 0
	last := span(t, "2026-11-11T16:00:00", "2026-11-12T00:00:00")
	var lying []window.Range
	for range 300 {
		a, b := mustDecode(t, ask(sim, "sim-ventas", last)), mustDecode(t, ask(sim, "sim-ventas", last))
		if a.empty != b.empty {
			t.Fatalf("%v: empty now and not a moment later", last)
		}
		if a.empty {
			lies++
			lying = append(lying, last)
		}
		last.From++
	}
	if lies < 50 || lies > 150 {
		t.Errorf("%d of 300 ranges lie, of a share of 0.3", lies)
	}
	if n := sim.Stats().Operations["ventas"].Calls["chat_7"][chat7sim.FalseEmpty]; n != int64(2*lies) {
		t.Errorf("%d false answers counted of %d", n, 2*lies)
	}
	c.add(time.Nanosecond)
	for _, r := range lying {
		if d := mustDecode(t, ask(sim, "sim-ventas", r)); !same(d.counts, sim.Truth("ventas", r)) {
			t.Fatalf("%v is still not told", r)
		}
	}
}

func TestEmptySpells(t *testing.T) {
	c := at("2026-11-12T15:00:00Z")
	sim := newSim(t, only(400, chat7sim.Scenarios()["empty-spells"].Faults), 1, c)
	r := span(t, "2026-11-10T10:00:00", "2026-11-10T11:00:00")
	var empties []int
	for minute := range 10 * 60 {
		if mustDecode(t, ask(sim, "sim-ventas", r)).empty {
			empties = append(empties, minute)
		}
		c.add(time.Minute)
	}
	if len(empties) != 50 { // ten spells of five minutes
		t.Errorf("empty in %d of 600 minutes: %v", len(empties), empties)
	}
	if starts := slices.Compact(slices.Clone(empties)); len(starts) > 0 && starts[0]%60 == starts[5]%60 && starts[5]%60 == starts[10]%60 {
		t.Errorf("spells begin by the clock: %v", empties)
	}
}

func TestWhatIsLateComes(t *testing.T) {
	r := span(t, "2026-11-10T10:00:00", "2026-11-10T12:00:00")
	for _, name := range []string{"late", "recoded", "deleted"} {
		c := at("2026-11-10T17:00:00Z") // the end of the range
		sim := newSim(t, only(3000, chat7sim.Scenarios()[name].Faults), 1, c)
		final := sim.Final("ventas", r)
		if same(sim.Truth("ventas", r), final) {
			t.Errorf("%s: nothing is late", name)
		}
		moved := 0
		for before := sim.Truth("ventas", r); c.now().Before(at("2026-11-10T21:00:00Z").now()); c.add(4 * time.Minute) {
			now := sim.Truth("ventas", r)
			if !same(before, now) {
				moved++
			}
			switch n, m := sum(before), sum(now); {
			case name == "late" && m < n, name == "deleted" && m > n, name == "recoded" && m != n:
				t.Fatalf("%s: from %d to %d", name, n, m)
			}
			if d := mustDecode(t, ask(sim, "sim-ventas", r)); !same(d.counts, now) {
				t.Fatalf("%s at %v: answered %v, in truth %v", name, c.now(), d.counts, now)
			}
			before = now
		}
		if moved < 3 {
			t.Errorf("%s: the truth moved %d times", name, moved)
		}
		if !same(sim.Truth("ventas", r), final) {
			t.Errorf("%s: it never became final", name)
		}
	}
}

func TestSharedDoesNotAddUp(t *testing.T) {
	c := at("2026-11-12T15:00:00Z")
	sim := newSim(t, only(4000, chat7sim.Scenarios()["shared"].Faults), 1, c)
	whole := span(t, "2026-11-10T00:00:00", "2026-11-11T00:00:00")
	left, right := span(t, "2026-11-10T00:00:00", "2026-11-10T14:00:00"), span(t, "2026-11-10T14:00:00", "2026-11-11T00:00:00")
	all, a, b := sim.Truth("ventas", whole), sim.Truth("ventas", left), sim.Truth("ventas", right)
	if sum(a)+sum(b) <= sum(all) {
		t.Errorf("%d and %d add up to %d", sum(a), sum(b), sum(all))
	}
	honest := newSim(t, only(4000, chat7sim.Faults{}), 1, c)
	if !same(all, honest.Truth("ventas", whole)) || !same(b, honest.Truth("ventas", right)) {
		t.Error("what is closed in a range is counted as it is without the fault")
	}
	for _, r := range []window.Range{whole, left, right} {
		if d := mustDecode(t, ask(sim, "sim-ventas", r)); !same(d.counts, sim.Truth("ventas", r)) {
			t.Errorf("%v: not the truth", r)
		}
	}
}
