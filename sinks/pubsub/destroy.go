package pubsub

import (
	"context"
	"errors"
	"fmt"
	"strings"

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
			if isGone(err) {
				continue // somebody else did it
			}
			return n, fmt.Errorf("destroying message %d of stream %s: %w", seq, stream, err)
		}
		n++
	}
	return n, nil
}

// isGone reports whether a message was not deleted because it is not there.
// The client gives only the text of what the stream's leader answers; another
// replica, asked for the message, may lag behind.
func isGone(err error) bool {
	if !errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful) {
		return false
	}
	for _, text := range []string{"no message found", "deleted message", "sequence "} { // "sequence 7 not found"
		if strings.Contains(err.Error(), text) {
			return true
		}
	}
	return false
}
