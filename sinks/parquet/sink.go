package parquet

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"wolkpipe/sinks"
	"wolkpipe/sinks/lake"
)

// Options say where a lake is.
type Options struct {
	// Bucket is a URL: file:///absolute/folder, s3://bucket?region=…,
	// gs://bucket, azblob://container, or mem:// for a lake that lasts as long
	// as the sink. The driver of any but file must be linked into the program.
	Bucket string

	// Prefix is a folder in the bucket; a missing final / is added.
	Prefix string

	// Logger is told of objects that could not be read; nil for none.
	Logger *slog.Logger
}

// Sink is a lake. It implements [sinks.Sink].
type Sink struct {
	store store
	log   *slog.Logger
}

var _ sinks.Sink = (*Sink)(nil)

// newSink makes a sink of a store.
func newSink(st store, log *slog.Logger) *Sink {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Sink{st, log}
}

// Close releases the bucket. Calls under way may fail.
func (s *Sink) Close() error { return s.store.close() }

// Load reads the two objects of a day. An object with columns that this
// version does not know is a [sinks.Error].
func (s *Sink) Load(ctx context.Context, key sinks.Key) (sinks.Held, error) {
	h, err := s.load(ctx, key)
	if err != nil {
		return nil, err
	}
	return h, nil
}

func (s *Sink) load(ctx context.Context, key sinks.Key) (*held, error) {
	rows, coverage, err := names(key)
	if err != nil {
		return nil, err
	}
	h := &held{sink: s, key: key}
	if h.rows, err = load(ctx, s.store, lake.Rows, rows); err != nil {
		return nil, err
	}
	if h.windows, err = load(ctx, s.store, lake.Windows, coverage); err != nil {
		return nil, err
	}
	return h, nil
}

// object is what the store has of one name.
type object[R any] struct {
	name    string
	guard   string
	records []R
	damage  error // why it could not be read; it then has no records
}

func load[R lake.Sortable[R]](ctx context.Context, st store, c *lake.Codec[R], name string) (object[R], error) {
	data, guard, err := st.get(ctx, name)
	if err != nil {
		return object[R]{}, fmt.Errorf("reading %s: %w", name, err)
	}
	o := object[R]{name: name, guard: guard}
	if guard == "" {
		return o, nil
	}
	records, unknown, err := c.Decode(data)
	if len(unknown) > 0 {
		return object[R]{}, &sinks.Error{
			Op:   "reading " + name,
			Err:  fmt.Errorf("a newer version wrote it: unknown columns %s", strings.Join(unknown, ", ")),
			Hint: "upgrade wolkpipe to the newest version that writes to this lake",
		}
	}
	o.records, o.damage = records, err
	return o, nil
}

// Rows reads the rows of a day, sorted; none if there is no such object.
// Columns that this version does not know are left out.
func (s *Sink) Rows(ctx context.Context, key sinks.Key) ([]lake.RowRecord, error) {
	name, _, err := names(key)
	if err != nil {
		return nil, err
	}
	return read(ctx, s.store, lake.Rows, name)
}

// Coverage reads what is known of a day's windows, sorted; none if there is
// no such object. Columns that this version does not know are left out.
func (s *Sink) Coverage(ctx context.Context, key sinks.Key) ([]lake.WindowRecord, error) {
	_, name, err := names(key)
	if err != nil {
		return nil, err
	}
	return read(ctx, s.store, lake.Windows, name)
}

func read[R lake.Sortable[R]](ctx context.Context, st store, c *lake.Codec[R], name string) ([]R, error) {
	data, guard, err := st.get(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	if guard == "" {
		return nil, nil
	}
	records, _, err := c.Decode(data)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return records, nil
}
