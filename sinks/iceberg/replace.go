package iceberg

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/apache/iceberg-go"
	icebergio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"wolkpipe/sinks"
)

// replacement replaces the files of one day, or of one operation, in a table.
type replacement struct {
	key   sinks.Key
	guard []file   // the files to be replaced, as they were loaded
	file  *encoded // in their place; nil for none

	path string // of the file, once it was written
	done bool   // it is in a snapshot
	err  error  // ErrConflict where the guard has moved
}

// What a snapshot's summary says of the commit that made it.
const (
	summaryCommit = "wolkpipe.commit-id"
	summaryDays   = "wolkpipe.days"
)

// attempt is a commit that was sent and not acknowledged.
type attempt struct {
	id      string
	base    int64 // the snapshot that it was made upon, the only one on which it can land
	members []*replacement
	refused bool // the catalog said so
	dead    bool // it is not in the table, and cannot get there
}

// unknownLimit is how many commits without an answer, and without a trace
// after that, are sent before the callers are told.
const unknownLimit = 3

// The waits between attempts.
const (
	firstBackoff = 10 * time.Millisecond
	maxBackoff   = time.Second
)

// replace commits replacements as one snapshot. Those whose guard has moved
// get ErrConflict and are left out. It returns an error if those left are not
// committed, as far as can be told.
//
// A commit that was not acknowledged is looked for in the table's history
// before anything else is done, whatever the error was.
func (t *lakeTable) replace(ctx context.Context, all []*replacement) (err error) {
	if len(all) == 0 {
		return nil
	}
	var tried []*attempt
	unknown := 0
	var v *view
	defer func() { t.discard(ctx, v, all, tried) }()
	for backoff := time.Duration(0); ; backoff = min(max(2*backoff, firstBackoff), maxBackoff) {
		if backoff > 0 {
			if err := pause(ctx, backoff/2+rand.N(backoff)); err != nil {
				return fmt.Errorf("committing to table %s: %w", t.name, err)
			}
		}
		next, loadErr := t.load(ctx)
		if loadErr != nil {
			var refusal *sinks.Error
			if len(tried) == 0 || ctx.Err() != nil || errors.As(loadErr, &refusal) {
				return errors.Join(loadErr, err)
			}
			continue // somebody waits to know what became of the commit
		}
		v = next
		if landed := find(v.tbl, tried); landed != nil {
			for _, r := range landed.members {
				r.done, r.err = true, nil
			}
			return nil
		}
		lingers := false
		for _, a := range tried {
			a.dead = a.dead || a.refused || v.head() != a.base && v.knows(a.base)
			lingers = lingers || !a.dead
		}
		if lingers {
			if unknown++; unknown >= unknownLimit {
				return err
			}
		}
		var left []*replacement
		for _, r := range all {
			if r.err = nil; slices.Equal(v.files(r.key), r.guard) {
				left = append(left, r)
			} else {
				r.err = sinks.ErrConflict
			}
		}
		if len(left) == 0 {
			return nil
		}
		if err := t.write(ctx, v, left); err != nil {
			return err
		}
		a := &attempt{id: uuid.NewString(), base: v.head(), members: left}
		tx, stageErr := t.stage(ctx, v, a)
		if stageErr != nil {
			return errors.Join(stageErr, err) // nothing was sent
		}
		tried = append(tried, a)
		if _, err = tx.Commit(ctx); err == nil {
			for _, r := range left {
				r.done = true
			}
			return nil
		}
		a.refused = errors.Is(err, table.ErrCommitFailed)
		err = fmt.Errorf("committing to table %s: %w", t.name, err)
	}
}

// find gives the attempt that is in the table's history.
func find(tbl *table.Table, tried []*attempt) *attempt {
	if len(tried) == 0 {
		return nil
	}
	for _, snapshot := range slices.Backward(tbl.Metadata().Snapshots()) {
		if snapshot.Summary == nil {
			continue
		}
		id := snapshot.Summary.Properties[summaryCommit]
		for _, a := range tried {
			if a.id == id {
				return a
			}
		}
	}
	return nil
}

