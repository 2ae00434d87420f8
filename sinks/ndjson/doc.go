// Package ndjson is the sink that keeps days as files of JSON lines in a
// folder, for programs that read nothing else. It is also the example, for
// package sinks, of how little a sink is.
//
//	<folder>/chat_7/operation=<operation>/day=<YYYY-MM-DD>/chat_7.ndjson
//	<folder>/chat_7_windows/operation=<operation>/day=<YYYY-MM-DD>/chat_7_windows.ndjson
//
// The first has a line for each row, [lake.RowRecord], the second one for each
// window that was observed, [lake.WindowRecord]: it tells an empty window from
// an unknown one, to readers and to the sink itself.
//
// A commit takes a lock that all processes on the folder share, and replaces
// the files that differ, rows first, if both are still what was loaded. Each
// is flushed to the disk before it takes its name, so a reader sees the old
// file or the new one. Should a power cut undo the name, the comparison at the
// next start does it again: a sink holds nothing that the journal has not.
// In the same way a file that cannot be read is replaced, and its pair with it.
//
// Left out, against package parquet: object stores, activity codes, files of
// others in a day's folder (an audit does not see them), and refusing files
// of a newer version (fields that are not known are lost when a day changes).
package ndjson
