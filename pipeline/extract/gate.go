package extract

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"
)

// Gates hands out one [Gate] for each token of a source, so that operations
// that share a token share its gate. Tokens are kept as hashes.
type Gates struct {
	mu    sync.Mutex
	gates map[[sha256.Size]byte]*Gate
}

// For gives the gate of a token at a source.
func (g *Gates) For(url, token string) *Gate {
	key := sha256.Sum256([]byte(url + "\x00" + token))
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.gates == nil {
		g.gates = map[[sha256.Size]byte]*Gate{}
	}
	gate := g.gates[key]
	if gate == nil {
		gate = NewGate()
		g.gates[key] = gate
	}
	return gate
}

// Gate lets one call at a time through, and none while an earlier one may
// still be running at the source.
type Gate struct {
	slot chan struct{} // holds one token, taken for the length of a call

	mu   sync.Mutex
	busy time.Time // until then the source may be working on an abandoned call
}

// NewGate makes an open gate.
func NewGate() *Gate {
	g := &Gate{slot: make(chan struct{}, 1)}
	g.slot <- struct{}{}
	return g
}

// enter waits for the gate; leave must be called when the call is over.
func (g *Gate) enter(ctx context.Context, clock Clock) error {
	select {
	case <-g.slot:
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		g.mu.Lock()
		wait := g.busy.Sub(clock.Now())
		g.mu.Unlock()
		if wait <= 0 {
			return nil
		}
		if err := clock.Sleep(ctx, wait); err != nil {
			g.slot <- struct{}{}
			return err
		}
	}
}

// leave frees the gate; until then is when a call without an answer can no
// longer be running at the source, zero for a call that was answered.
func (g *Gate) leave(until time.Time) {
	g.mu.Lock()
	if until.After(g.busy) {
		g.busy = until
	}
	g.mu.Unlock()
	g.slot <- struct{}{}
}
