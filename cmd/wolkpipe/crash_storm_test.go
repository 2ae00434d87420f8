package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"wolkpipe/pipeline"
	"wolkpipe/pipeline/chat7/chat7sim"
)

// storm is a site whose daemon is killed again and again, amid faults. What it
// does follows from its seed; what comes of that, from the machine's timing too.
type storm struct {
	*site
	rng   *rand.Rand
	seed  uint64
	kills int      // to be made
	more  []string // of the configuration
	day   time.Time

	kill   func(*process)             // what stands for a kill; nil: SIGKILL
	began  func(*process)             // told of each process; may be nil
	fetch  func()                     // brings the lake to data/lake before it is read; may be nil
	judged func(*outside, *judgement) // looks at more; may be nil
	left   func()                     // ends a fault that outlived its process
	open   int                        // calls that kills left open at the source
	procs  []*process                 // all that were started
	quit   int                        // processes that ended by themselves, before they ran
	report map[string]*struck         // by fault
	all    *struck
}

// fault is something that happens around a kill.
type fault struct {
	name     string
	begin    func(*rand.Rand) (end func()) // nil: nothing but the kill
	outlives bool                          // the process, always; others do at times
}

// grid is that of all days.
const grid = 10 * time.Minute

// killsARound is how many kills there are before all is compared.
const killsARound = 7

// newStorm makes everything but the processes.
func newStorm(t *testing.T, kills uint64) *storm {
	t.Helper()
	if testing.Short() {
		kills = min(kills, 4)
	}
	s := &storm{
		kills: int(number(t, "WOLKPIPE_TEST_KILLS", kills)), seed: number(t, "WOLKPIPE_TEST_SEED", 1),
		day: time.Date(2026, 9, 7, 0, 0, 0, 0, time.UTC), report: map[string]*struck{}, all: &struck{},
	}
	s.rng = rand.New(rand.NewPCG(s.seed, 0))
	s.site, _ = quickSite(t, time.Date(2026, 9, 7, 15, 0, 0, 0, time.UTC), 100, chat7sim.Options{Seed: s.seed, Scenario: unsteady()})
	s.kill = (*process).kill
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("once more: WOLKPIPE_TEST_SEED=%d WOLKPIPE_TEST_KILLS=%d go test -count=1 -v -timeout 1h -run '^%s$' ./cmd/wolkpipe",
				s.seed, s.kills, t.Name())
		}
	})
	return s
}

func (s *storm) since() string { return s.day.Format(time.DateOnly) }

// weather makes the kills, a round after the other. Faults come one kind in a
// round where there are kills enough for all of them, else mixed. Each round
// wants one day more, into the past: from the day before the clock change of
// America/Santiago.
func (s *storm) weather(faults []*fault) {
	s.t.Helper()
	s.t.Logf("%d kills, seed %d", s.kills, s.seed)
	s.day = s.day.AddDate(0, 0, -1)
	order := s.rng.Perm(len(faults))
	themes := s.kills >= killsARound*len(faults)
	for made, round := 0, 0; made < s.kills; round++ {
		s.day = s.day.AddDate(0, 0, -1)
		struck := map[string]bool{}
		// The last round takes what would be too little for one of its own.
		n := min(killsARound, s.kills-made)
		if rest := s.kills - made - n; rest < killsARound/2 {
			n += rest
		}
		for range n {
			f := faults[order[made%len(order)]]
			if themes {
				f = faults[order[round%len(order)]]
			}
			struck[f.name] = true
			s.strike(made, f)
			made++
		}
		s.converge(slices.Sorted(maps.Keys(struck)))
		if s.t.Failed() {
			break // what follows would only repeat it
		}
	}
	s.t.Logf("%d calls were open at the source when the daemon was killed; %d daemons gave up in their start, for want of NATS; %d windows in the end",
		s.open, s.quit, s.all.latest)
	s.t.Log("\n" + s.table())
}

