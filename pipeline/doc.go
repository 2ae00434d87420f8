// Package pipeline runs the stages from the source to the sinks.
//
//	plan ──> extract ──> journal ──> transform ──> sinks
//	           │  one call at a time on a token
//	         chat7, the client of the source
//
// plan says what to ask for next: what should be there less what is there, and
// the days that are to be compared with the source again. extract asks for it,
// for many windows at once where descend and compare can do with one answer,
// and appends what it learned to the journal, a log in JetStream that is the
// only source of truth on our side. A message of the journal tells each sink
// that a day moved; the sink is given the whole day, normalised by transform,
// and commits the difference to what it holds.
//
// What holds at all times, under any fault:
//
//  1. Coverage. Every window of a wanted range is observed: no gap, no
//     overlap, nothing twice. "Empty" is a proven fact, never the reading of
//     a failure.
//  2. Events. For each (window, agent, code) the deltas of the stream sum to
//     the latest count at the source; revisions only go up; no event is
//     published twice, however long an outage lies before a retry.
//  3. Lake. One row for each (window, agent, code), equal to the sum of the
//     events, equal to the source.
//  4. Convergence. After a kill at any instruction, a restart, or answers
//     lost on the way, 1 to 3 hold again without a hand's help; after the loss
//     of stored data, by Verify with repair.
//  5. The token. Never two calls in flight on one token, and none past the
//     quota; a backfill never delays a live window by more than the call in
//     flight.
//  6. Nothing dropped. Every source row is in the lake, in quarantine, or
//     counted as a duplicate, and the numbers add up.
//
// How they come to hold:
//
//   - There is no cursor to lose. A restart reads the journal and goes on. What
//     it cannot tell is kept in a bucket: what was asked for (package backfill),
//     what trying a source has shown (doctor), the activity codes (codes).
//   - Past counts change, and a source answers "nothing" for a while. So each
//     day is compared by its sum at some ages, and what changed is asked for
//     again. "Nothing" where rows are known is believed the second time.
//     Changes that cancel out within a day are not seen in its sum: the more
//     changes there are, the shorter are the ranges that are compared.
//   - A chunk is appended only if its day has not moved since before the call
//     was made: an answer that comes late is refused.
//   - Sinks are level-triggered: a hint that is lost, late, repeated or out of
//     order does no harm, and at the start and daily every day is compared
//     whatever the hints said. A new sink fills itself in the same way.
//   - A sink reads its own state, with a guard, before it reads the journal,
//     and commits under that guard: what another worker has committed in
//     between refuses the older fold.
//
// The package sequences; it parses, retries and names nothing itself. Each
// stage's package says what it owns. Watermill's Router runs the handlers
// between journal and sinks: it recovers from panics, retries without end and
// puts aside messages of the journal that cannot be read.
package pipeline
