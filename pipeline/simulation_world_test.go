package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"wolkpipe/pipeline/backfill"
	"wolkpipe/pipeline/chat7/chat7sim"
	"wolkpipe/pipeline/extract"
	"wolkpipe/pipeline/journal"
	"wolkpipe/pipeline/lease"
	"wolkpipe/pipeline/window"
	"wolkpipe/sinks"
	"wolkpipe/sinks/sinktest"
)

// simWorld is an installation: two processes, two operations that share a
// token, a journal, two sinks and a source. Faults strike until calm.
type simWorld struct {
	dice       *simDice
	begin      time.Time
	calm       time.Time // until then faults strike
	end        time.Time
	rate       float64
	sweepEvery time.Duration
	operations []Operation
	backfilled window.Date // the first day that was asked for
	learned    extract.Learned
	cancels    bool // changes may cancel out within a day
	source     *simSource
	stream     *simStream
	buckets    map[string]*simBucket
	sinks      map[string]sinks.Sink
	events     *simEvents
	memory     *sinktest.Memory

	mu        sync.Mutex
	trace     []simEvent
	breaches  []string
	processes []*simProcess // nil: down
}

const simToken = "sim-ventas"

// simBreak breaks a guard on purpose.
type simBreak struct{ journal, sink bool }

func newSimWorld(seed uint64, broken simBreak) (*simWorld, error) {
	w := &simWorld{dice: &simDice{seed: seed, drawn: map[string]int{}}, begin: time.Now(), processes: make([]*simProcess, 2)}
	r := w.dice.of("the world")
	places := []struct {
		zone string
		day  window.Date
	}{
		{"America/Bogota", window.DateOf(2026, 11, 10)}, {"America/Bogota", window.DateOf(2026, 11, 29)},
		{"America/Santiago", window.DateOf(2026, 4, 3)}, {"America/Santiago", window.DateOf(2026, 9, 5)},
		{"Europe/Madrid", window.DateOf(2026, 10, 24)},
	}
	place := places[r.IntN(len(places))]
	zone, err := window.LoadZone(place.zone)
	if err != nil {
		return nil, err
	}
	grids := []time.Duration{30 * time.Minute, time.Hour, 2 * time.Hour, 3 * time.Hour}
	noon := zone.Windows(place.day, window.Grid(time.Hour))[1].Start
	w.begin = noon.Add(time.Duration(r.Int64N(int64(19 * time.Hour))))
	w.calm = w.begin.Add(30*time.Hour + time.Duration(r.Int64N(int64(16*time.Hour))))
	w.rate = []float64{0, 0.01, 0.03, 0.06}[r.IntN(4)]
	w.sweepEvery = 6*time.Hour + time.Duration(r.Int64N(int64(time.Hour)))
	w.learned.Examined = r.IntN(3) > 0
	w.learned.Additive = w.learned.Examined && r.IntN(3) > 0

	if w.source, err = w.newSource(r, place.zone); err != nil {
		return nil, err
	}
	for range r.IntN(4) {
		from := w.begin.Add(time.Duration(r.Int64N(int64(w.calm.Sub(w.begin)))))
		w.source.empty = append(w.source.empty, simSpell{from, from.Add(time.Duration(r.Int64N(int64(9 * time.Minute))))})
	}
	for range 2 * r.IntN(10) { // while the past is asked for
		from := w.begin.Add(time.Duration(r.Int64N(int64(10 * time.Minute))))
		w.source.empty = append(w.source.empty, simSpell{from, from.Add(time.Duration(r.Int64N(int64(6 * time.Second))))})
	}
	slices.SortFunc(w.source.empty, func(a, b simSpell) int { return a.from.Compare(b.from) })

	since := zone.Local(w.begin).Date()
	for _, name := range []string{"ventas", "ventas_b"} {
		w.operations = append(w.operations, Operation{
			Name: name, Zone: zone, Grid: window.Grid(grids[r.IntN(len(grids))]), Delay: time.Minute, Since: &since,
			Ages: []time.Duration{time.Hour, 8 * time.Hour, 48 * time.Hour},
		})
	}
	last := zone.Local(w.calm).Date()
	hours := zone.Windows(last, window.Grid(time.Hour))
	w.end = hours[len(hours)-1].End.Add(48*time.Hour + 14*time.Hour)
	w.backfilled = since - window.Date(r.IntN(4))
	if r.IntN(2) == 0 && w.learned.Additive { // else comparing takes days of it
		w.source.quota = 350 + r.Int64N(100)
	}
	for i := range w.operations {
		op := &w.operations[i]
		op.Quota = w.source.quota
		w.note("%s: %s, windows of %v, from %s and %s on, %d calls a day, counts add up: %v, fault rate %v, calm at %v, spells %d", op.Name,
			place.zone, time.Duration(op.Grid), w.backfilled, since, op.Quota, w.learned, w.rate, w.calm.Sub(w.begin), len(w.source.empty))
	}

	w.stream = &simStream{subjects: map[string][]*jetstream.RawStreamMsg{}, unguarded: broken.journal}
	w.buckets = map[string]*simBucket{}
	for _, name := range []string{StateBucket, lease.Bucket} {
		w.buckets[name] = &simBucket{name: name, keys: map[string]*simEntry{}}
	}
	w.events = &simEvents{days: map[sinks.Key]simTold{}, unguarded: broken.sink}
	w.memory = sinktest.NewMemory()
	w.sinks = map[string]sinks.Sink{"events": w.events, "memory": w.memory}
	return w, nil
}

