package sinks

import (
	"context"
	"fmt"

	"wolkpipe/schemas"
)

// Analytic is what a sink for analysts can do.
type Analytic interface {
	Auditor
	CodeKeeper
}

// Late is an [Analytic] sink that could not be opened yet, because its store was away:
// each call tries to, until one has. So a pipeline starts, polls and records
// while a store is down, and its sink catches up.
type Late struct {
	open  func(context.Context) (Analytic, error)
	batch int
	turn  chan struct{} // holds one token: the right to look at sink
	sink  Analytic
}

var (
	_ Analytic = (*Late)(nil)
	_ Batcher  = (*Late)(nil)
)

// NewLate makes a Late of what opens it and of how many days it wants at once,
// as in [Batcher].
func NewLate(batch int, open func(context.Context) (Analytic, error)) *Late {
	l := &Late{open: open, batch: batch, turn: make(chan struct{}, 1)}
	l.turn <- struct{}{}
	return l
}

// get gives the sink, opened now if it was not.
func (l *Late) get(ctx context.Context) (Analytic, error) {
	select {
	case <-l.turn:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { l.turn <- struct{}{} }()
	if l.sink == nil {
		sink, err := l.open(ctx)
		if err != nil {
			return nil, fmt.Errorf("its store was away when wolkpipe started, and still is: %w", err)
		}
		l.sink = sink
	}
	return l.sink, nil
}

// Batch implements [Batcher].
func (l *Late) Batch() int { return l.batch }

// Load implements [Sink].
func (l *Late) Load(ctx context.Context, key Key) (Held, error) {
	sink, err := l.get(ctx)
	if err != nil {
		return nil, err
	}
	return sink.Load(ctx, key)
}

// Audit implements [Auditor].
func (l *Late) Audit(ctx context.Context, operation string, days []string) (map[string]*Audited, error) {
	sink, err := l.get(ctx)
	if err != nil {
		return nil, err
	}
	return sink.Audit(ctx, operation, days)
}

// PutCodes implements [CodeKeeper].
func (l *Late) PutCodes(ctx context.Context, operation string, codes []schemas.ActivityCode) (wrote bool, err error) {
	sink, err := l.get(ctx)
	if err != nil {
		return false, err
	}
	return sink.PutCodes(ctx, operation, codes)
}

// Close implements [Sink]. A call that is opening the store is waited for.
func (l *Late) Close() error {
	<-l.turn
	defer func() { l.turn <- struct{}{} }()
	if l.sink == nil {
		return nil
	}
	return l.sink.Close()
}
