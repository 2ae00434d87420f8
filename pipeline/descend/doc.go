// Package descend establishes many windows by few questions. It decides which
// range of wall-clock time to ask the source for next, and works out from the
// answers what each window holds. It is pure: no I/O, no clock; whoever drives
// it asks, waits and retries.
//
//	for r, ok := d.Next(); ok; r, ok = d.Next() {
//		d.Answered(r, ask(r)) // or d.Failed(r), where it was too much
//		record(d.Take())
//	}
//
// # From months to windows
//
// A stretch of missing windows is asked for as a whole, at most a calendar
// month at a time. Nothing there: all its windows are empty. Else it is split
// into days, days into parts, parts into windows; each part is asked from the
// front, and taken to its end before what follows it is asked for.
//
// Above the day nothing is inferred: answers tell how many days to ask for
// together, and at the end whether the parts account for the whole. Every day
// that is not empty is asked for afresh before it is taken apart, so that the
// answers subtracted from one another are minutes old, not days.
//
// # Subtraction
//
// Within a day, and with [Options.Derive], what was asked of a part is taken
// from what is known of the whole, by raw agent and code. The last window
// that remains is [Derived], and so are all that remain once nothing is left.
// A remainder would be negative, or an answer is not [Answer.Usable]: then
// nothing more is inferred from that whole, and the rest of it is asked for.
//
// An answer that was falsely empty leaves its rows in the remainder, and they
// sink to its last window. So where any part was empty that window is asked
// for directly and must equal the remainder. One such proof serves all empty
// parts of the whole, and none is needed where the other parts use it up. If
// something is missing, the empty parts are asked for once more; a second
// empty answer stands.
//
// Windows derived on a day are kept back until one of them, chosen by a hash
// of the day, has been asked for and agrees. Else all of them are asked for;
// after two such days nothing more is derived.
//
// # Where to split
//
// Each answer about a part of a known whole fixes the running sum at one
// boundary between windows, and a boundary can be saved only where the windows
// on both its sides are empty. So from two interactions in three windows on,
// windows are asked for one by one from the front (which makes long
// remainders, and so few proofs). Where there are fewer, nearly halves are, in
// powers of two of three windows: up to one interaction in three windows that
// takes at most two calls in a hundred more than the best that dynamic
// programming finds for interactions spread evenly.
//
// Where nothing may be inferred, as many windows are asked for together as are
// empty half of the time, by the number of interactions that the whole holds.
// Runs of empty answers double that.
//
// However the source answers, a run of many windows costs an eighth more calls
// than it has windows at the most (see [Most]): what is left when that would be
// passed is asked for window by window.
//
// # What this cannot see
//
// The answers that are subtracted were given at different times. A closing
// recorded or recoded in between makes a remainder that is wrong but need not
// be negative, and the sample may miss it. A part that is falsely empty twice,
// or a whole that is, passes for empty. Both are for a later comparison of the
// day's sum with a fresh answer to find. So only windows that are over, and best
// settled, belong here.
package descend
