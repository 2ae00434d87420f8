// Package iceberg is a sink that keeps the lake as Apache Iceberg tables.
//
//	<namespace>.chat_7           one row for each (window, agent, code)
//	<namespace>.chat_7_windows   what is known of each window
//	<namespace>.activity_codes   the activity codes
//
// The columns are those of the lake's Parquet datasets, with operation and day,
// by which the tables are partitioned (schemas/README.md). Format version 2;
// the field ids are fixed here and never used again for something else.
//
// # Commits
//
// A day has one data file in each table, none if it has no rows there. A commit
// replaces the files of the days that changed, in one snapshot of each table,
// rows before coverage: readers who join rows to coverage find a window's
// rows wherever they find the window. Readers of a snapshot see all of it,
// and go on seeing it until it expires.
//
// A table's metadata is replaced as a whole, by a compare-and-swap of its
// catalog: all days share it, and each commit adds a snapshot to it. So days
// that are to be committed at the same time become one commit, and commits
// begin an Interval apart. Held.Commit returns when its day's snapshot is there.
//
// The guard of a day is the set of its data files. Where the catalog refuses a
// commit because the table has moved, the guards are compared with the table as
// it now is: days whose files are others get ErrConflict, and the rest is
// tried again. A commit whose answer was lost is never just sent again: its
// id stands in the snapshot's summary (wolkpipe.commit-id), and is looked for.
// Files that were written for a commit that surely failed are removed; those of
// one that may still land are left to maintenance.
//
// # Maintenance
//
// Once a day, by default, manifests are merged, snapshots older than 7 days
// expire with the files that they alone have, and files that no snapshot refers
// to, the remains of crashes, are removed when they are 3 days old. Old metadata
// files go with each commit.
//
// # Limits
//
// Rows that another engine deletes or adds are seen by an audit, which mending
// takes back; a commit does not look for them. Metadata holds a line for each
// snapshot that is kept: with an Interval of 30 s and live polling every 5
// minutes, about 2000 in 7 days. Without a catalog (file:), two writers are safe
// on a local file system, and object stores are refused.
//
// A catalog that knows nothing of a table refuses the place where another one
// has it. A file of metadata that is gone is an error that no commit mends: the
// table has to be dropped and moved away, and is then made anew.
//
// Retries are the caller's: see [sinks.Converge]. The drivers of the object
// stores are linked by the program, not here.
package iceberg
