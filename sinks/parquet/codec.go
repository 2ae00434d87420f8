package parquet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"
)

// codec turns records into an object and back.
type codec[R record[R]] struct {
	schema  *parquet.Schema
	options []parquet.WriterOption
}

func newCodec[R record[R]](sorted ...string) *codec[R] {
	schema := parquet.SchemaOf(*new(R))
	columns := make([]parquet.SortingColumn, len(sorted))
	for i, name := range sorted {
		columns[i] = parquet.Ascending(name)
	}
	return &codec[R]{schema, []parquet.WriterOption{
		schema,
		parquet.Compression(&parquet.Zstd),
		parquet.DataPageVersion(1), // what every engine reads
		parquet.SortingWriterConfig(parquet.SortingColumns(columns...)),
	}}
}

var (
	rowCodec    = newCodec[RowRecord]("window_local", "agent_name", "cod_act")
	windowCodec = newCodec[WindowRecord]("window_local")
)

// encode gives the object of records, which must be sorted: one row group,
// the same bytes for the same records.
func (c *codec[R]) encode(records []R) ([]byte, error) {
	var out bytes.Buffer
	// A writer for each object: one that is reset and used again leaves out
	// the columns' names in what it writes (parquet-go/parquet-go#602).
	w := parquet.NewGenericWriter[R](&out, c.options...)
	_, err := w.Write(records)
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("encoding %d records: %w", len(records), err)
	}
	return out.Bytes(), nil
}

// errUnreadable means that an object is not one of ours, or damaged.
var errUnreadable = errors.New("not a readable Parquet file of this dataset")

const (
	batch   = 128     // records read at a time: the reader's rows are reused for the next
	reserve = 1 << 16 // records made room for at once, whatever a damaged footer claims
)

// decode reads an object, sorts its records, and names the columns in it that
// the schema does not know. Its errors are errUnreadable.
func (c *codec[R]) decode(data []byte) (records []R, unknown []string, err error) {
	defer func() { // the reader panics on some damaged files
		if p := recover(); p != nil {
			records, unknown, err = nil, nil, fmt.Errorf("%w: %v", errUnreadable, p)
		}
	}()
	if err := checkFooter(data); err != nil {
		return nil, nil, err
	}
	file, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)),
		parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	if unknown, err = c.compare(file.Schema()); err != nil {
		return nil, nil, err
	}
	reader := parquet.NewGenericReader[R](file, c.schema)
	defer func() { _ = reader.Close() }()
	want := file.NumRows()
	records = make([]R, 0, min(max(want, 0), reserve))
	for {
		records = slices.Grow(records, 1)
		n, err := reader.Read(records[len(records):min(len(records)+batch, cap(records))])
		records = records[:len(records)+n]
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%w: after %d records: %w", errUnreadable, len(records), err)
		}
	}
	if int64(len(records)) != want {
		return nil, nil, fmt.Errorf("%w: %d records in place of %d", errUnreadable, len(records), want)
	}
	if !slices.IsSortedFunc(records, R.compare) {
		slices.SortStableFunc(records, R.compare)
	}
	return records, unknown, nil
}

// checkFooter checks the length that the end of a file claims for its footer:
// the reader would make room for it, up to 4 GiB, before it finds it false.
func checkFooter(data []byte) error {
	const magic = "PAR1"
	end := len(data) - len(magic)
	if len(data) < len(magic)+4+len(magic) || string(data[end:]) != magic {
		return fmt.Errorf("%w: it does not end as one", errUnreadable)
	}
	if n := binary.LittleEndian.Uint32(data[end-4:]); int64(n) > int64(end-4-len(magic)) {
		return fmt.Errorf("%w: %d bytes cannot hold its footer of %d", errUnreadable, len(data), n)
	}
	return nil
}

// compare checks that every column of the schema is in the file with its
// type, and names those that the schema lacks. Whether a column is optional does
// not matter: tools that rewrite a file make all of them so.
func (c *codec[R]) compare(found *parquet.Schema) (unknown []string, err error) {
	have := make(map[string]parquet.Field)
	for _, f := range found.Fields() {
		have[f.Name()] = f
	}
	for _, want := range c.schema.Fields() {
		f, ok := have[want.Name()]
		delete(have, want.Name())
		switch {
		case !ok:
			return nil, fmt.Errorf("%w: it lacks the column %s", errUnreadable, want.Name())
		case !f.Leaf() || f.Repeated() || f.Type().String() != want.Type().String():
			return nil, fmt.Errorf("%w: its column %s is %s in place of %s", errUnreadable, want.Name(),
				strings.Join(strings.Fields(f.String()), " "), want.Type())
		}
	}
	for _, f := range found.Fields() {
		if _, ok := have[f.Name()]; ok {
			unknown = append(unknown, f.Name())
		}
	}
	return unknown, nil
}
