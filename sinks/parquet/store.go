package parquet

import (
	"context"
	"errors"
	"fmt"

	"wolkpipe/sinks"
)

// store holds objects by name: slash-separated, below the lake's prefix.
type store interface {
	// get reads an object whole, with a guard that names this content. An
	// object that is not there has no data and the guard "".
	get(ctx context.Context, name string) (data []byte, guard string, err error)

	// put replaces an object whole if guard still names it, or creates it if
	// guard is "" and it is not there; else it returns [sinks.ErrConflict].
	// Readers see the old object or the new one. After any other error, or a
	// cancelled context, it may have been put or not, never in part. data is
	// not changed, and may be read after a cancelled put returned.
	put(ctx context.Context, name string, data []byte, guard string) error

	// list gives the names of the objects in a folder and below it, sorted;
	// what a writer has under way is none.
	list(ctx context.Context, folder string) ([]string, error)

	// move gives an object another name, at which nothing of worth stands.
	// One that is not there is no error. After an error it may stand at
	// either name, or both, whole.
	move(ctx context.Context, from, to string) error

	close() error
}

// probeName is outside of the dataset folders.
const probeName = ".wolkpipe-probe"

// probe proves that objects can be read and written, and that st honours the
// two conditions that commits rest on: some stores that speak S3 ignore one
// or both, and lose commits when two sinks meet. stale is a guard that never
// names an object. Other processes may probe at the same time.
func probe(ctx context.Context, st store, stale string) error {
	data := []byte("wolkpipe wrote this to prove that conditional writes work here\n")
	if err := st.put(ctx, probeName, data, ""); err != nil && !errors.Is(err, sinks.ErrConflict) {
		return fmt.Errorf("writing %s: %w", probeName, err)
	}
	if _, guard, err := st.get(ctx, probeName); err != nil {
		return fmt.Errorf("reading %s: %w", probeName, err)
	} else if guard == "" {
		return fmt.Errorf("reading %s: it is not there right after it was written", probeName)
	}
	for _, refused := range []struct{ guard, condition string }{{"", "If-None-Match"}, {stale, "If-Match"}} {
		err := st.put(ctx, probeName, data, refused.guard)
		if err == nil {
			return fmt.Errorf("writing %s: %w: %s", probeName, errNoConditions, refused.condition)
		}
		if !errors.Is(err, sinks.ErrConflict) {
			return fmt.Errorf("writing %s with %s: %w", probeName, refused.condition, err)
		}
	}
	return nil
}

var errNoConditions = errors.New("the store ignores a condition")
