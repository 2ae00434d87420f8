// Package lake owns what is alike in all lakes: the records of rows, windows
// and codes, how a day becomes records, how what a lake holds is compared and
// merged with it, and the Parquet encoding of each dataset. It does no I/O;
// where files are kept and when they count is each sink's own.
package lake
