// Package sinks owns what a sink is: something that is brought to hold what
// the journal says of an operation's day.
//
// Sinks are level-triggered. Nobody sends a sink a change: it is given the
// whole day as it now is, compares it with what it holds and commits the
// difference. A day offered twice, late, or out of order therefore does no
// harm, and a new sink, a resync and a repair are the same call, [Converge].
//
// Drivers do I/O and tell conflicts; retries and back-off live above them.
//
// # A sink of your own
//
// Read wolkpipe/sinks/ndjson first: a whole sink in under 100 lines. The steps:
//
//  1. A package sinks/<kind> with a [Sink] and its [Held]. Load reads what the
//     store has of a day, together with a guard: something that is another
//     after every commit, such as an ETag, a version or the content itself.
//     Commit works out what differs, replaces it under the condition that the
//     guard still holds, and else gives [ErrConflict]. Keep each window's
//     ObservedAt: a window is never taken back to an older one. A window that
//     the day does not tell is unknown, not empty, and stays. A store that
//     keeps rows has all of this in wolkpipe/sinks/lake but for the I/O: a
//     commit is Project, Judge, MergeRows and MergeLines, then writing.
//  2. A test that runs wolkpipe/sinks/sinktest over it. The harness opens
//     handles that share nothing, as two processes would, and reads the store
//     without the driver's help. The suite has the conflicts, lost answers,
//     races and sizes that a driver gets wrong; break yours once and see.
//  3. The kind and its keys in cmd/wolkpipe/config (Sink, and sinks.go: known
//     keys, kinds, reading, what clashes), with a fixture in testdata/bad and
//     one in testdata/good; what is wrong is told with its line and the mend.
//  4. A case in cmd/wolkpipe/sinks.go that opens it. What no retry mends is an
//     [*Error] with a hint, and ends the start; for a store that may be away
//     when wolkpipe starts there is [Late].
//  5. Its imports in pipeline/imports_test.go, its row in README.md's table, its
//     keys and what it writes in schemas/README.md.
//
// The pipeline knows no kind. Filling, catching up, retries, the daily
// comparison, backlog, metrics, the status page, resync and the sharing of
// work among replicas come with step 4.
//
// What a sink may do besides:
//
//	implements     and then                               otherwise
//	[Auditor]      verify compares what readers find,     verify says "not compared", and
//	               and --repair mends it: [Mend]          --repair converges its days
//	[CodeKeeper]   it is given the activity codes         it is not
//	[Batcher]      many days are converged at once        two
//	[Forgetter]    erasing an agent reaches what was      days are converged, which is all
//	               told before                            that a store of days needs
//
// # Another report of the same API
//
// wolkpipe keeps one report, chat_7: counts by agent and code, without ids or
// times, so that the window is part of the key. What another one would need
// rests on what its rows are.
//
// Counts over a range, by other keys: the same machinery, with another row.
//   - pipeline/chat7: the call's name and range (Client.Rows). The envelope,
//     the kinds of failure and the calls for quota and codes belong to the API
//     and stay. Its simulator needs the report, and a truth for it.
//   - pipeline/transform (row.go, keys.go): the names of a row's fields, what is
//     the key, what is the count. Texts, counts, duplicates and rejects stay.
//   - schemas: Row, the types of event with their JSON Schemas and SQL, and the
//     names of streams and subjects, all of which say chat_7. A report beside
//     chat_7 gets its own ones; nothing that stands there changes.
//   - The key (agent, code) is written out in pipeline/descend and compare
//     (Key, and in descend the rows of what is derived), sinks/lake (RowRecord
//     and its columns; parquet, iceberg and ndjson follow), sinks/events (keys
//     and encoding), sinks (RowKey), sinks/sinktest (rows), schemas/consume.
//   - pipeline: the rows of verify and of the status page. pipeline/doctor proves
//     that counts add up and finds the busiest day: it reads counts alone.
//   - cmd/wolkpipe: which report an operation is polled for, and tail's columns.
//
// Records with an id and a time of their own, one a row: that too, and descend and
// compare go unused, since nothing is derived from sums; their place takes
// asking windows one by one and comparing them by their rows. Row.Interactions,
// and the deltas of events, then have no meaning: such rows are events of
// their own, by id.
//
// Neither touches what knows no row: pipeline/window, plan, lease, backfill, codes,
// notice, watch, broker but for the streams' names; the journal, which keeps rows
// as the source sent them; extract but for its words; and [Converge], [Mend],
// sinks/pubsub, sinks/objectstore. Two reports on one token take turns by the
// lease that is there, and share its quota.
package sinks
