package consume

import (
	"iter"
	"maps"
	"time"
)

// Key is what a count belongs to.
type Key struct {
	Operation string
	Window    string // its window_local, 2006-01-02T15:04:05
	Agent     string
	Code      string
}

// Count is how many interactions a Key has, as it was told last.
type Count struct {
	Interactions int64
	ObservedAt   time.Time
	Revision     int64 // the window's
}

// newer reports whether c replaces old.
func (c Count) newer(old Count) bool {
	if order := c.ObservedAt.Compare(old.ObservedAt); order != 0 {
		return order > 0
	}
	return c.Revision > old.Revision
}

// Change is what an event did to a Key's interactions.
type Change struct {
	Key
	Previous, Interactions int64
}

// Delta is what to add to any sum that the Key is part of. It is the
// difference to what this fold held, which may not be the event's own delta
// where events were left out or came in another order.
func (c Change) Delta() int64 { return c.Interactions - c.Previous }

// Fold keeps the latest Count of each Key. The zero value is an empty one. It
// takes some 200 bytes for each Key, those that vanished included, and is not
// for concurrent use.
type Fold struct {
	counts map[Key]Count
	next   uint64    // the sequence after the last that was applied; 0 and 1 are the beginning
	stream time.Time // when the stream of that sequence was created; zero where nobody told

	unsaved int // events since the last Save
}

// Apply takes an event up. Changed is false where the fold's interactions stay
// as they are: for a repetition, for what was observed before what is held, for
// a repair that only confirms, and for events that are not of rows.
//
// Sequence is the message's in the stream. Events may come in any order; those
// from which a saved fold is to go on must come in the order of the stream, as
// an ordered consumer gives them.
func (f *Fold) Apply(e Event, sequence uint64) (change Change, changed bool) {
	f.next = max(f.next, sequence+1)
	f.unsaved++
	if e.Row == nil {
		return Change{}, false
	}
	key := Key{Operation: e.Row.Operation, Window: e.Row.WindowLocal, Agent: e.Row.Agent, Code: e.Row.Code}
	now := Count{Interactions: e.Row.Interactions, ObservedAt: e.Row.ObservedAt, Revision: e.Row.Revision}
	old, known := f.counts[key]
	if known && !now.newer(old) {
		return Change{}, false
	}
	if f.counts == nil {
		f.counts = make(map[Key]Count)
	}
	f.counts[key] = now
	return Change{Key: key, Previous: old.Interactions, Interactions: now.Interactions}, now.Interactions != old.Interactions
}

// Resume gives the sequence to read from, at least 1, given when the stream
// was created and its last sequence. A stream that was made anew, or was set
// back, numbers its messages afresh and tells everything again: the fold then
// forgets what it holds and begins at 1.
func (f *Fold) Resume(created time.Time, last uint64) (from uint64) {
	if !f.stream.IsZero() && !f.stream.Equal(created) || f.next > last+1 {
		*f = Fold{}
	}
	f.stream = created
	return max(f.next, 1)
}

// All gives every count, those of 0 included, in no order.
func (f *Fold) All() iter.Seq2[Key, Count] { return maps.All(f.counts) }

// Sum adds the interactions up by whatever a Key is put under:
//
//	fold.Sum(func(k consume.Key) string { return k.Code })
func (f *Fold) Sum(by func(Key) string) map[string]int64 {
	sums := make(map[string]int64)
	for key, count := range f.counts {
		sums[by(key)] += count.Interactions
	}
	return sums
}