// newSource makes the source: how much there is of what, how its counts change
// afterwards, and how its rows look.
func (w *simWorld) newSource(r *rand.Rand, zone string) (*simSource, error) {
	faults := chat7sim.Faults{NumberCounts: 0.3, ZeroRows: 0.05, Shuffled: true}
	if r.IntN(2) == 0 {
		faults.JunkRows, faults.DuplicateRows, faults.RepeatedKeys, faults.OddNames = 0.02, 0.1, 0.2, 0.3
	}
	switch lag := (chat7sim.Lag{Rate: 0.2, Mean: 15 * time.Minute, Max: 2 * time.Hour}); r.IntN(4) {
	case 1:
		faults.Late = lag
	case 2:
		faults.Deleted = lag
	case 3:
		faults.Recoded, w.cancels = lag, true
	}
	sim, err := chat7sim.New(chat7sim.Options{Seed: w.dice.seed, Scenario: chat7sim.Scenario{Operations: []chat7sim.Operation{{
		Name: "ventas", Timezone: zone, Agents: 4, Codes: 5, InteractionsPerDay: []int{0, 12, 60, 200}[r.IntN(4)],
		Steady: r.IntN(2) == 0, Weekends: true, Faults: &faults, Licences: 1,
	}}}})
	return &simSource{w: w, sim: sim}, err
}

func (w *simWorld) faultRate() float64 {
	if time.Now().Before(w.calm) {
		return w.rate
	}
	return 0
}

func (w *simWorld) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trace = append(w.trace, simEvent{time.Since(w.begin), fmt.Sprintf(format, args...)})
}

// broken notes that a law was.
func (w *simWorld) broken(format string, args ...any) {
	what := fmt.Sprintf(format, args...)
	w.note("BROKEN %s", what)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.breaches = append(w.breaches, what)
}

// hint tells a process of each sink that a day moved, some time later: in bad
// times perhaps none, perhaps both.
func (w *simWorld) hint(subject string) {
	key, err := journal.ParseSubject(subject)
	if err != nil {
		w.broken("the journal has a message on %s", subject)
		return
	}
	day := sinks.Key{Operation: key.Operation, Day: key.Day.String()}
	for sink := range w.sinks {
		i := slices.Index([]string{"events", "memory"}, sink)
		r := w.dice.of("hint of " + sink + " " + day.String())
		to := []int{r.IntN(2)}
		if x := r.Float64(); x < w.faultRate() {
			to = nil
		} else if x < 2*w.faultRate() {
			to = []int{0, 1}
		}
		for _, number := range to {
			wait := takes(r, 10*time.Millisecond, 10*time.Second)
			go func() {
				time.Sleep(wait)
				w.mu.Lock()
				p := cmp.Or(w.processes[number], w.processes[1-number])
				w.mu.Unlock()
				if p != nil {
					p.hint(i, day)
				}
			}()
		}
	}
}

// live runs process number until the end, from crash to crash.
func (w *simWorld) live(number int) {
	r := w.dice.of(fmt.Sprint("the life of ", number))
	time.Sleep(time.Duration(r.Int64N(int64(10 * time.Second))))
	for start := 0; time.Now().Before(w.end); start++ {
		p, err := w.start(fmt.Sprint("p", number), start)
		if err != nil { // a process that cannot start is started again
			time.Sleep(5*time.Second + takes(r, time.Second, 10*time.Second))
			continue
		}
		w.note("%s starts", p.link.process)
		w.set(number, p)
		rest := time.Until(w.end)
		life := takes(r, 10*time.Hour, 48*time.Hour)
		down := takes(r, []time.Duration{5 * time.Second, 4 * time.Minute}[r.IntN(2)], 9*time.Hour)
		gently := r.IntN(3) == 0
		if time.Now().Add(life).After(w.calm) || w.rate == 0 {
			life = rest
		}
		time.Sleep(life)
		w.set(number, nil)
		if gently || life == rest {
			p.end()
		} else {
			p.kill()
		}
		w.note("%s ends, gently: %v", p.link.process, gently)
		time.Sleep(down)
	}
}

func (w *simWorld) set(number int, p *simProcess) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.processes[number] = p
}

// run lets the whole of it happen.
func (w *simWorld) run() {
	time.Sleep(time.Until(w.begin))
	var lives sync.WaitGroup
	for number := range w.processes {
		lives.Go(func() { w.live(number) })
	}
	time.Sleep(time.Minute)
	w.askForPast()
	lives.Wait()
	time.Sleep(time.Hour) // what is still under way ends by itself
}

// askForPast asks for the days before those that are kept covered.
func (w *simWorld) askForPast() {
	link := &simLink{w: &simWorld{dice: w.dice}, process: "user", gone: make(chan struct{})}
	for _, op := range w.operations {
		if w.backfilled >= *op.Since {
			return
		}
		ctx, cancel := context.WithCancel(context.Background())
		book, err := backfill.Open(ctx, &simBucketView{bucket: w.buckets[StateBucket], link: link})
		if err == nil {
			_, err = book.Ask(ctx, backfill.Request{Operation: op.Name, From: w.backfilled, To: *op.Since - 1, Grid: op.Grid}, time.Now())
			book.Close()
		}
		cancel()
		if err != nil {
			w.broken("asking for the past: %v", err)
		}
	}
}
