package descend

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"time"

	"wolkpipe/pipeline/window"
)

// tb is what testing and rapid have in common.
type tb interface {
	Helper()
	Fatalf(format string, args ...any)
}

func zone(t tb, name string) window.Zone {
	t.Helper()
	z, err := window.LoadZone(name)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return z
}

// windowsOf are the windows of some days.
func windowsOf(t tb, place string, from window.Date, days int, length time.Duration) []window.Window {
	t.Helper()
	g, err := window.NewGrid(length)
	if err != nil {
		t.Fatalf("%v", err)
	}
	var all []window.Window
	for d := from; d < from+window.Date(days); d++ {
		all = append(all, zone(t, place).Windows(d, g)...)
	}
	return all
}

// answerOf makes an answer of counts, a row for each key.
func answerOf(c counts) Answer {
	a := Answer{Counts: maps.Clone(c), Usable: true, Rows: c.rows(nil)}
	for _, n := range c {
		a.Total += n
	}
	return a
}

// read is answerOf's inverse.
func read(t tb, rows []json.RawMessage) counts {
	t.Helper()
	c := counts{}
	for _, raw := range rows {
		var row struct {
			Interactions string `json:"interactions"`
			Agent        string `json:"agent_name"`
			Code         string `json:"cod_act"`
		}
		if err := json.Unmarshal(raw, &row); err != nil {
			t.Fatalf("row %s: %v", raw, err)
		}
		n, err := strconv.ParseInt(row.Interactions, 10, 64)
		if err != nil || n <= 0 {
			t.Fatalf("row %s counts %d: %v", raw, n, err)
		}
		c[Key{row.Agent, row.Code}] += n
	}
	return c
}

// source answers for a range; ok is false where that is too much.
type source func(r window.Range) (a Answer, ok bool)

// outcome is how a descent went.
type outcome struct {
	windows map[window.Local]Result
	calls   int
	asked   map[window.Range]int // 1: empty, once
	stats   Stats
	gaveUp  bool // a run was asked for window by window in the end
}

// drive runs a descent to its end and checks what holds however it is
// answered: ranges lie within runs, every window is established once, there
// are at most two calls to a window, results rest on answers that were given.
func drive(t tb, windows []window.Window, o Options, ask source) outcome {
	t.Helper()
	most := mostOf(windows)
	d, err := New(windows, o)
	if err != nil {
		t.Fatalf("%v", err)
	}
	out := outcome{windows: map[window.Local]Result{}, asked: map[window.Range]int{}}
	starts, ends := map[window.Local]int{}, map[window.Local]int{}
	for i, w := range windows {
		starts[w.From], ends[w.To] = i, i
	}
	for {
		r, ok := d.Next()
		if again, _ := d.Next(); again != r {
			t.Fatalf("Next gives %v, then %v", r, again)
		}
		if !ok {
			break
		}
		first, ok1 := starts[r.From]
		last, ok2 := ends[r.To]
		if !ok1 || !ok2 || first > last {
			t.Fatalf("asks for %v, whose bounds are not those of windows", r)
		}
		for i := first + 1; i <= last; i++ {
			if !contiguous(windows[i-1], windows[i]) {
				t.Fatalf("asks for %v across a gap", r)
			}
		}
		if month(windows[first]) != month(windows[last]) {
			t.Fatalf("asks for %v across months", r)
		}
		known := true
		for i := first; i <= last; i++ {
			_, done := out.windows[windows[i].From]
			known = known && done
		}
		if known {
			t.Fatalf("asks for %v, all of which is established", r)
		}
		if l, ok := d.top().(*list); ok && l.last {
			out.gaveUp = true
		}
		out.calls++
		if again, ok := out.asked[r]; ok && again != 1 {
			t.Fatalf("asks again for %v, which had rows or was asked twice", r)
		}
		out.asked[r]++
		if out.calls > most {
			t.Fatalf("%d calls for %d windows", out.calls, len(windows))
		}
		if a, ok := ask(r); ok {
			if len(a.Rows) > 0 {
				out.asked[r] += 2
			}
			d.Answered(r, a)
		} else if !d.Failed(r) {
			t.Fatalf("the test fails the single window %v", r)
		}
		for _, res := range d.Take() {
			if _, twice := out.windows[res.Window.From]; twice {
				t.Fatalf("window %v is established twice", res.Window.Range)
			}
			if i, ok := starts[res.Window.From]; !ok || windows[i] != res.Window {
				t.Fatalf("window %v is none of those wanted", res.Window.Range)
			}
			if res.Answer < 1 || res.Answer > out.calls {
				t.Fatalf("window %v rests on answer %d of %d", res.Window.Range, res.Answer, out.calls)
			}
			if (res.Method == Empty) && len(res.Rows) > 0 || res.Method == Direct && len(res.Rows) == 0 {
				t.Fatalf("window %v is %s with %d rows", res.Window.Range, res.Method, len(res.Rows))
			}
			out.windows[res.Window.From] = res
		}
	}
	out.stats = d.Stats()
	if len(out.windows) != len(windows) || out.stats.Left != 0 || out.stats.Asked != out.calls {
		t.Fatalf("%d of %d windows established, after %d calls: %+v", len(out.windows), len(windows), out.calls, out.stats)
	}
	return out
}

// methods counts windows by method, rows or none.
func (o outcome) methods() string {
	n := map[string]int{}
	for _, r := range o.windows {
		name := string(r.Method)
		if r.Method == Derived && len(r.Rows) == 0 {
			name = "derived zero"
		}
		n[name]++
	}
	return fmt.Sprintf("%d direct, %d derived, %d derived as nothing, %d empty", n["direct"], n["derived"], n["derived zero"], n["empty"])
}

// mostOf is the bound that Most gives for windows, run by run.
func mostOf(windows []window.Window) (most int) {
	for from, i := 0, 1; i <= len(windows); i++ {
		if i == len(windows) || !contiguous(windows[i-1], windows[i]) || month(windows[i]) != month(windows[from]) {
			most += Most(i - from)
			from = i
		}
	}
	return most
}
