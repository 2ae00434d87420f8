package sinktest

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
)

// Source is a [sinks.Source] in memory: a journal whose content a test sets.
// It is safe for concurrent use, but OnFold is set before that begins.
type Source struct {
	// OnFold, where it is set, is called by Day when the fold is made and not
	// yet given: what it does, the caller of Day does not see. It may use the
	// Source. n counts the folds of that day, from 1.
	OnFold func(key sinks.Key, n int)

	mu    sync.Mutex
	seq   uint64
	now   time.Time
	days  map[sinks.Key]*sinks.Day // replaced, never changed
	seqs  map[sinks.Key]uint64
	folds map[sinks.Key]int
}

// NewSource makes an empty journal. Its days lie in America/Bogota on a grid
// of 288 windows.
func NewSource() *Source {
	return &Source{
		now:   time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC),
		days:  make(map[sinks.Key]*sinks.Day),
		seqs:  make(map[sinks.Key]uint64),
		folds: make(map[sinks.Key]int),
	}
}

// Day implements [sinks.Source]. A day of which nothing was observed has no
// windows and the sequence 0.
func (s *Source) Day(ctx context.Context, key sinks.Key) (*sinks.Day, uint64, error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	s.mu.Lock()
	day, seq := s.day(key), s.seqs[key]
	s.folds[key]++
	n := s.folds[key]
	s.mu.Unlock()
	if s.OnFold != nil {
		s.OnFold(key, n)
	}
	return day, seq, nil
}

// Folds is how often key's day was read.
func (s *Source) Folds(key sinks.Key) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.folds[key]
}

// Observe appends what was newly seen of windows and gives the day's last
// sequence. A window without ObservedAt gets the next second of the journal's
// own clock, and one without Revision the next after the one that is there.
// Rows are sorted. Windows whose content is the one that is there are left
// out; if all are, nothing is appended.
func (s *Source) Observe(key sinks.Key, windows ...schemas.Window) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	day := *s.day(key)
	day.Windows = slices.Clone(day.Windows)
	moved := false
	for _, w := range windows {
		w = cloneWindow(w)
		slices.SortFunc(w.Rows, schemas.Row.Compare)
		at, found := slices.BinarySearchFunc(day.Windows, w.Local, func(w schemas.Window, local string) int {
			return strings.Compare(w.Local, local)
		})
		if found && sameContent(w, day.Windows[at]) {
			continue
		}
		moved = true
		s.now = s.now.Add(time.Second)
		if w.ObservedAt.IsZero() {
			w.ObservedAt = s.now
		}
		switch {
		case w.Revision != 0:
		case found:
			w.Revision = day.Windows[at].Revision + 1
		default:
			w.Revision = 1
		}
		if found {
			day.Windows[at] = w
		} else {
			day.Windows = slices.Insert(day.Windows, at, w)
		}
	}
	if moved {
		s.put(key, &day)
	}
	return s.seqs[key]
}

// SetState appends that key's day is now in a state, and gives the day's last
// sequence.
func (s *Source) SetState(key sinks.Key, state schemas.State) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	day := *s.day(key)
	if day.State != state {
		day.State = state
		s.put(key, &day)
	}
	return s.seqs[key]
}

// Windows is what a sink should hold of key's day. Do not change it.
func (s *Source) Windows(key sinks.Key) []schemas.Window {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.day(key).Windows
}

func (s *Source) put(key sinks.Key, day *sinks.Day) {
	s.seq++
	s.days[key], s.seqs[key] = day, s.seq
}

func (s *Source) day(key sinks.Key) *sinks.Day {
	if day := s.days[key]; day != nil {
		return day
	}
	return &sinks.Day{Key: key, Timezone: "America/Bogota", State: schemas.Provisional, Expected: 288}
}
