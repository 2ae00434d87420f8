package pipeline

import (
	"context"
	"fmt"
	"sync"

	"wolkpipe/pipeline/codes"
	"wolkpipe/pipeline/erase"
	"wolkpipe/pipeline/journal"
	"wolkpipe/pipeline/transform"
	"wolkpipe/pipeline/window"
	"wolkpipe/schemas"
	"wolkpipe/sinks"
)

// source tells the sinks what they should hold: the journal's record of a
// day, normalised. It keeps the days that it normalised last, since every sink
// asks for the same ones, and after each change only the windows that changed
// are normalised again.
//
// A row that the source sent without a description has the one that the list
// of codes has now. It is a label: sinks do not compare it, so that a list that
// changes makes no revision, and what is written later carries what it then says.
type source struct {
	journal  *journal.Journal
	agentKey []byte
	texts    func(operation string) *codes.Texts
	erased   *erase.Book // names that are replaced, where the journal still has them; may be nil

	folding keyed // one goroutine a day normalises, the others take what it made

	mu    sync.Mutex
	days  map[sinks.Key]normalised
	order []sinks.Key // oldest first
	kept  int         // rows and windows of days
}

type normalised struct {
	from  *journal.Day
	day   *sinks.Day
	texts *codes.Texts // that it was described with
	named uint64       // the version of the list of erased agents
}

// sourceRows bounds the normalised days that are kept, in rows and windows.
const sourceRows = 100_000

func newSource(j *journal.Journal, agentKey []byte, texts func(string) *codes.Texts, erased *erase.Book) *source {
	return &source{journal: j, agentKey: agentKey, texts: texts, erased: erased, days: map[sinks.Key]normalised{}}
}

// Day implements [sinks.Source].
func (s *source) Day(ctx context.Context, key sinks.Key) (*sinks.Day, uint64, error) {
	date, err := window.ParseDate(key.Day)
	if err != nil {
		return nil, 0, err
	}
	day, fresh, err := s.fold(ctx, key, date)
	if err != nil {
		return nil, 0, err
	}
	return fresh, day.Seq, nil
}

// fold reads the journal's record of a day, and normalises what is new in it.
func (s *source) fold(ctx context.Context, key sinks.Key, date window.Date) (*journal.Day, *sinks.Day, error) {
	defer s.folding.lock(key)()
	day, err := s.journal.Day(ctx, journal.Key{Operation: key.Operation, Day: date})
	if err != nil {
		return nil, nil, err
	}
	s.mu.Lock()
	known := s.days[key]
	s.mu.Unlock()
	texts := s.texts(key.Operation)
	named := s.erased.Version()
	if known.texts != texts || known.named != named {
		known = normalised{} // whatever is written from now on has the new descriptions and names
	}
	if known.from != nil && known.from == day {
		return day, known.day, nil
	}
	fresh, err := s.normalise(key, day, known, texts)
	if err != nil {
		return nil, nil, err
	}
	s.keep(key, normalised{day, fresh, texts, named})
	return day, fresh, nil
}

func (s *source) keep(key sinks.Key, n normalised) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, known := s.days[key]
	if !known {
		s.order = append(s.order, key)
	}
	s.days[key] = n
	s.kept += n.weight() - before.weight()
	for s.kept > sourceRows && len(s.order) > 1 {
		s.kept -= s.days[s.order[0]].weight()
		delete(s.days, s.order[0])
		s.order = s.order[1:]
	}
}

func (n normalised) weight() (rows int) {
	if n.day == nil {
		return 0
	}
	for _, w := range n.day.Windows {
		rows += 1 + len(w.Rows)
	}
	return rows
}

func (s *source) normalise(key sinks.Key, day *journal.Day, known normalised, texts *codes.Texts) (*sinks.Day, error) {
	fresh := &sinks.Day{Key: key, Timezone: day.Timezone, State: schemas.Provisional}
	if day.Compared != nil && day.Compared.Final {
		fresh.State = schemas.Settled
	}
	if day.Grid == 0 {
		return fresh, nil
	}
	zone, err := window.LoadZone(day.Timezone)
	if err != nil {
		return nil, fmt.Errorf("the journal's %s: %w", day.Key, err)
	}
	exists := map[window.Local]window.Window{}
	for _, w := range zone.Windows(day.Day, day.Grid) {
		exists[w.From] = w
	}
	fresh.Expected = len(exists)
	fresh.Windows = make([]schemas.Window, 0, len(day.Windows))
	var before int // index into what is known, which has the same order
	for _, o := range day.Windows {
		w, ok := exists[o.Local]
		if !ok {
			return nil, fmt.Errorf("the journal's %s has the window %s, which does not exist in %s", day.Key, o.Local, day.Timezone)
		}
		if known.from != nil {
			for before < len(known.from.Windows) && known.from.Windows[before].Local < o.Local {
				before++
			}
			if before < len(known.from.Windows) && same(known.from.Windows[before], o) {
				fresh.Windows = append(fresh.Windows, known.day.Windows[before])
				continue
			}
		}
		fresh.Windows = append(fresh.Windows, s.window(key.Operation, w, o, texts))
	}
	return fresh, nil
}

func same(a, b journal.Observation) bool {
	return a.Local == b.Local && a.Revision == b.Revision && a.Digest == b.Digest && a.ObservedAt.Equal(b.ObservedAt)
}

func (s *source) window(operation string, w window.Window, o journal.Observation, texts *codes.Texts) schemas.Window {
	rows, _ := s.erased.Rows(operation, o.Rows)
	t := transform.Window(rows, transform.Options{Sum: o.Sum, AgentKey: s.agentKey})
	for i := range t.Rows {
		if r := &t.Rows[i]; r.Description == nil {
			r.Description = texts.Of(r.Code)
		}
	}
	return schemas.Window{
		Local: o.Local.String(), Start: w.Start, End: w.End, Revision: o.Revision, Method: o.Method,
		Cause: o.Cause, ObservedAt: o.ObservedAt, Rows: t.Rows, Rejects: t.Rejects, Dropped: t.Dropped,
	}
}
