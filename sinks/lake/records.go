package lake

import (
	"cmp"
	"time"

	"wolkpipe/schemas"
)

// Instant is a point in time, in microseconds since 1970-01-01T00:00:00Z.
type Instant int64

// Time is i in UTC.
func (i Instant) Time() time.Time { return time.UnixMicro(int64(i)).UTC() }

// String formats i as RFC 3339 in UTC, with microseconds where it has any.
func (i Instant) String() string { return i.Time().Format(time.RFC3339Nano) }

// InstantOf is t, cut to microseconds.
func InstantOf(t time.Time) Instant { return Instant(t.UnixMicro()) }

// WallClock is a reading of a clock on the wall, without a zone, in
// microseconds since 1970-01-01T00:00:00 on that clock.
type WallClock int64

// WallLayout is how a WallClock is written.
const WallLayout = "2006-01-02T15:04:05"

// String formats w as in schemas.Window.Local: 2006-01-02T15:04:05.
func (w WallClock) String() string { return time.UnixMicro(int64(w)).UTC().Format(WallLayout) }

// ParseWallClock reads 2006-01-02T15:04:05.
func ParseWallClock(s string) (WallClock, error) {
	t, err := time.Parse(WallLayout, s)
	return WallClock(t.UnixMicro()), err
}

// RowRecord is a row of the rows object. Records are sorted by WindowLocal,
// Agent, Code, which are the key.
//
// Instants have no dictionary: with some hundred rows a day nearly every one is
// new, and then it costs a third of the file. Delta encoding would be smaller
// still, but not every engine reads it (Spark before 3.3, Iceberg's vectorized
// reader, StarRocks).
type RowRecord struct {
	WindowStart  Instant        `parquet:"window_start,timestamp(microsecond:utc)" json:"window_start"`
	WindowEnd    Instant        `parquet:"window_end,timestamp(microsecond:utc)" json:"window_end"`       // exclusive
	WindowLocal  WallClock      `parquet:"window_local,timestamp(microsecond:local)" json:"window_local"` // the wall clock at WindowStart
	Timezone     string         `parquet:"timezone,dict" json:"timezone"`                                 // IANA
	Agent        string         `parquet:"agent_name,dict" json:"agent_name"`
	Code         string         `parquet:"cod_act,dict" json:"cod_act"`
	Description  *string        `parquet:"description_cod_act,optional,dict" json:"description_cod_act"`
	Interactions int64          `parquet:"interactions" json:"interactions"`
	Method       schemas.Method `parquet:"method,dict" json:"method"`
	ObservedAt   Instant        `parquet:"observed_at,timestamp(microsecond:utc)" json:"observed_at"`
}

// Local implements [Record].
func (r RowRecord) Local() WallClock { return r.WindowLocal }

// Observed implements [Record].
func (r RowRecord) Observed() Instant { return r.ObservedAt }

// Same compares all but the description, which the source edits at will.
func (r RowRecord) Same(o RowRecord) bool {
	r.Description, o.Description = nil, nil
	return r == o
}

// Compare orders by the key.
func (r RowRecord) Compare(o RowRecord) int {
	return cmp.Or(cmp.Compare(r.WindowLocal, o.WindowLocal), cmp.Compare(r.Agent, o.Agent), cmp.Compare(r.Code, o.Code))
}

// WindowRecord is a row of the coverage object: one for each window that was
// ever observed, sorted by WindowLocal, which is the key.
type WindowRecord struct {
	WindowStart  Instant        `parquet:"window_start,timestamp(microsecond:utc)" json:"window_start"`
	WindowEnd    Instant        `parquet:"window_end,timestamp(microsecond:utc)" json:"window_end"`       // exclusive
	WindowLocal  WallClock      `parquet:"window_local,timestamp(microsecond:local)" json:"window_local"` // the wall clock at WindowStart
	Timezone     string         `parquet:"timezone,dict" json:"timezone"`                                 // IANA
	ObservedAt   Instant        `parquet:"observed_at,timestamp(microsecond:utc)" json:"observed_at"`
	Method       schemas.Method `parquet:"method,dict" json:"method"`
	State        schemas.State  `parquet:"state,dict" json:"state"` // of the day, when it was last told
	RowCount     int64          `parquet:"row_count" json:"row_count"`
	Interactions int64          `parquet:"interactions" json:"interactions"` // over all rows
	RejectedRows int64          `parquet:"rejected_rows" json:"rejected_rows"`
	DroppedRows  int64          `parquet:"dropped_rows" json:"dropped_rows"` // duplicates
}

// Local implements [Record].
func (r WindowRecord) Local() WallClock { return r.WindowLocal }

// Observed implements [Record].
func (r WindowRecord) Observed() Instant { return r.ObservedAt }

// Same implements [Record].
func (r WindowRecord) Same(o WindowRecord) bool { return r == o }

// Compare orders by the key.
func (r WindowRecord) Compare(o WindowRecord) int { return cmp.Compare(r.WindowLocal, o.WindowLocal) }

// Record is what a commit needs to know of either kind.
type Record[R any] interface {
	Sortable[R]
	Local() WallClock
	Observed() Instant
	Same(R) bool
}

// Sortable is what an object needs to know of its records.
type Sortable[R any] interface{ Compare(R) int }
