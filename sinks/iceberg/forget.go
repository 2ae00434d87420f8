package iceberg

import (
	"context"
	"fmt"

	"github.com/apache/iceberg-go/table"

	"wolkpipe/sinks"
)

var _ sinks.Forgetter = (*Sink)(nil)

// Forget implements [sinks.Forgetter]: of the rows' table every snapshot but
// the current one goes, with the files that only they have. Travelling back in
// time ends there. Files that no snapshot ever had, left by commits that were
// cut off, go by their age as always: see [Options.OrphanAge].
//
// Snapshots do not say whose rows they hold, so all operations' go.
func (s *Sink) Forget(ctx context.Context, _ sinks.Past) (gone int, err error) {
	ctx = s.store.with(ctx)
	err = s.rows.against(ctx, "expiring snapshots", func(v *view) error {
		before := len(v.tbl.Metadata().Snapshots())
		if before <= 1 {
			return nil
		}
		tx := v.tbl.NewTransaction()
		if err := tx.ExpireSnapshots(table.WithOlderThan(0), table.WithRetainLast(1)); err != nil {
			return err
		}
		now, err := tx.Commit(ctx)
		if now != nil {
			gone += before - len(now.Metadata().Snapshots())
		}
		return err
	})
	if err != nil {
		return gone, s.hide(fmt.Errorf("table %s: %w", s.rows.name, err))
	}
	return gone, nil
}
