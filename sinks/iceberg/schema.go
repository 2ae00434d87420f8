package iceberg

import (
	"fmt"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"wolkpipe/sinks/lake"
)

// kind is one of the tables of a lake.
type kind[R lake.Sortable[R]] struct {
	shape
	codec *lake.Codec[R] // reads the records of a data file
	write func(p place, records []R) (encoded, error)
}

// shape is what a table has to be.
type shape struct {
	name   string
	schema *iceberg.Schema
	spec   iceberg.PartitionSpec
	order  table.SortOrder
}

// The tables, in the order in which a commit writes them.
var (
	rowsTable    = kind[lake.RowRecord]{shapeOf[rowFile]("chat_7", true, "window_local", "agent_name", "cod_act"), lake.Rows, writerOf(rowFileOf, 5, 7, 8)}
	windowsTable = kind[lake.WindowRecord]{shapeOf[windowFile]("chat_7_windows", true, "window_local"), lake.Windows, writerOf(windowFileOf, 5)}
	codesTable   = kind[lake.CodeRecord]{shapeOf[codeFile]("activity_codes", false, "cod_act"), lake.Codes, writerOf(codeFileOf, 2)}
)

// firstPartition is the id of the first partition field, which Iceberg fixes.
const firstPartition = 1000

// shapeOf derives a table from the records of its files.
func shapeOf[F any](name string, days bool, sorted ...string) shape {
	var fields []iceberg.NestedField
	for _, f := range parquet.SchemaOf(*new(F)).Fields() {
		fields = append(fields, iceberg.NestedField{ID: f.ID(), Name: f.Name(), Type: typeOf(f), Required: !f.Optional()})
	}
	schema := iceberg.NewSchema(0, fields...)
	partitions := []string{"operation"}
	if days {
		partitions = append(partitions, "day")
	}
	var parts []iceberg.PartitionField
	for i, column := range partitions {
		f, _ := schema.FindFieldByName(column)
		parts = append(parts, iceberg.PartitionField{
			SourceIDs: []int{f.ID}, FieldID: firstPartition + i, Name: column, Transform: iceberg.IdentityTransform{},
		})
	}
	var order []table.SortField
	for _, column := range sorted {
		f, _ := schema.FindFieldByName(column)
		order = append(order, table.SortField{
			SourceIDs: []int{f.ID}, Transform: iceberg.IdentityTransform{}, Direction: table.SortASC, NullOrder: table.NullsFirst,
		})
	}
	sortOrder, err := table.NewSortOrder(1, order)
	if err != nil {
		panic(fmt.Sprintf("the order of table %s: %v", name, err))
	}
	return shape{name, schema, iceberg.NewPartitionSpec(parts...), sortOrder}
}

// typeOf is the Iceberg type of a column.
func typeOf(f parquet.Field) iceberg.Type {
	if logical := f.Type().LogicalType(); logical != nil {
		switch t := logical.Value.(type) {
		case *format.TimestampType:
			if t.IsAdjustedToUTC {
				return iceberg.PrimitiveTypes.TimestampTz
			}
			return iceberg.PrimitiveTypes.Timestamp
		case *format.DateType:
			return iceberg.PrimitiveTypes.Date
		}
	}
	if f.Type().Kind() == parquet.ByteArray {
		return iceberg.PrimitiveTypes.String
	}
	return iceberg.PrimitiveTypes.Int64
}

// properties are those of a new table. Retries are ours: a commit whose fate
// is unknown must not be sent again before the table was looked at.
var properties = iceberg.Properties{
	"format-version":                          "2",
	table.CommitNumRetriesKey:                 "0",
	table.ManifestMergeEnabledKey:             "true",
	table.MetadataDeleteAfterCommitEnabledKey: "true",
	table.MetadataPreviousVersionsMaxKey:      "20",
	table.ParquetCompressionKey:               "zstd",
}

// differs says how a table that was found is not the one that was to be made,
// and names the columns that it lacks and has beyond ours.
func (s *shape) differs(found *table.Table) (missing, unknown []string, err error) {
	for _, want := range s.schema.Fields() {
		have, ok := found.Schema().FindFieldByName(want.Name)
		switch {
		case !ok && !want.Required:
			missing = append(missing, want.Name)
		case !ok:
			return nil, nil, fmt.Errorf("it lacks the column %s", want.Name)
		case have.ID != want.ID || !have.Type.Equals(want.Type) || have.Required && !want.Required:
			return nil, nil, fmt.Errorf("its column %s is %v in place of %v", want.Name, have, want)
		}
	}
	for _, have := range found.Schema().Fields() {
		if _, ok := s.schema.FindFieldByName(have.Name); !ok {
			unknown = append(unknown, have.Name)
		}
	}
	spec := found.Spec()
	if !spec.CompatibleWith(&s.spec) {
		return nil, nil, fmt.Errorf("it is partitioned by %v in place of %v", spec, s.spec)
	}
	if v := found.Metadata().Version(); v != 2 {
		return nil, nil, fmt.Errorf("its format version is %d in place of 2", v)
	}
	return missing, unknown, nil
}
