package events

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"wolkpipe/sinks"
)

func kinds(all []sinks.Difference) string {
	var names []string
	for _, d := range all {
		if !slices.Contains(names, string(d.Kind)) {
			names = append(names, string(d.Kind))
		}
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func TestAuditOfWhatIsRight(t *testing.T) {
	url, js := newStream(t)
	r := newRig(t, url, js, "ventas")
	newRig(t, url, js, "ventas-2")
	s := openSink(t, url)
	before := consume(t, js, "ventas", 0)
	differences, found := r.audit(s)
	if len(differences) > 0 || len(found.Windows) != 4 || found.RowsExpire {
		t.Errorf("%q differ in %d windows", differences, len(found.Windows))
	}
	for local, w := range found.Windows {
		if !w.Whole() {
			t.Errorf("window %s is not whole: %+v", local, w)
		}
	}
	r.mended(s)
	if after := consume(t, js, "ventas", 0); after.last != before.last {
		t.Error("mending what is right told something")
	}
	r.goesOn(s)

	none, err := s.Audit(t.Context(), "ventas", []string{"2026-10-31", "2026-11-02"})
	if err != nil || len(none) != 2 || len(none["2026-10-31"].Windows) != 0 {
		t.Errorf("days that were never told are %+v, %v", none, err)
	}
	for _, bad := range [][2]string{{"a.b", "2026-11-01"}, {"ventas", "*"}} {
		if _, err := s.Audit(t.Context(), bad[0], []string{bad[1]}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// Each single message of the history is deleted. Convergence alone mends the
// loss of a window's last event, for what it then tells again has the ids of
// what is there; it never sees that a row event is gone.
func TestEachMessageDeleted(t *testing.T) {
	url, js := newStream(t)
	counted := map[string]int{}
	for i := range newRig(t, url, js, "history").seqs {
		r := newRig(t, url, js, fmt.Sprint("op", i))
		s := openSink(t, url)
		m, err := s.at(t.Context(), r.seqs[i])
		if err != nil {
			t.Fatal(err)
		}
		r.remove(r.seqs[i])
		differences, _ := r.audit(s)
		awaitForgotten(t, js)
		r.converge(openSink(t, url))
		left, _ := r.audit(s)
		fate := "found"
		switch {
		case len(differences) == 0:
			fate = "of no matter"
		case len(left) == 0:
			fate = "mended alone"
		}
		counted[strings.Split(m.subject, ".")[3]+" "+fate]++
		r.mended(s)
		r.goesOn(s)
	}
	// Those of no matter were replaced by a later window or day event.
	want := map[string]int{"row found": 16, "window of no matter": 7, "window mended alone": 4, "day of no matter": 1, "day mended alone": 1}
	if t.Log(counted); !maps.Equal(counted, want) {
		t.Errorf("the messages deleted are %v, want %v", counted, want)
	}
}

// An audit while others tell is of one moment, in which every batch is whole.
func TestAuditIsOfOneMoment(t *testing.T) {
	url, js := newStream(t)
	r := newRig(t, url, js, "ventas")
	writer, s := openSink(t, url), openSink(t, url)
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		for v := 1; ; v++ {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			r.observe(window(0, int64(v)), window(5, 1, int64(v), 1), window(v%40+6, 2))
			if _, _, err := sinks.Converge(t.Context(), writer, r.source, r.key); err != nil {
				done <- err
				return
			}
		}
	}()
	for range 40 {
		_, found := r.audit(s)
		for local, w := range found.Windows {
			if !w.Whole() {
				t.Errorf("window %s is read as %+v, its record is %+v", local, w, w.Record)
			}
		}
	}
	close(stop)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
