package sinks

import (
	"context"

	"wolkpipe/schemas"
)

// CodeKeeper is a [Sink] that keeps the operations' activity codes too.
type CodeKeeper interface {
	// PutCodes makes the sink hold what is known of an operation's codes, and
	// reports whether it had to write. Codes that are not given stay as they
	// are. It may be called with older codes after newer ones, by several
	// processes at the same time. [ErrConflict] means that somebody else wrote
	// in between: that and other errors are the caller's to retry.
	PutCodes(ctx context.Context, operation string, codes []schemas.ActivityCode) (wrote bool, err error)
}
