package sinks_test

import (
	"context"
	"errors"
	"testing"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/sinktest"
)

// keeping is a sink in memory with the rest of what a lake can do.
type keeping struct {
	sinks.Sink
	codes int
}

func (k *keeping) Audit(_ context.Context, _ string, days []string) (map[string]*sinks.Audited, error) {
	return map[string]*sinks.Audited{days[0]: {}}, nil
}

func (k *keeping) PutCodes(_ context.Context, _ string, codes []schemas.ActivityCode) (bool, error) {
	k.codes += len(codes)
	return true, nil
}

// TestLate: a store that is away at first is opened by the call that finds it
// back, once, and then does everything.
func TestLate(t *testing.T) {
	away := errors.New("connection refused")
	opened, left := 0, 3
	lake := &keeping{Sink: sinktest.NewMemory()}
	late := sinks.NewLate(4, func(context.Context) (sinks.Analytic, error) {
		if left--; left >= 0 {
			return nil, away
		}
		opened++
		return lake, nil
	})
	if late.Batch() != 4 {
		t.Errorf("Batch is %d", late.Batch())
	}
	key := sinks.Key{Operation: "ventas", Day: "2026-11-01"}
	if _, err := late.Load(t.Context(), key); !errors.Is(err, away) {
		t.Errorf("Load: %v", err)
	}
	if _, err := late.Audit(t.Context(), key.Operation, []string{key.Day}); !errors.Is(err, away) {
		t.Errorf("Audit: %v", err)
	}
	if _, err := late.PutCodes(t.Context(), key.Operation, make([]schemas.ActivityCode, 2)); !errors.Is(err, away) {
		t.Errorf("PutCodes: %v", err)
	}
	if _, err := late.Load(t.Context(), key); err != nil {
		t.Errorf("Load of a store that is back: %v", err)
	}
	if audited, err := late.Audit(t.Context(), key.Operation, []string{key.Day}); err != nil || audited[key.Day] == nil {
		t.Errorf("Audit of a store that is back: %v, %v", audited, err)
	}
	if wrote, err := late.PutCodes(t.Context(), key.Operation, make([]schemas.ActivityCode, 2)); err != nil || !wrote || lake.codes != 2 {
		t.Errorf("PutCodes of a store that is back: %v, %v, %d codes", wrote, err, lake.codes)
	}
	if opened != 1 {
		t.Errorf("opened %d times", opened)
	}
	if err := late.Close(); err != nil {
		t.Error(err)
	}
}

// TestLateGivesUpWithItsContext: a call does not wait for another's attempt longer than it may.
func TestLateGivesUpWithItsContext(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	late := sinks.NewLate(1, func(context.Context) (sinks.Analytic, error) {
		close(begun)
		<-release
		return nil, errors.New("timed out")
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = late.Load(t.Context(), sinks.Key{})
	}()
	<-begun
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := late.Load(ctx, sinks.Key{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Load under an ended context: %v", err)
	}
	close(release)
	<-done
	if err := late.Close(); err != nil {
		t.Error(err)
	}
}