// strike starts the daemon, lets it come to wherever it comes, and kills it.
func (s *storm) strike(number int, f *fault) {
	s.t.Helper()
	before := s.calls()
	p := s.launch()
	if s.left != nil {
		s.pause(0, 400)
		s.left()
		s.left = nil
	}
	if number%4 == 0 { // in the start, wherever it is
		s.pause(0, 400)
	} else {
		s.some(p, before+1+s.rng.Int64N(60))
		s.pause(5, 300)
	}
	end := func() {}
	if f.begin != nil {
		end = f.begin(s.rng)
		s.pause(5, 500)
	}
	over := !f.outlives && s.rng.IntN(3) == 0
	if over {
		end()
	}
	s.pause(0, 300)
	s.gaveUp(p)
	s.kill(p)
	s.record(f.name).times++
	for _, token := range s.sim.Stats().Tokens {
		s.open += token.InFlight
	}
	if !over && (f.outlives || s.rng.IntN(2) == 0) {
		s.left = end
	} else if !over {
		end()
	}
	s.checkLakeFiles()
}

// launch starts a daemon.
func (s *storm) launch() *process {
	s.t.Helper()
	s.configure(s.since(), grid.String(), s.more...)
	p := s.start()
	s.procs = append(s.procs, p)
	if s.began != nil {
		s.began(p)
	}
	return p
}

// pause waits for some milliseconds.
func (s *storm) pause(from, to int) {
	time.Sleep(time.Duration(from)*time.Millisecond + time.Duration(s.rng.Int64N(int64(to-from)*int64(time.Millisecond))))
}

// some waits until the simulator has had so many calls, but not for long: a
// fault may keep the daemon from making any.
func (s *storm) some(p *process, calls int64) {
	for begin := time.Now(); s.calls() < calls && time.Since(begin) < 4*time.Second; time.Sleep(time.Millisecond) {
		select {
		case <-p.ended:
			return
		default:
		}
	}
}

// gaveUp tells whether the process has ended by itself. Without NATS it may in
// its start; whoever runs it starts it again. Once it runs, nothing ends it.
func (s *storm) gaveUp(p *process) bool {
	s.t.Helper()
	select {
	case <-p.ended:
	default:
		return false
	}
	if said := p.stderr.String(); strings.Contains(said, `"msg":"running"`) || !strings.Contains(said, "nats") && !strings.Contains(said, "NATS") {
		p.alive()
	}
	s.quit++
	return true
}

// converge ends all faults, lets a daemon finish what is to be done, and holds
// what is there to the laws, from outside.
func (s *storm) converge(struck []string) {
	s.t.Helper()
	if s.left != nil {
		s.left()
		s.left = nil
	}
	begin := time.Now()
	p := s.launch()
	last := s.status(p, func(s pipeline.Status) bool { return complete(s) })
	took := time.Since(begin)
	p.signal(syscall.SIGTERM)
	p.exits(0)
	v := s.judge(last)
	for _, name := range struck {
		s.record(name).add(v, took)
	}
	s.all.add(v, took)
	s.t.Logf("after %s: %d windows compared, %d lost, %d doubled, %d wrong, done %.1f s after the last start",
		strings.Join(struck, ", "), v.windows, v.lost, v.doubled, v.wrong, took.Seconds())
	if v.bad() {
		s.t.Errorf("after %s: %s", strings.Join(struck, ", "), v)
	}
}

// preserve keeps the data folder of a failure and what the last processes said,
// where WOLKPIPE_TEST_KEEP names a folder for it that is not there yet.
func (s *storm) preserve() {
	to := os.Getenv("WOLKPIPE_TEST_KEEP")
	if to == "" {
		return
	}
	if err := os.CopyFS(to, os.DirFS(s.path("data"))); err != nil {
		s.t.Log(err)
	}
	for i, p := range s.procs[max(0, len(s.procs)-10):] {
		if err := os.WriteFile(fmt.Sprintf("%s/process-%d.log", to, i), []byte(p.stderr.String()), 0o600); err != nil {
			s.t.Log(err)
		}
	}
}

func (s *storm) sourceFaults() map[string]int64 {
	faults := map[string]int64{}
	for _, op := range s.sim.Stats().Operations {
		for f, n := range op.Faults {
			faults[f] += n
		}
	}
	return faults
}