// write writes the data files of replacements that have none yet.
func (t *lakeTable) write(ctx context.Context, v *view, all []*replacement) error {
	w, ok := v.io.(icebergio.WriteFileIO)
	if !ok {
		return fmt.Errorf("the files of table %s cannot be written", t.name)
	}
	provider, err := v.tbl.LocationProvider()
	if err != nil {
		return fmt.Errorf("placing files of table %s: %w", t.name, err)
	}
	var some errgroup.Group
	some.SetLimit(8)
	for _, r := range all {
		if r.file == nil || r.path != "" {
			continue
		}
		some.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			name := "operation=" + r.key.Operation + "/"
			if r.key.Day != "" {
				name += "day=" + r.key.Day + "/"
			}
			path := provider.NewDataLocation(name + uuid.NewString() + ".parquet")
			if err := w.WriteFile(path, r.file.data); err != nil {
				return fmt.Errorf("writing %s: %w", path, err)
			}
			r.path = path
			return nil
		})
	}
	return some.Wait()
}

// stage prepares the snapshot of an attempt; it changes nothing that readers
// see.
func (t *lakeTable) stage(ctx context.Context, v *view, a *attempt) (*table.Transaction, error) {
	spec := v.tbl.Spec()
	var old, now []iceberg.DataFile
	var keys []string
	for _, r := range a.members {
		keys = append(keys, strings.ReplaceAll(r.key.String(), " ", "/"))
		for _, f := range r.guard {
			b, err := iceberg.NewDataFileBuilder(spec, iceberg.EntryContentData, f.path, iceberg.ParquetFile, nil, nil, nil, 0, f.size)
			if err != nil {
				return nil, fmt.Errorf("replacing %s: %w", f.path, err)
			}
			old = append(old, b.Build())
		}
		if r.file != nil {
			df, err := r.file.dataFile(t.shape, spec, placeOf(r.key), r.path)
			if err != nil {
				return nil, err
			}
			now = append(now, df)
		}
	}
	slices.Sort(keys)
	tx := v.tbl.NewTransaction()
	// Refused when the table has moved, whatever its properties say of retries.
	if err := tx.AssertRefSnapshotID(table.MainBranch); err != nil {
		return nil, fmt.Errorf("staging a commit to table %s: %w", t.name, err)
	}
	summary := iceberg.Properties{summaryCommit: a.id, summaryDays: strings.Join(keys, ",")}
	err := tx.ReplaceDataFilesWithDataFiles(ctx, old, now, summary, table.WithoutAutoNameMapping(), table.WithoutDuplicateCheck())
	if err != nil {
		return nil, fmt.Errorf("staging a commit to table %s: %w", t.name, err)
	}
	return tx, nil
}

// discard removes the files that were written for nothing, unless a commit
// that names them may still land: those are left to the cleaning of orphans.
func (t *lakeTable) discard(ctx context.Context, v *view, all []*replacement, tried []*attempt) {
	if v == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second) // for all of them
	defer cancel()
	for _, r := range all {
		if r.done || r.path == "" {
			continue
		}
		lingers := slices.ContainsFunc(tried, func(a *attempt) bool { return !a.dead && slices.Contains(a.members, r) })
		if !lingers {
			t.remove(ctx, v.tbl, r.path)
		}
	}
}

// remove removes a file, for what that is worth.
func (t *lakeTable) remove(ctx context.Context, tbl *table.Table, path string) {
	if ctx.Err() != nil {
		return // it is an orphan
	}
	if fsys, err := tbl.FS(ctx); err == nil {
		_ = fsys.Remove(path) // else it is an orphan
	}
}

// pause returns after d, or with ctx's error as soon as that has ended.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
