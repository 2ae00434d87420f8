package sinks

import "context"

// Past is what a store is to forget of an operation.
type Past struct {
	Operation string
	Agent     func(name string) bool // of a row as sinks are given it
	Raw       func(row []byte) bool  // of a row as the source sent it
}

// Forgetter is a sink whose store keeps more than days as they now are: what
// was told before, earlier snapshots.
type Forgetter interface {
	// Forget destroys what the store still has of the past and names such an
	// agent, and gives the number of messages or snapshots that went. What
	// stands now is left alone: where that names one, the sink has not
	// converged, and it is an error. Interrupted, call it again.
	Forget(ctx context.Context, p Past) (int, error)
}

// Forget implements [Forgetter], where the sink does.
func (l *Late) Forget(ctx context.Context, p Past) (int, error) {
	sink, err := l.get(ctx)
	if err != nil {
		return 0, err
	}
	if f, ok := sink.(Forgetter); ok {
		return f.Forget(ctx, p)
	}
	return 0, nil
}
