package iceberg

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/apache/iceberg-go"
	"github.com/parquet-go/parquet-go"

	"wolkpipe/sinks/lake"
)

// encoded is a data file before it has a place.
type encoded struct {
	data  []byte
	rows  int64
	stats stats
}

// stats are a file's column statistics, by field id.
type stats struct {
	sizes, values, nulls map[int]int64
	lower, upper         map[int][]byte
}

// writerOf gives what encodes records as files of F, sorted by the columns of
// those ids.
func writerOf[F any, R lake.Sortable[R]](of func(place, *R) F, sorted ...int) func(place, []R) (encoded, error) {
	schema := parquet.SchemaOf(*new(F))
	fields := schema.Fields()
	var order []parquet.SortingColumn
	for _, id := range sorted {
		for _, f := range fields {
			if f.ID() == id {
				order = append(order, parquet.Ascending(f.Name()))
			}
		}
	}
	return func(p place, records []R) (encoded, error) {
		var out bytes.Buffer
		w := parquet.NewGenericWriter[F](&out, schema,
			parquet.Compression(lake.Compression),
			parquet.DataPageVersion(1), // what every engine reads
			parquet.DataPageStatistics(false),
			parquet.SortingWriterConfig(parquet.SortingColumns(order...)))
		found := newRanges(fields)
		files := make([]F, len(records))
		var row parquet.Row
		for i := range records {
			files[i] = of(p, &records[i])
			row = schema.Deconstruct(row[:0], &files[i])
			found.add(row)
		}
		_, err := w.Write(files)
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			return encoded{}, fmt.Errorf("encoding %d records: %w", len(records), err)
		}
		e := encoded{data: out.Bytes(), rows: int64(len(records)), stats: found.stats()}
		if err := e.measure(fields); err != nil {
			return encoded{}, fmt.Errorf("reading %d records that were just encoded: %w", len(records), err)
		}
		return e, nil
	}
}

// measure reads the columns' sizes from the footer.
func (e *encoded) measure(fields []parquet.Field) error {
	file, err := parquet.OpenFile(bytes.NewReader(e.data), int64(len(e.data)), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return err
	}
	for _, group := range file.Metadata().RowGroups {
		for i := range group.Columns {
			e.stats.sizes[fields[i].ID()] += group.Columns[i].MetaData.TotalCompressedSize
		}
	}
	return nil
}

// ranges finds the least and the greatest value of each column.
type ranges struct {
	fields []parquet.Field
	least  []parquet.Value
	most   []parquet.Value
	values []int64
	nulls  []int64
}

func newRanges(fields []parquet.Field) *ranges {
	n := len(fields)
	return &ranges{fields, make([]parquet.Value, n), make([]parquet.Value, n), make([]int64, n), make([]int64, n)}
}

func (r *ranges) add(row parquet.Row) {
	for _, v := range row {
		i := v.Column()
		r.values[i]++
		if v.IsNull() {
			r.nulls[i]++
			continue
		}
		typ := r.fields[i].Type()
		if r.least[i].IsNull() || typ.Compare(v, r.least[i]) < 0 {
			r.least[i] = v.Clone()
		}
		if r.most[i].IsNull() || typ.Compare(v, r.most[i]) > 0 {
			r.most[i] = v.Clone()
		}
	}
}

func (r *ranges) stats() stats {
	s := stats{map[int]int64{}, map[int]int64{}, map[int]int64{}, map[int][]byte{}, map[int][]byte{}}
	for i, f := range r.fields {
		s.values[f.ID()], s.nulls[f.ID()] = r.values[i], r.nulls[i]
		if r.least[i].IsNull() {
			continue
		}
		s.lower[f.ID()] = bound(typeOf(f), r.least[i], shortLower)
		if upper := bound(typeOf(f), r.most[i], shortUpper); upper != nil {
			s.upper[f.ID()] = upper
		}
	}
	return s
}

// bound is a value as manifests hold it.
func bound(typ iceberg.Type, v parquet.Value, short func(string) (string, bool)) []byte {
	var literal interface{ MarshalBinary() ([]byte, error) }
	switch typ {
	case iceberg.PrimitiveTypes.String:
		text, ok := short(string(v.ByteArray()))
		if !ok {
			return nil
		}
		return []byte(text)
	case iceberg.PrimitiveTypes.Date:
		literal = iceberg.DateLiteral(v.Int32())
	case iceberg.PrimitiveTypes.Timestamp, iceberg.PrimitiveTypes.TimestampTz:
		literal = iceberg.TimestampLiteral(v.Int64())
	default:
		literal = iceberg.Int64Literal(v.Int64())
	}
	data, err := literal.MarshalBinary()
	if err != nil {
		return nil
	}
	return data
}

// boundLength is how many characters of a text manifests hold.
const boundLength = 16

// shortLower is a text, or what begins it: no greater than it.
func shortLower(s string) (string, bool) {
	head, _ := cut(s)
	return head, true
}

// shortUpper is a text, or a shorter one that is greater: its last character
// that has a next one is replaced by that. There may be none.
func shortUpper(s string) (string, bool) {
	head, whole := cut(s)
	if whole {
		return s, true
	}
	runes := []rune(head)
	for i := len(runes) - 1; i >= 0; i-- {
		next := runes[i] + 1
		if next == 0xD800 { // surrogates are no characters
			next = 0xE000
		}
		if next <= utf8.MaxRune {
			return string(append(runes[:i], next)), true
		}
	}
	return "", false
}

func cut(s string) (head string, whole bool) {
	n := 0
	for at := range s {
		if n == boundLength {
			return s[:at], false
		}
		n++
	}
	return s, true
}

// dataFile is what a manifest says of a file at a path.
func (e *encoded) dataFile(s *shape, spec iceberg.PartitionSpec, p place, path string) (iceberg.DataFile, error) {
	partition := map[int]any{firstPartition: p.operation}
	logical := map[int]string{}
	if spec.NumFields() > 1 {
		partition[firstPartition+1] = iceberg.Date(p.day)
		logical[firstPartition+1] = "date"
	}
	b, err := iceberg.NewDataFileBuilder(spec, iceberg.EntryContentData, path, iceberg.ParquetFile, partition, logical, nil, e.rows, int64(len(e.data)))
	if err != nil {
		return nil, fmt.Errorf("describing a file of %s: %w", s.name, err)
	}
	return b.ColumnSizes(e.stats.sizes).ValueCounts(e.stats.values).NullValueCounts(e.stats.nulls).
		LowerBoundValues(e.stats.lower).UpperBoundValues(e.stats.upper).
		SplitOffsets([]int64{4}).SortOrderID(s.order.OrderID()).Build(), nil
}
