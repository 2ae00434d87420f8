package compare

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"wolkpipe/pipeline/window"
)

// tb is what testing and rapid have in common.
type tb interface {
	Helper()
	Fatalf(format string, args ...any)
}

var monday = window.DateOf(2026, 6, 1)

// windowsOf are the windows of some days.
func windowsOf(t tb, place string, from window.Date, days int, length time.Duration) []window.Window {
	t.Helper()
	g, err := window.NewGrid(length)
	if err != nil {
		t.Fatalf("%v", err)
	}
	z, err := window.LoadZone(place)
	if err != nil {
		t.Fatalf("%v", err)
	}
	var all []window.Window
	for d := from; d < from+window.Date(days); d++ {
		all = append(all, z.Windows(d, g)...)
	}
	return all
}

// outcome is how a comparison went.
type outcome struct {
	asked     []window.Range
	results   map[int]Result
	confirmed map[window.Date]bool
	stats     Stats
}

// drive runs a comparison to its end, and checks what holds however it is
// answered: ranges lie within runs and months, none is asked for twice, there
// are at most two calls to a window, every window that was asked for is told.
func drive(t tb, m *model, o Options, ask func(window.Range) (Answer, bool)) outcome {
	t.Helper()
	c, err := New(m.known(), o)
	if err != nil {
		t.Fatalf("%v", err)
	}
	out := outcome{results: map[int]Result{}, confirmed: map[window.Date]bool{}}
	seen := map[window.Range]bool{}
	failed := 0
	var before []window.Date
	for {
		r, ok := c.Next()
		if again, _ := c.Next(); again != r {
			t.Fatalf("Next gives %v, then %v", r, again)
		}
		if !ok {
			break
		}
		first, last := m.bounds(r)
		if first >= last || m.windows[first].From != r.From || m.windows[last-1].To != r.To {
			t.Fatalf("asks for %v, whose bounds are not those of windows", r)
		}
		for i := first + 1; i < last; i++ {
			if !contiguous(m.windows[i-1], m.windows[i]) {
				t.Fatalf("asks for %v across a gap", r)
			}
		}
		if a, _ := r.From.Date().Month(); last-first > 1 && r.To > monthEnd(a) {
			t.Fatalf("asks for %v across months", r)
		}
		if seen[r] {
			t.Fatalf("asks for %v twice", r)
		}
		seen[r] = true
		if out.asked = append(out.asked, r); len(out.asked) > 2*len(m.windows) {
			t.Fatalf("%d calls for %d windows", len(out.asked), len(m.windows))
		}
		if a, ok := ask(r); ok {
			c.Answered(r, a)
			if got := c.Take(); last-first == 1 {
				if len(got) != 1 || got[0].Window != m.windows[first] || fmt.Sprint(got[0].Rows) != fmt.Sprint(a.Rows) {
					t.Fatalf("the answer for %v gives %v", r, got)
				}
				out.results[first] = got[0]
			} else if len(got) > 0 {
				t.Fatalf("the answer for %v, several windows, gives %v", r, got)
			}
		} else if failed++; !c.Failed(r) {
			t.Fatalf("the test fails the single window %v", r)
		}
		after := c.Confirmed()
		for _, d := range before {
			if !slices.Contains(after, d) {
				t.Fatalf("%v was confirmed, and is not after %v", d, r)
			}
		}
		before = after
	}
	out.stats = c.Stats()
	if out.stats.Asked != len(out.asked) || out.stats.Direct != len(out.results) {
		t.Fatalf("after %d calls, %d of them for single windows: %+v", len(out.asked), len(out.results), out.stats)
	}
	for _, d := range c.Confirmed() {
		out.confirmed[d] = true
	}
	return out
}

func monthEnd(d window.Date) window.Local {
	_, next := d.Month()
	return next.Start()
}

// run drives a comparison of an additive source.
func (m *model) run(t *testing.T) outcome {
	t.Helper()
	return drive(t, m, Options{Additive: true}, m.ask)
}

// story tells in short what was asked: the numbers of first and last windows.
func (m *model) story(out outcome) string {
	var s []string
	for _, r := range out.asked {
		first, last := m.bounds(r)
		if last-first == 1 {
			s = append(s, fmt.Sprint(first))
		} else {
			s = append(s, fmt.Sprintf("%d-%d", first, last-1))
		}
	}
	return strings.Join(s, " ")
}
