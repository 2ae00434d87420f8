package lake

import (
	"github.com/parquet-go/parquet-go"

	"wolkpipe/schemas"
)

// column puts a column's values into records.
type column[R any] struct {
	kind parquet.Kind // of its values
	set  func(r *R, v parquet.Value, t texts)
}

// number is a column of 64-bit integers.
func number[R any, N ~int64](field func(*R) *N) column[R] {
	return column[R]{parquet.Int64, func(r *R, v parquet.Value, _ texts) { *field(r) = N(v.Int64()) }}
}

// text is a column of strings.
func text[R any, S ~string](field func(*R) *S) column[R] {
	return column[R]{parquet.ByteArray, func(r *R, v parquet.Value, t texts) { *field(r) = S(*t.of(v)) }}
}

// texts are the strings of an object, each once: few stand in many rows.
type texts map[string]*string

func (t texts) of(v parquet.Value) *string {
	data := v.ByteArray()
	if s, ok := t[string(data)]; ok {
		return s
	}
	s := string(data)
	t[s] = &s
	return &s
}

// rowColumns are the columns of RowRecord, in the order of its fields.
var rowColumns = []column[RowRecord]{
	number(func(r *RowRecord) *Instant { return &r.WindowStart }),
	number(func(r *RowRecord) *Instant { return &r.WindowEnd }),
	number(func(r *RowRecord) *WallClock { return &r.WindowLocal }),
	text(func(r *RowRecord) *string { return &r.Timezone }),
	text(func(r *RowRecord) *string { return &r.Agent }),
	text(func(r *RowRecord) *string { return &r.Code }),
	{parquet.ByteArray, func(r *RowRecord, v parquet.Value, t texts) { r.Description = t.of(v) }},
	number(func(r *RowRecord) *int64 { return &r.Interactions }),
	text(func(r *RowRecord) *schemas.Method { return &r.Method }),
	number(func(r *RowRecord) *Instant { return &r.ObservedAt }),
}

// windowColumns are the columns of WindowRecord, in the order of its fields.
var windowColumns = []column[WindowRecord]{
	number(func(r *WindowRecord) *Instant { return &r.WindowStart }),
	number(func(r *WindowRecord) *Instant { return &r.WindowEnd }),
	number(func(r *WindowRecord) *WallClock { return &r.WindowLocal }),
	text(func(r *WindowRecord) *string { return &r.Timezone }),
	number(func(r *WindowRecord) *Instant { return &r.ObservedAt }),
	text(func(r *WindowRecord) *schemas.Method { return &r.Method }),
	text(func(r *WindowRecord) *schemas.State { return &r.State }),
	number(func(r *WindowRecord) *int64 { return &r.RowCount }),
	number(func(r *WindowRecord) *int64 { return &r.Interactions }),
	number(func(r *WindowRecord) *int64 { return &r.RejectedRows }),
	number(func(r *WindowRecord) *int64 { return &r.DroppedRows }),
}
