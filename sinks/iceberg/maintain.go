package iceberg

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"

	"wolkpipe/sinks"
)

const (
	// firstMaintenance is how long after it was opened a lake is first maintained.
	firstMaintenance = time.Minute

	// smallManifest is how many files a manifest has at least that is left alone,
	// and manyManifests how many smaller ones a table may have.
	smallManifest = 256
	manyManifests = 32

	maintainTries = 5 // against commits that come first
)

// maintain maintains the lake until the sink is closed.
func (s *Sink) maintain() {
	wait := min(firstMaintenance, s.options.MaintainEvery)
	for pause(s.ctx, wait) == nil {
		if err := s.Maintain(s.ctx); err != nil && s.ctx.Err() == nil {
			s.log.Warn("the maintenance of the lake failed; it is tried again in time", "error", err, "in", s.options.MaintainEvery)
		}
		wait = s.options.MaintainEvery
	}
}

// Maintain merges small manifests, expires old snapshots, and removes the
// files that no snapshot needs. The sink calls it by itself; several processes
// may do so at the same time. It removes nothing that a snapshot refers to that
// is to be kept, and nothing that a commit under way may still refer to.
func (s *Sink) Maintain(ctx context.Context) error {
	ctx = s.store.with(ctx)
	var errs []error
	for _, t := range s.tables() {
		for _, step := range []func(context.Context, *lakeTable) error{s.mergeManifests, s.expire, s.clean} {
			if err := step(ctx, t); err != nil {
				errs = append(errs, s.hide(fmt.Errorf("table %s: %w", t.name, err)))
			}
		}
	}
	return errors.Join(errs...)
}

// against runs a commit of maintenance until no other one comes first.
func (t *lakeTable) against(ctx context.Context, what string, f func(v *view) error) error {
	for try := 1; ; try++ {
		v, err := t.load(ctx)
		if err != nil {
			return err
		}
		if err = f(v); err == nil {
			return nil
		}
		err = fmt.Errorf("%s: %w", what, err)
		now, loadErr := t.load(ctx)
		if try == maintainTries || loadErr != nil || now.head() == v.head() {
			return err
		}
		if pause(ctx, time.Duration(try)*(100*time.Millisecond+rand.N(time.Second))) != nil {
			return err
		}
	}
}

// mergeManifests keeps the number of manifests small: each is read by whoever
// reads the table first, and by each commit. Files of one operation and year go
// together, so that a commit rewrites little.
func (s *Sink) mergeManifests(ctx context.Context, t *lakeTable) error {
	return t.against(ctx, "merging manifests", func(v *view) error {
		if !worthMerging(v.manifests) {
			return nil
		}
		tx := v.tbl.NewTransaction()
		if err := tx.AssertRefSnapshotID(table.MainBranch); err != nil {
			return err
		}
		result, err := tx.RewriteManifests(ctx,
			table.WithRewriteManifestPredicate(func(m iceberg.ManifestFile) bool {
				return m.AddedDataFiles()+m.ExistingDataFiles() < smallManifest
			}),
			table.WithRewriteManifestClusterBy(func(df iceberg.DataFile) any {
				return cluster(keyOf(df))
			}))
		if err != nil || result.IsNoOp() {
			return err
		}
		if _, err = tx.Commit(ctx); err == nil {
			s.log.Info("manifests were merged", "table", t.name, "from", len(result.RewrittenManifests), "to", len(result.AddedManifests))
		}
		return err
	})
}

// cluster is what goes together in a manifest: an operation's year.
func cluster(key sinks.Key) sinks.Key {
	key.Day = key.Day[:min(len(key.Day), len("2006"))]
	return key
}

// worthMerging reports whether merging would leave so many manifests fewer:
// each operation's year keeps a small one, however often it is merged.
func worthMerging(all []*manifest) bool {
	small, clusters := 0, make(map[sinks.Key]bool)
	for _, m := range all {
		if len(m.files) >= smallManifest {
			continue
		}
		small++
		for key := range m.files {
			clusters[cluster(key)] = true
		}
	}
	return small-len(clusters) > manyManifests
}

// expire lets go of old snapshots and of the files that they alone have.
func (s *Sink) expire(ctx context.Context, t *lakeTable) error {
	return t.against(ctx, "expiring snapshots", func(v *view) error {
		before := len(v.tbl.Metadata().Snapshots())
		if before <= s.options.KeepLast {
			return nil
		}
		tx := v.tbl.NewTransaction()
		err := tx.ExpireSnapshots(table.WithOlderThan(s.options.KeepSnapshots), table.WithRetainLast(s.options.KeepLast))
		if err != nil {
			return err
		}
		now, err := tx.Commit(ctx)
		if now == nil {
			return err
		}
		if n := before - len(now.Metadata().Snapshots()); n > 0 {
			s.log.Info("snapshots expired", "table", t.name, "snapshots", n, "left", before-n)
		}
		if err != nil {
			s.log.Warn("files of expired snapshots could not be removed; they are removed as orphans later", "table", t.name, "error", s.hide(err))
		}
		return nil
	})
}

// clean removes the files that nothing refers to and that are too old to be of
// a commit under way.
func (s *Sink) clean(ctx context.Context, t *lakeTable) error {
	v, err := t.load(ctx)
	if err != nil {
		return err
	}
	result, err := v.tbl.DeleteOrphanFiles(ctx, table.WithFilesOlderThan(s.options.OrphanAge))
	if err != nil {
		return fmt.Errorf("cleaning orphans: %w", err)
	}
	if n := len(result.DeletedFiles); n > 0 {
		s.log.Info("files that nothing refers to were removed", "table", t.name, "files", n, "bytes", result.TotalSizeBytes)
	}
	return nil
}
