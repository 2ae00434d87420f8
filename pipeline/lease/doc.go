// Package lease owns who may call the source, and when: one call at a time on
// a token, and never more calls than its quota, over all processes that share
// one NATS.
//
// What is known of a token is one record in the bucket [Bucket], under a hash
// of the source's URL and the token. Every change of it is a compare-and-swap.
// A read may be stale: what was decided by one is refused by the swap.
//
// # One call at a time
//
// [Token.Enter] writes into the record that a call is open and returns a
// [Call]. The request may be sent within 10 s of that ([Call.MaySend]), and
// the source may work on it for 60 s. Until both are over nobody else is let
// in, unless [Call.Done] tells that the source has ended. A process that is
// stopped in between and goes on later finds that it may no longer send.
//
// The record holds lengths of time, never instants that another machine would
// have to trust: they run, on each reader's own clock, from when that reader
// first saw them. Clocks may differ by any amount; their speeds by 2%.
//
// Between calls a lease of 10 s keeps the token where it is. A process that
// waits for it writes that into the record, and the holder leaves the token to
// whoever's call is more urgent than its own next one. A lease is taken back at once by the owner
// that left it, who is the same data folder, not the same process: a folder's
// file lock sees to it that one process at a time uses it.
//
// # Never past the quota
//
// The record counts calls in buckets of 5 minutes. Any 24 hours hold at most
// one quota. When the source tells that fewer calls are used than it told
// before, its day has begun anew, and the calls before that no longer count.
// For the count alone, the processes' clocks must agree to within 2 minutes.
//
// # Who is next
//
// In a process, live windows come before catching up, and that before
// backfills. A call that others have overtaken 16 times comes before catching
// up; after 64 times, when live polling alone fills the token, before it too.
//
// What a call asks, and what its failure means, is left to others.
package lease
