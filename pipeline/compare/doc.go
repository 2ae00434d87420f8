// Package compare finds, by few questions, which of many recorded windows no
// longer hold what is recorded of them. Closings come in late, are given
// another code or are deleted; asking for each window again would cost what
// filling them did. It is pure: no I/O, no clock; whoever drives it asks,
// waits and retries.
//
//	for r, ok := c.Next(); ok; r, ok = c.Next() {
//		c.Answered(r, ask(r)) // or c.Failed(r), where it was too much
//		record(c.Take())
//	}
//	settle(c.Confirmed())
//
// # One question for a month
//
// Where counts add up, one fresh answer for a stretch must equal the sum of
// its windows, key by key. If it does, nothing else is asked of the stretch.
// It is as long as can be: windows that follow one another on the clock, an
// hour that the clock skips being no gap, within one calendar month.
//
// Some windows cannot be part of a sum: those with a key that is unsure, as
// it stood in two rows alike to the byte or in a row that was rejected, with
// a row of which not even the key can be read, or with a count that nobody
// can mean. They are asked for directly, each by itself, and divide what is
// asked for as a whole: in a sum over them their keys would have to be left
// out for all windows, and a change of these would go unseen.
// [Options.DirectLimit] bounds their number. On a day that has more of them,
// keys are left out all the same; it is compared as far as can be, apart from
// other days, and not confirmed.
//
// # Narrowing
//
// A stretch that disagrees is asked for in parts from the front, whole days
// while it has several, then windows: half of what is left, or, where about
// half of it must have changed by the size of the disagreement, one by one,
// and more again after parts that agree. (For changes spread evenly over 64
// windows, halves down to that point take at most two calls in a hundred more
// than the best that dynamic programming finds.) A part that disagrees is
// narrowed before what follows it is asked for. The whole answer less what its parts are now
// known to hold then says of the rest either that it agrees, or that it must
// be narrowed, without its being asked. Where that cannot be worked out, as it
// would be negative or a key is unsure, the rest is asked for as a whole. An
// answer with an unsure key tells nothing of that key: it too is narrowed,
// until it stands in no answer but those of single windows.
//
// In the end the windows that changed have been asked for by themselves, and
// the answers are [Result]s, also where nothing changed. No content is ever
// inferred.
//
// Narrowing within a day is given up for asking window by window when it
// would come to more than 1.3 calls for each of the day's windows. And however
// the source answers, there are fewer than two calls for each window: a range is
// asked for once, and what is asked for below it are at least two parts of it,
// or one and what follows from that.
//
// # Emptiness
//
// The source sometimes says for some minutes that there is nothing where
// there are rows. So an empty answer moves nothing by itself:
//
//   - A stretch with rows that is answered as empty is narrowed like any
//     other, but last of all, when the spell may be over. A part that has its
//     rows leaves less than nothing of an empty whole, so that the rest is
//     asked for afresh and nearly nothing is lost.
//   - If the parts are empty too, this ends at single windows: a Result
//     without Rows. Whether to believe one is the caller's to decide; it
//     should not, where rows are known, until a second answer, some time
//     later, is as empty.
//   - Until then it proves nothing: its day is not confirmed, nor is anything
//     else by a sum in which it stands for nothing. If the emptiness is false,
//     its rows may fill the place of others that are really gone.
//
// # Confirmed days
//
// A day is confirmed when every window on it was asked for directly, or lies
// in a range whose answer equals the sum of what is now known of it, with the
// Results in place of the recorded contents. An answer with rows that does not
// equal that sum once all is narrowed shows that the source moved meanwhile,
// or was silent about something: of its windows then only those are proven with
// which another answer with rows, for several of them, agrees. The other days
// are to be compared again, later.
//
// # What this cannot see
//
// Changes of one key that cancel out within a range: a closing that moved
// from one window to another, one that was deleted where another came in. The
// shorter the range, the fewer there are: [Options.Cut] makes them so. Rows
// where none are known, behind an answer that is falsely empty, unless an
// answer over it says otherwise. And what changed after it was asked for. All
// are for a later comparison.
package compare
