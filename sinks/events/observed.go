package events

import (
	"time"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
)

// newestOf is when the newest of a day's windows was observed.
func newestOf(day *sinks.Day) time.Time {
	var at time.Time
	for i := range day.Windows {
		if w := &day.Windows[i]; w.ObservedAt.After(at) {
			at = w.ObservedAt
		}
	}
	return at
}

// ahead is how far the clocks of those who observe may be apart.
const ahead = time.Hour

// lift is w, at the time of an observation that was told from the future:
// consumers keep what was observed last, so nothing earlier would reach them.
// What keeps an old fold out is then the guard alone.
func (s *Sink) lift(w *schemas.Window, old *told) *schemas.Window {
	if s.now == nil || old == nil || !old.observedAt.After(w.ObservedAt) || !old.observedAt.After(s.now().Add(ahead)) {
		return w
	}
	lifted := *w
	lifted.ObservedAt = old.observedAt
	return &lifted
}
