// Package parquet is the sink that keeps a lake of Parquet files, on a folder
// or on an object store.
//
// # Layout
//
// One day of one operation is two objects, each replaced whole:
//
//	<prefix>chat_7/operation=<operation>/day=<YYYY-MM-DD>/chat_7.parquet
//	<prefix>chat_7_windows/operation=<operation>/day=<YYYY-MM-DD>/chat_7_windows.parquet
//
// The first holds the rows ([lake.RowRecord]), the second what is known of each
// window ([lake.WindowRecord]), windows without rows included. A day that never had
// rows has no rows object; a day whose rows have all vanished keeps one of zero
// rows, so that a reader can tell it from a day that is still being written.
//
// An operation's activity codes ([lake.CodeRecord]) are one object more, which
// [Sink.PutCodes] writes and no commit touches:
//
//	<prefix>activity_codes/operation=<operation>/activity_codes.parquet
//
// # What a commit does
//
// It compares the day that it is given with the two objects, window by window,
// and rewrites an object only if a window in it differs: first the rows, then
// the coverage. So the coverage never claims rows that are not there yet, and
// a crash in between leaves a coverage that the next commit finds different
// and mends without touching the rows.
//
// A window is replaced when a row's agent, code or count, the method, the
// instants, the counts or the day's state differ. A description alone is no
// reason, since the source edits its texts at will; but an object that is
// rewritten takes the newest descriptions of every window that the day tells.
// A window that the day does not tell, or that the lake has from a later
// observation, stays as it is.
//
// Each object is written under the condition that it is still the one that was
// read, so two sinks on one lake cannot undo each other's work: the second gets
// [sinks.ErrConflict] and begins anew. The condition is the object's ETag on S3
// and Azure, its generation on GCS, and a hash of its content, under a lock,
// in a folder.
//
// # What a commit does not see
//
// A row or a line of coverage with a later observation than the journal's is
// taken for one, whoever wrote it, and rows of a window that the day does not
// tell stay. [Sink.Audit] finds both, and other objects in the folder of a day;
// mending replaces the former, and moves the latter to the folder set_aside
// beside the datasets.
//
// # What it promises of files
//
// In a folder an object is written beside its place under a hidden temporary
// name, flushed to the disk, renamed, and the folder flushed: a reader sees the
// old object or the new one, whole, and what a commit has acknowledged survives
// a power cut. After a kill one temporary file can stay; the next write
// removes it. Two files stay beside the dataset folders: .wolkpipe.lock, which
// must not be removed while a sink runs, and .wolkpipe-probe, which [Open] writes,
// in buckets too, to prove that the store honours conditions.
//
// A query engine that opens an object twice, first for its columns and then for
// its rows, may meet two versions of it and fail; asked again, it answers.
//
// An object that is no Parquet file of ours, or a damaged one, does not stop the
// sink: it is replaced by what the journal tells, with a warning. One with
// columns that this version does not know was written by a newer version and is
// refused.
//
// Retries are the caller's: see [sinks.Converge]. The drivers of the object
// stores are linked by the program, not here.
package parquet
