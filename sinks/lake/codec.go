package lake

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	parquetzstd "github.com/parquet-go/parquet-go/compress/zstd"
)

// Compression of all files. The next level costs twice the time for 6 % less
// of coverage and nothing of rows, the default one saves no time.
var Compression = &parquetzstd.Codec{Level: zstd.SpeedBetterCompression}

// Codec turns records into an object and back.
type Codec[R Sortable[R]] struct {
	schema  *parquet.Schema
	options []parquet.WriterOption
	columns []column[R]
}

func newCodec[R Sortable[R]](all []column[R], sorted ...string) *Codec[R] {
	schema := parquet.SchemaOf(*new(R))
	columns := make([]parquet.SortingColumn, len(sorted))
	for i, name := range sorted {
		columns[i] = parquet.Ascending(name)
	}
	return &Codec[R]{schema, []parquet.WriterOption{
		schema,
		parquet.Compression(Compression),
		parquet.DataPageVersion(1), // what every engine reads
		// Least and greatest value stand in the footer; a file has a page a column.
		parquet.DataPageStatistics(false),
		parquet.SortingWriterConfig(parquet.SortingColumns(columns...)),
	}, all}
}

// The codecs of the datasets.
var (
	Rows    = newCodec(rowColumns, "window_local", "agent_name", "cod_act")
	Windows = newCodec(windowColumns, "window_local")
	Codes   = newCodec(codeColumns, "cod_act")
)

// Encode gives the object of records, which must be sorted: one row group,
// the same bytes for the same records.
func (c *Codec[R]) Encode(records []R) ([]byte, error) {
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

// ErrUnreadable means that an object is not one of ours, or damaged.
var ErrUnreadable = errors.New("not a readable Parquet file of this dataset")

const (
	batch   = 128     // records read at a time: the reader's rows are reused for the next
	reserve = 1 << 16 // records made room for at once, whatever a damaged footer claims
)

// Decode reads an object, sorts its records, and names the columns in it that
// the schema does not know. Its errors are ErrUnreadable.
func (c *Codec[R]) Decode(data []byte) (records []R, unknown []string, err error) {
	defer func() { // the reader panics on some damaged files
		if p := recover(); p != nil {
			records, unknown, err = nil, nil, fmt.Errorf("%w: %v", ErrUnreadable, p)
		}
	}()
	if err := checkFooter(data); err != nil {
		return nil, nil, err
	}
	file, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)),
		parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	if unknown, err = c.compare(file.Schema()); err != nil {
		return nil, nil, err
	}
	reader := parquet.NewGenericReader[R](file, c.schema)
	defer func() { _ = reader.Close() }()
	want := file.NumRows()
	records = make([]R, 0, min(max(want, 0), reserve))
	rows, texts := make([]parquet.Row, batch), make(texts)
	for {
		n, err := reader.ReadRows(rows)
		for _, row := range rows[:n] {
			r, err := c.record(row, texts)
			if err != nil {
				return nil, nil, err
			}
			records = append(records, r)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%w: after %d records: %w", ErrUnreadable, len(records), err)
		}
	}
	if int64(len(records)) != want {
		return nil, nil, fmt.Errorf("%w: %d records in place of %d", ErrUnreadable, len(records), want)
	}
	if !slices.IsSortedFunc(records, R.Compare) {
		slices.SortStableFunc(records, R.Compare)
	}
	return records, unknown, nil
}

// record is the record of a row. The reader could make it by itself, but where
// a damaged footer leads it to another column's values it takes numbers for
// addresses, and the process ends.
func (c *Codec[R]) record(row parquet.Row, texts texts) (r R, err error) {
	for _, v := range row {
		if v.IsNull() {
			continue
		}
		i := v.Column()
		if i < 0 || i >= len(c.columns) || v.Kind() != c.columns[i].kind {
			return r, fmt.Errorf("%w: a value of kind %s stands in column %d", ErrUnreadable, v.Kind(), i)
		}
		c.columns[i].set(&r, v, texts)
	}
	return r, nil
}

// checkFooter checks the length that the end of a file claims for its footer:
// the reader would make room for it, up to 4 GiB, before it finds it false.
func checkFooter(data []byte) error {
	const magic = "PAR1"
	end := len(data) - len(magic)
	if len(data) < len(magic)+4+len(magic) || string(data[end:]) != magic {
		return fmt.Errorf("%w: it does not end as one", ErrUnreadable)
	}
	if n := binary.LittleEndian.Uint32(data[end-4:]); int64(n) > int64(end-4-len(magic)) {
		return fmt.Errorf("%w: %d bytes cannot hold its footer of %d", ErrUnreadable, len(data), n)
	}
	return nil
}

// compare checks that every column of the schema is in the file with its
// type, and names those that the schema lacks. Whether a column is optional does
// not matter: tools that rewrite a file make all of them so.
func (c *Codec[R]) compare(found *parquet.Schema) (unknown []string, err error) {
	have := make(map[string]parquet.Field)
	for _, f := range found.Fields() {
		have[f.Name()] = f
	}
	for _, want := range c.schema.Fields() {
		f, ok := have[want.Name()]
		delete(have, want.Name())
		switch {
		case !ok:
			return nil, fmt.Errorf("%w: it lacks the column %s", ErrUnreadable, want.Name())
		case !f.Leaf() || f.Repeated() || f.Type().String() != want.Type().String():
			return nil, fmt.Errorf("%w: its column %s is %s in place of %s", ErrUnreadable, want.Name(),
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
