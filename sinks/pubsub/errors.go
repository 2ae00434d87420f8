package pubsub

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// What a publisher's caller has to decide by. Other errors are refusals that
// no retry mends.
var (
	// ErrConflict means that nothing was stored, because something else was
	// there first: read again and compare.
	ErrConflict = errors.New("the stream has moved")

	// ErrWrongLastSequence is the [ErrConflict] of a guard.
	ErrWrongLastSequence = fmt.Errorf("%w: the guard's sequence is not the last", ErrConflict)

	// ErrDuplicate is the [ErrConflict] of a batch with a message id that
	// the stream remembers, or that is twice in the batch.
	ErrDuplicate = fmt.Errorf("%w: a message id is known already", ErrConflict)

	// ErrTransient means that it may work later: back off and retry.
	ErrTransient = errors.New("cannot be stored now")

	// ErrTooManyBatches is the [ErrTransient] of a stream on which too many
	// batches are open.
	ErrTooManyBatches = fmt.Errorf("%w: too many batches are open", ErrTransient)

	// ErrUnknown is the [ErrTransient] of an answer that did not come: the
	// messages may have been stored, all of them or none. Read again and
	// compare, or retry under a guard.
	ErrUnknown = fmt.Errorf("%w: no answer, it may have been stored", ErrTransient)

	// ErrTooLarge means that a message, or a batch, is larger than the
	// server takes. Nothing was stored.
	ErrTooLarge = errors.New("larger than the server takes")

	// ErrClosed means that the publisher or subscriber was closed.
	ErrClosed = errors.New("closed")
)

// Codes of the server's errors.json that are not named by the client
// libraries.
const (
	codeWrongLastSequence     = 10071 // a guard, told with the sequence found
	codeDuplicateInProcess    = 10158 // another publication of the id is under way
	codeWrongLastInBatch      = 10164 // a guard, refused within or because of a batch
	codeStoreFailed           = 10077 // the disk failed, perhaps half-way
	codeIncompleteBatch       = 10176 // the server lost or refused a part of the batch
	codeBatchDuplicate        = 10201
	codeTooManyAtomicBatches  = 10210
	codeTooManyBatches        = 10211
	codeBatchTooLarge         = 10199
	codeMessageExceedsMaximum = 10054
)

// classify wraps the error of a publication in the kind that says what to do.
func classify(err error) error {
	if err == nil {
		return nil
	}
	if kind := kindOf(err); kind != nil {
		return fmt.Errorf("%w: %w", kind, err)
	}
	return err
}

func kindOf(err error) error {
	var api *jetstream.APIError
	if errors.As(err, &api) {
		return kindOfCode(int(api.ErrorCode), api.Code)
	}
	switch {
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrNoStreamResponse),
		errors.Is(err, nats.ErrReconnectBufExceeded):
		return ErrTransient
	case errors.Is(err, nats.ErrMaxPayload):
		return ErrTooLarge
	case errors.Is(err, nats.ErrTimeout), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled),
		errors.Is(err, nats.ErrDisconnected), errors.Is(err, nats.ErrConnectionClosed),
		errors.Is(err, jetstream.ErrInvalidJSAck), errors.Is(err, jetstreamext.ErrInvalidBatchAck):
		return ErrUnknown
	}
	return nil
}

func kindOfCode(code, status int) error {
	switch code {
	case codeWrongLastSequence, codeWrongLastInBatch:
		return ErrWrongLastSequence
	case codeDuplicateInProcess, codeBatchDuplicate:
		return ErrDuplicate
	case codeTooManyAtomicBatches, codeTooManyBatches:
		return ErrTooManyBatches
	case codeIncompleteBatch:
		return ErrTransient
	case codeStoreFailed:
		return ErrUnknown
	case codeBatchTooLarge, codeMessageExceedsMaximum:
		return ErrTooLarge
	}
	if status == 429 || status >= 500 {
		return ErrTransient
	}
	return nil
}
