package lease

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// world is several processes, their source, and the true time.
type world struct {
	t     *testing.T
	rapid *rapid.T
	token string
	limit int64
	now   time.Time
	procs []*member
	late  []swap // swaps that NATS has not seen yet
	sent  []sent // calls at the source, in the order of time
}

// sent is a call that the source worked on.
type sent struct{ from, to time.Time }

type member struct {
	process
	owner string
	call  *Call
	sent  int // number of the call at the source; -1: not sent
}

func (w *world) start(owner string, c *clock) *member {
	return &member{process: startWith(w.t, owner, c, w.token, w.limit), owner: owner, sent: -1}
}

// advance lets time pass; every clock runs up to 1% fast or slow, and stays
// within 50 s of the truth.
func (w *world) advance() { w.drawAdvance()() }

// drawAdvance decides on an advance that comes later, maybe in a goroutine
// that may not draw.
func (w *world) drawAdvance() func() {
	d := rapid.SampledFrom([]time.Duration{time.Second, 4 * time.Second, 11 * time.Second, 13 * time.Second, 45 * time.Second,
		61 * time.Second, 71 * time.Second, 10 * time.Minute, 5 * time.Hour}).Draw(w.rapid, "time")
	wrong := make([]time.Duration, len(w.procs))
	for i := range wrong {
		wrong[i] = time.Duration(rapid.Int64Range(-int64(d/100), int64(d/100)).Draw(w.rapid, fmt.Sprint("drift ", i)))
	}
	return func() {
		w.now = w.now.Add(d)
		for i, m := range w.procs {
			const most = 50 * time.Second
			next := m.clock.Now().Add(d + wrong[i])
			if next.After(w.now.Add(most)) {
				next = w.now.Add(most)
			}
			if next.Before(w.now.Add(-most)) {
				next = w.now.Add(-most)
			}
			m.advance(next.Sub(m.clock.Now()))
		}
	}
}

// fault makes something happen to the next swap of m.
func (w *world) fault(m *member) {
	once := func(do func(swap) (uint64, error)) {
		m.nats.swap = func(s swap) (uint64, error) {
			m.nats.swap = nil
			return do(s)
		}
	}
	switch rapid.IntRange(0, 4).Draw(w.rapid, "fault") {
	case 0: // the answer is lost
		once(func(do swap) (uint64, error) {
			_, _ = do(context.Background())
			return 0, errLost
		})
	case 1: // the request is lost
		once(func(swap) (uint64, error) { return 0, errLost })
	case 2: // the request comes later
		once(func(do swap) (uint64, error) {
			w.late = append(w.late, do)
			return 0, errLost
		})
	case 3: // m is stopped between read and swap
		m.nats.before = w.drawAdvance()
	case 4: // somebody else is faster
		other, kind := w.member(), w.kind()
		m.nats.before = func() {
			if other != m && other.call == nil && other.nats.before == nil && slices.Contains(w.procs, other) {
				w.enter(other, kind)
			}
		}
	}
}

func (w *world) member() *member { return rapid.SampledFrom(w.procs).Draw(w.rapid, "process") }

func (w *world) kind() Kind {
	return Kind(rapid.IntRange(int(Live), int(Backfill)).Draw(w.rapid, "kind"))
}

func (w *world) enter(m *member, kind Kind) {
	m.call, m.sent = m.try(w.t, Ask{Kind: kind}), -1
}

// send is what the source sees, and where the laws are checked.
func (w *world) send(m *member) {
	if m.call == nil || m.sent >= 0 || !m.call.MaySend() {
		return
	}
	for _, s := range w.sent {
		if s.to.After(w.now) {
			w.rapid.Fatalf("%s calls at %v while the source works on the call of %v until %v", m.owner, w.now, s.from, s.to)
		}
	}
	m.sent = len(w.sent)
	w.sent = append(w.sent, sent{w.now, w.now.Add(sourceTime)})
	n := int64(0)
	for _, s := range w.sent {
		if w.now.Sub(s.from) < day {
			n++
		}
	}
	if n > w.limit {
		w.rapid.Fatalf("%d calls in 24 hours, the quota is %d", n, w.limit)
	}
}

func (w *world) done(m *member) {
	if m.call == nil {
		return
	}
	o := Outcome{}
	if rapid.Bool().Draw(w.rapid, "answered") {
		o.Ended = true
		if m.sent >= 0 {
			o.Granted = true
			if s := &w.sent[m.sent]; s.to.After(w.now) {
				s.to = w.now // it was quicker
			}
		}
	}
	m.call.Done(o)
	m.call = nil
}

// act does one thing.
func (w *world) act() {
	m := w.member()
	switch rapid.IntRange(0, 11).Draw(w.rapid, "act") {
	case 0, 1, 2:
		w.advance()
	case 3:
		if m.call == nil {
			w.enter(m, w.kind())
		}
	case 4, 5, 6:
		if m.call == nil {
			w.enter(m, w.kind())
			w.send(m)
		}
	case 7:
		w.send(m)
	case 8, 9:
		w.done(m)
	case 10:
		w.fault(m)
	case 11:
		switch rapid.IntRange(0, 3).Draw(w.rapid, "end") {
		case 0: // killed, and started again
			w.procs[slices.Index(w.procs, m)] = w.start(m.owner, m.clock)
		case 1:
			m.close()
			w.procs[slices.Index(w.procs, m)] = w.start(m.owner, m.clock)
		case 2: // what was late arrives
			for _, do := range w.late {
				_, _ = do(context.Background())
			}
			w.late = nil
		}
	}
}

// TestProcessesShareAToken holds the two laws: calls never overlap at the
// source, and no 24 hours hold more than the quota, whatever processes,
// clocks and NATS do.
func TestProcessesShareAToken(t *testing.T) {
	var run atomic.Int64
	rapid.Check(t, func(rt *rapid.T) {
		w := &world{t: t, rapid: rt, token: fmt.Sprint(t.Name(), run.Add(1), time.Now()), now: noon,
			limit: rapid.SampledFrom([]int64{2, 5, 1000}).Draw(rt, "limit")}
		for i := range 3 {
			w.procs = append(w.procs, w.start(string(rune('a'+i)), newClock()))
		}
		for range 80 {
			w.act()
		}

		// Whatever happened, with nothing in the way calls can be had again.
		for _, m := range w.procs {
			m.nats.swap, m.nats.before = nil, nil
			w.done(m)
		}
		if w.limit == 1000 {
			for _, m := range w.procs {
				took, call := m.passes(t, Ask{Kind: Backfill})
				if most := openTime + idleTime + offerTime + 3*driftTime; took > most {
					rt.Fatalf("%s is let in after %v, want %v at most", m.owner, took, most)
				}
				call.Done(Outcome{Ended: true})
			}
		}
	})
}
