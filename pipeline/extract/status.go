package extract

import (
	"sync"
	"time"

	"wolkpipe/pipeline/journal"
	"wolkpipe/pipeline/window"
)

// Status is what an operator wants to know of one operation.
type Status struct {
	Operation  string     `json:"operation"`
	LastWindow string     `json:"last_window,omitempty"` // wall-clock start of the latest observed window
	LastEnd    time.Time  `json:"last_window_end,omitzero"`
	LagSeconds float64    `json:"lag_seconds"`     // since LastEnd; 0 while nothing is observed
	Due        int        `json:"windows_due"`     // from since on
	Missing    int        `json:"windows_missing"` // due and not observed
	LastAnswer time.Time  `json:"last_answer,omitzero"`
	QuotaLeft  *int64     `json:"quota_calls_remaining"` // null: not known
	QuotaLimit *int64     `json:"quota_calls_a_day"`     // likewise
	State      string     `json:"state"`                 // "running", or why it waits: quota, bad_token, token_busy, …
	Until      *time.Time `json:"waits_until,omitempty"`
	Error      string     `json:"error,omitempty"`
	Reading    bool       `json:"reading"`   // the journal is still being read: what is missing may be there
	Backfills  []Backfill `json:"backfills"` // active, or ended in the last 7 days
	Settling   Settling   `json:"settling"`
}

// Status tells how the operation stands.
func (p *Poller) Status() Status {
	now := p.Clock.Now()
	p.status.count(now, func() (int, int) { return p.Live.Counts(now, &p.coverage) })
	backfills, settling := p.backfills(now), p.settled()
	p.status.mu.Lock()
	defer p.status.mu.Unlock()
	s := p.status.Status
	s.Backfills, s.Settling = backfills, settling
	s.Operation = p.Operation
	if !s.LastEnd.IsZero() {
		s.LagSeconds = now.Sub(s.LastEnd).Seconds()
	}
	if holder := p.holder.Load(); holder != nil {
		state := holder.State()
		if state.Limit > 0 {
			s.QuotaLeft, s.QuotaLimit = &state.Remaining, &state.Limit
		}
		if why, until := waitForToken(state, p.Fill, now); why != "" && s.State == "" {
			s.State, s.Error, s.Until = TokenBusy, why, until
		}
	}
	if s.State == "" {
		s.State = "running"
	}
	return s
}

// status gathers a Status while the poller works.
type status struct {
	mu      sync.Mutex
	counted time.Time
	days    map[window.Date]summary
	Status
}

// count notes the state of coverage, once a second at most: with years to
// catch up on it is long work.
func (s *status) count(now time.Time, count func() (due, missing int)) {
	s.mu.Lock()
	fresh := now.Sub(s.counted).Abs() < time.Second
	s.mu.Unlock()
	if fresh {
		return
	}
	due, missing := count()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Due, s.Missing, s.counted = due, missing, now
}

func (s *status) read(whole bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Reading = !whole
}

func (s *status) answered(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.LastAnswer = at
}

func (s *status) wait(state string, until time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.State, s.Until, s.Error = state, nil, ""
	if !until.IsZero() {
		s.Until = &until
	}
	if err != nil {
		s.Error = err.Error()
	}
}

// observed notes windows that the journal has taken.
func (s *status) observed(zone window.Zone, c *journal.Chunk) {
	s.latest(zone, c.Grid, c.Windows)
}

// observedUpTo notes what the journal already held.
func (s *status) observedUpTo(zone window.Zone, day *journal.Day) {
	s.latest(zone, day.Grid, day.Windows)
}

func (s *status) latest(zone window.Zone, grid window.Grid, windows []journal.Observation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range windows {
		if s.LastWindow != "" && o.Local.String() <= s.LastWindow {
			continue
		}
		if w, ok := zone.Window(grid.At(o.Local)); ok {
			s.LastWindow, s.LastEnd = o.Local.String(), w.End
		}
	}
}
