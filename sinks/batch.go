package sinks

// Batcher is a [Sink] whose commits cost little more for many days than for
// one, because it gathers what is committed at the same time.
type Batcher interface {
	// Batch is how many days are worth being converged at once, at least 1.
	Batch() int
}
