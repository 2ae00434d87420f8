package pipeline

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"wolkpipe/pipeline/codes"
	"wolkpipe/schemas"
	"wolkpipe/sinks"
)

// keeping brings the activity codes to the sinks that keep them: at the
// start, when they change, and daily whatever was missed.
type keeping struct {
	*codes.Book
	kept atomic.Uint64 // the version that the sinks hold, and one; 0: none
}

// Where nobody can be asked, a sink is given this long.
const putTime = 30 * time.Second

// keepCodes works until ctx ends. What fails is tried again; nothing else
// waits for it.
func (p *Pipeline) keepCodes(ctx context.Context) {
	for failed := 0; ctx.Err() == nil; {
		version, changed := p.codes.Version()
		wait := p.o.SweepEvery
		if err := p.putCodes(ctx, version); err != nil {
			wait = retryWait(failed)
			failed++
			p.o.Log.Warn("a sink does not take the activity codes; trying again", "in", wait.Round(time.Millisecond), "error", err)
		} else {
			failed = 0
		}
		timer := time.NewTimer(wait)
		if failed > 0 {
			changed = nil // a sink that fails is left in peace
		}
		select {
		case <-timer.C:
		case <-changed:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// putCodes gives all codes that are known to every sink that keeps them.
func (p *Pipeline) putCodes(ctx context.Context, version uint64) error {
	var all error
	for _, w := range p.workers {
		keeper, ok := w.sink.(sinks.CodeKeeper)
		if !ok {
			continue
		}
		for _, operation := range p.codes.Operations() {
			if err := putCodes(ctx, keeper, operation, p.codes.All(operation)); err != nil {
				all = errors.Join(all, fmt.Errorf("sink %s: the codes of %s: %w", w.name, operation, err))
			}
		}
	}
	if all == nil {
		p.codes.kept.Store(version + 1)
	}
	return all
}

// putCodes gives an operation's codes to a sink; who wrote in between is
// merged with at once.
func putCodes(ctx context.Context, keeper sinks.CodeKeeper, operation string, all []schemas.ActivityCode) error {
	ctx, cancel := context.WithTimeout(ctx, putTime)
	defer cancel()
	for tries := 0; ; tries++ {
		_, err := keeper.PutCodes(ctx, operation, all)
		if !errors.Is(err, sinks.ErrConflict) || tries == 3 {
			return err
		}
	}
}

// putLast gives the sinks what they lack when the pipeline stops.
func (p *Pipeline) putLast(ctx context.Context) {
	version, _ := p.codes.Version()
	if p.codes.kept.Load() > version {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	if err := p.putCodes(ctx, version); err != nil {
		p.o.Log.Warn("a sink did not take the activity codes; it takes them at the next start", "error", err)
	}
}
