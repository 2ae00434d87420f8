package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
)

// control asks a daemon over its micro service. The error is
// nats.ErrNoResponders where none runs, or what the daemon says.
func control(ctx context.Context, nc *nats.Conn, subject string, question, answer any) error {
	return controlWithin(ctx, answerLimit, nc, subject, question, answer)
}

func controlWithin(ctx context.Context, limit time.Duration, nc *nats.Conn, subject string, question, answer any) error {
	data, err := json.Marshal(question)
	if err != nil {
		return err
	}
	waiting, stop := context.WithTimeout(ctx, limit)
	defer stop()
	msg, err := nc.RequestWithContext(waiting, subject, data)
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return err
	case err != nil && ctx.Err() == nil && waiting.Err() != nil:
		return fmt.Errorf("the daemon did not answer %s within %s: is it overloaded, or NATS away", subject, limit)
	case err != nil:
		return fmt.Errorf("asking the daemon %s: %w", subject, err)
	}
	if text := msg.Header.Get(micro.ErrorHeader); text != "" {
		if msg.Header.Get(micro.ErrorCodeHeader) == "400" {
			return usagef("%s", text)
		}
		return fmt.Errorf("the daemon says: %s", text)
	}
	if err := json.Unmarshal(msg.Data, answer); err != nil {
		return fmt.Errorf("reading the daemon's answer to %s: %w", subject, err)
	}
	return nil
}

// answerLimit is how long a daemon may take to answer.
const answerLimit = 5 * time.Second
