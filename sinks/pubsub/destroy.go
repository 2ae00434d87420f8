package pubsub

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// Destroy overwrites messages of a stream where they are stored, and removes
// them, in the order given. It gives how many were there. What is gone
// already is passed over, so that an interrupted call can be made again.
func Destroy(ctx context.Context, js jetstream.JetStream, stream string, sequences []uint64) (n int, err error) {
	if len(sequences) == 0 {
		return 0, nil
	}
	s, err := js.Stream(ctx, stream)
	if err != nil {
		return 0, fmt.Errorf("opening stream %s: %w", stream, err)
	}
	for _, seq := range sequences {
		if err := s.SecureDeleteMsg(ctx, seq); err != nil {
			if _, getErr := s.GetMsg(ctx, seq); errors.Is(getErr, jetstream.ErrMsgNotFound) {
				continue // somebody else did it
			}
			return n, fmt.Errorf("destroying message %d of stream %s: %w", seq, stream, err)
		}
		n++
	}
	return n, nil
}
