package events

import (
	"fmt"
	"testing"
	"time"

	"wolkpipe/schemas"
)

// year2099 is when nobody can have observed anything.
var year2099 = time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)

// the time of the tests: hours after the journal's observations.
func now() time.Time { return time.Date(2026, 11, 3, 0, 0, 0, 0, time.UTC) }

func TestDamage(t *testing.T) {
	url, js := newStream(t)
	future := func(r *rig) {
		w := window(0, 9)
		id, event, err := schemas.NewWindow(schemas.WindowData{
			Operation: r.key.Operation, Day: r.key.Day, WindowStart: w.Start, WindowEnd: w.End, WindowLocal: w.Local,
			Revision: 40, Method: schemas.Direct, ObservedAt: year2099, Cause: schemas.Live,
			RowCount: 1, Interactions: 9, Rows: w.Rows, Part: 1, Parts: 1,
		})
		if err != nil {
			t.Fatal(err)
		}
		r.forge(schemas.WindowSubject(r.key.Operation, r.key.Day), id, event)
	}
	for i, c := range []struct {
		name   string
		damage func(r *rig)
		kinds  string // found
		alone  bool   // the normal convergence mends it
	}{
		{"purged", func(r *rig) { r.purge(".>") }, "counted missing", true},
		{"row events purged", func(r *rig) { r.purge(".row.>") }, "counted", false},
		{"window events purged", func(r *rig) { r.purge(".window.>") }, "counted missing", false},
		{"window and day events purged", func(r *rig) { r.purge(".window.>"); r.purge(".day.>") }, "counted missing", false},
		{"all but the last of row events lost", func(r *rig) {
			all := r.ofType(".row.>")
			r.remove(all[:len(all)-1]...)
		}, "counted", false},
		{"sums right, the latest lost", func(r *rig) {
			// 3, 5, 8, 5, 3: without the fall to 3 and the rise to 5 before it
			// the sum is 3 and the latest event says 5.
			all := r.ofType(".row.0")
			var deltas []uint64
			for _, m := range readAll(r.t, js, "chat7.events."+r.key.Operation+".row.0") {
				d := decode[schemas.Event[schemas.RowData]](r.t, m.data).Data
				if d.WindowLocal == window(0).Local {
					deltas = append(deltas, m.seq)
				}
			}
			if len(deltas) != 5 || len(all) < 5 {
				t.Fatalf("the history has %d events of the row", len(deltas))
			}
			r.remove(deltas[1], deltas[4])
		}, "counted", false},
		{"a row in a window", func(r *rig) { r.forgeRow(window(0), "Nobody", 4, 1, window(0).ObservedAt) }, "counted", false},
		{"a row from the future", func(r *rig) { r.forgeRow(window(0), "Nobody", 4, 70, year2099) }, "counted flawed", false},
		{"a row of a row there is, from the future", func(r *rig) { r.forgeRow(window(1), "Agente 00000", 4, 70, year2099) }, "counted flawed", false},
		{"a row whose delta is 0", func(r *rig) { r.forgeRow(window(1), "Nobody", 0, 70, window(0).ObservedAt) }, "flawed", false},
		{"rows of a window outside of the grid", func(r *rig) {
			w := window(1)
			w.Local = "2026-11-01T00:07:31"
			r.forgeRow(w, "Nobody", 4, 1, now())
			r.forgeRow(w, "No one", -4, 1<<40, year2099)
		}, "stray", false},
		{"a window event from the future", future, "counted recorded", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, url, js, fmt.Sprint("alone", i))
			c.damage(r)
			awaitForgotten(t, js)
			r.converge(openSink(t, url))
			if left, _ := r.audit(openSink(t, url)); (len(left) == 0) != c.alone {
				t.Errorf("after the normal convergence there differ %q", left)
			}

			r = newRig(t, url, js, fmt.Sprint("op", i))
			s := openSink(t, url)
			s.now = now
			r.converge(s) // what is cached is what was there
			c.damage(r)
			differences, _ := r.audit(s)
			if got := kinds(differences); got != c.kinds {
				t.Errorf("%s is found, want %s:\n%q", got, c.kinds, differences)
			}
			r.mended(s)
			r.goesOn(s)
		})
	}
}
