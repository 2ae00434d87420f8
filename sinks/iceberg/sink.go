package iceberg

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"

	"wolkpipe/sinks"
	"wolkpipe/sinks/lake"
)

// Sink is a lake of Iceberg tables. It implements [sinks.Sink].
type Sink struct {
	store   *store
	options Options
	log     *slog.Logger

	rows, windows, codes *lakeTable

	queue queue
	ctx   context.Context // ends with Close
	end   context.CancelFunc
	done  sync.WaitGroup
}

var (
	_ sinks.Sink       = (*Sink)(nil)
	_ sinks.Batcher    = (*Sink)(nil)
	_ sinks.CodeKeeper = (*Sink)(nil)
	_ sinks.Auditor    = (*Sink)(nil)
)

func newSink(st *store, o Options) *Sink {
	s := &Sink{store: st, options: o, log: o.Logger}
	s.ctx, s.end = context.WithCancel(st.with(context.Background()))
	s.queue.moved = make(chan struct{}, 1)
	table := func(sh *shape) *lakeTable {
		return &lakeTable{shape: sh, store: st, ident: append(strings.Split(o.Namespace, "."), sh.name)}
	}
	s.rows, s.windows, s.codes = table(&rowsTable.shape), table(&windowsTable.shape), table(&codesTable.shape)
	return s
}

func (s *Sink) tables() []*lakeTable { return []*lakeTable{s.rows, s.windows, s.codes} }

// start begins what runs beside the callers.
func (s *Sink) start() {
	s.done.Go(s.gather)
	if s.options.MaintainEvery > 0 {
		s.done.Go(s.maintain)
	}
}

// Close ends what is under way and releases the catalog.
func (s *Sink) Close() error {
	s.end()
	s.done.Wait()
	return s.store.close()
}

// Batch is how many days are worth being committed at once.
const Batch = maxDays / 2

// Batch implements [sinks.Batcher].
func (s *Sink) Batch() int { return Batch }

// Load reads the files of a day in the current snapshots.
func (s *Sink) Load(ctx context.Context, key sinks.Key) (sinks.Held, error) {
	h, err := s.load(ctx, key)
	if err != nil {
		return nil, err
	}
	return h, nil
}

// load reads the coverage first: rows that another worker commits in between
// are then newer than it, as they are to readers.
func (s *Sink) load(ctx context.Context, key sinks.Key) (*held, error) {
	if err := lake.CheckKey(key); err != nil {
		return nil, err
	}
	h := &held{sink: s, key: key}
	windows, err := s.windows.load(ctx)
	if err == nil {
		h.windows, err = read(ctx, windows, &windowsTable, key)
	}
	if err != nil {
		return nil, s.hide(err)
	}
	rows, err := s.rows.load(ctx)
	if err == nil {
		h.rows, err = read(ctx, rows, &rowsTable, key)
	}
	if err != nil {
		return nil, s.hide(err)
	}
	return h, nil
}

// hide keeps secrets out of an error.
func (s *Sink) hide(err error) error {
	var known *sinks.Error
	if err == nil || errors.As(err, &known) || errors.Is(err, sinks.ErrConflict) {
		return err
	}
	return hidden(err, &s.options)
}

// Rows reads the rows of a day, sorted; none if it has no file.
func (s *Sink) Rows(ctx context.Context, key sinks.Key) ([]lake.RowRecord, error) {
	return records(ctx, s, s.rows, &rowsTable, key)
}

// Coverage reads what is known of a day's windows, sorted; none if it has no
// file.
func (s *Sink) Coverage(ctx context.Context, key sinks.Key) ([]lake.WindowRecord, error) {
	return records(ctx, s, s.windows, &windowsTable, key)
}

func records[R lake.Sortable[R]](ctx context.Context, s *Sink, t *lakeTable, k *kind[R], key sinks.Key) ([]R, error) {
	v, err := t.load(ctx)
	if err != nil {
		return nil, s.hide(err)
	}
	p, err := read(ctx, v, k, key)
	if err == nil {
		err = p.damage
	}
	return p.records, s.hide(err)
}
