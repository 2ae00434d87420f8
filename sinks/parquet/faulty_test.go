package parquet

import (
	"context"
	"errors"
)

// fault is what happens to one put.
type fault int

const (
	none   fault = iota
	before       // nothing was written
	after        // all was written, the answer was lost
)

var errInjected = errors.New("injected")

// faulty is a store whose puts fail as told.
type faulty struct {
	store
	fail func(name string) fault
}

func (f *faulty) put(ctx context.Context, name string, data []byte, guard string) error {
	what := f.fail(name)
	if what == before {
		return errInjected
	}
	if err := f.store.put(ctx, name, data, guard); err != nil {
		return err
	}
	if what == after {
		return errInjected
	}
	return nil
}
