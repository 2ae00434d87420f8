package iceberg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/apache/iceberg-go"
	icebergio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"

	"wolkpipe/sinks"
	"wolkpipe/sinks/lake"
)

// lakeTable is one of the sink's tables.
type lakeTable struct {
	*shape
	ident table.Identifier
	store *store

	mu        sync.Mutex
	manifests map[string]*manifest // by path: a manifest never changes
	checked   string               // the metadata whose schema was found to be ours
}

// manifest is what is needed of a manifest: which live files it has, by
// partition. Those of no partition of ours have the zero Key.
type manifest struct {
	files   map[sinks.Key][]file
	deletes map[sinks.Key]bool // files that say that rows of others are deleted
}

// file is a live data file.
type file struct {
	path string
	size int64
}

// view is a table at one snapshot.
type view struct {
	shape     *shape
	tbl       *table.Table
	io        icebergio.IO
	manifests []*manifest
}

// load reads the current snapshot's manifests, those that are not known yet.
func (t *lakeTable) load(ctx context.Context) (*view, error) {
	ctx = t.store.with(ctx)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	tbl, err := t.store.LoadTable(ctx, t.ident)
	if err != nil {
		return nil, fmt.Errorf("loading table %s: %w", t.name, err)
	}
	if err := t.check(tbl); err != nil {
		return nil, err
	}
	v := &view{shape: t.shape, tbl: tbl}
	if v.io, err = tbl.FS(ctx); err != nil {
		return nil, fmt.Errorf("opening the files of table %s: %w", t.name, err)
	}
	snapshot := tbl.CurrentSnapshot()
	if snapshot == nil {
		return v, nil
	}
	list, err := snapshot.Manifests(v.io)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, t.lost(err)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the manifests of table %s: %w", t.name, err)
	}
	t.mu.Lock()
	known := t.manifests
	t.mu.Unlock()
	now := make(map[string]*manifest, len(list))
	for _, m := range list {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		read := known[m.FilePath()]
		if read == nil {
			if read, err = readManifest(v.io, m); errors.Is(err, fs.ErrNotExist) {
				return nil, t.lost(err)
			}
			if err != nil {
				return nil, fmt.Errorf("reading a manifest of table %s: %w", t.name, err)
			}
		}
		now[m.FilePath()] = read
		v.manifests = append(v.manifests, read)
	}
	t.mu.Lock()
	t.manifests = now
	t.mu.Unlock()
	return v, nil
}

// lost tells that a file of the table's metadata is gone, which no commit mends.
func (t *lakeTable) lost(err error) error {
	return &sinks.Error{
		Op: "reading table " + strings.Join(t.ident, "."), Err: err,
		Hint: "drop the table in its catalog, move its folder away and start wolkpipe again: the table is made anew and filled from the journal",
	}
}

// check refuses a table that a newer version has changed since it was opened.
func (t *lakeTable) check(tbl *table.Table) error {
	schema := fmt.Sprint(tbl.Schema().ID, tbl.Metadata().DefaultPartitionSpec())
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.checked == schema {
		return nil
	}
	if _, unknown, err := t.differs(tbl); err != nil || len(unknown) > 0 {
		return t.refusal(unknown, err)
	}
	t.checked = schema
	return nil
}

func readManifest(fsys icebergio.IO, m iceberg.ManifestFile) (*manifest, error) {
	read := &manifest{make(map[sinks.Key][]file), make(map[sinks.Key]bool)}
	for entry, err := range m.Entries(fsys, true) {
		if err != nil {
			return nil, err
		}
		df := entry.DataFile()
		key := keyOf(df)
		if df.ContentType() != iceberg.EntryContentData {
			read.deletes[key] = true
			continue
		}
		read.files[key] = append(read.files[key], file{df.FilePath(), df.FileSizeBytes()})
	}
	return read, nil
}

// keyOf is the operation and the day of a file, by its partition.
func keyOf(df iceberg.DataFile) (key sinks.Key) {
	partition := df.Partition()
	operation, ok := partition[firstPartition].(string)
	if !ok {
		return sinks.Key{}
	}
	key.Operation = operation
	switch day := partition[firstPartition+1].(type) {
	case iceberg.Date:
		key.Day = day.ToTime().Format(time.DateOnly)
	case int32:
		key.Day = iceberg.Date(day).ToTime().Format(time.DateOnly)
	}
	return key
}

// files are those of a day, or of an operation; its guard.
func (v *view) files(key sinks.Key) []file {
	var files []file
	for _, m := range v.manifests {
		files = append(files, m.files[key]...)
	}
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.path, b.path) })
	return files
}

// deletes reports whether files say that rows of a day's are deleted.
func (v *view) deletes(key sinks.Key) bool {
	return slices.ContainsFunc(v.manifests, func(m *manifest) bool { return m.deletes[key] || m.deletes[sinks.Key{}] })
}

// head is the current snapshot's id, 0 where there is none.
func (v *view) head() int64 {
	if s := v.tbl.CurrentSnapshot(); s != nil {
		return s.SnapshotID
	}
	return 0
}

// knows reports whether a snapshot is in the table's history: a catalog that
// answers with an older state than it gave before does not know the newest.
func (v *view) knows(snapshot int64) bool {
	return snapshot == 0 || v.tbl.SnapshotByID(snapshot) != nil
}

// part is what a table has of a day.
type part[R any] struct {
	key     sinks.Key
	files   []file // the guard
	records []R    // sorted
	damage  error  // why a file could not be read; there are no records then
	deletes bool   // rows of it are said to be deleted, which is not looked at
}

// read reads the files of a day.
func read[R lake.Sortable[R]](ctx context.Context, v *view, k *kind[R], key sinks.Key) (part[R], error) {
	p := part[R]{key: key, files: v.files(key), deletes: v.deletes(key)}
	for _, f := range p.files {
		if err := ctx.Err(); err != nil {
			return p, err
		}
		data, err := readFile(v.io, f.path)
		if errors.Is(err, fs.ErrNotExist) {
			p.records, p.damage = nil, fmt.Errorf("%s is not there", f.path)
			return p, nil
		}
		if err != nil {
			return p, fmt.Errorf("reading %s: %w", f.path, err)
		}
		records, unknown, err := k.codec.Decode(data)
		unknown = slices.DeleteFunc(unknown, func(c string) bool { return c == "operation" || c == "day" })
		if len(unknown) > 0 {
			return p, &sinks.Error{
				Op:   "reading " + f.path,
				Err:  fmt.Errorf("a newer version wrote it: unknown columns %s", strings.Join(unknown, ", ")),
				Hint: hintUpgrade,
			}
		}
		if err != nil {
			p.records, p.damage = nil, fmt.Errorf("%s: %w", f.path, err)
			return p, nil
		}
		p.records = append(p.records, records...)
	}
	if len(p.files) > 1 {
		slices.SortStableFunc(p.records, R.Compare)
	}
	return p, nil
}

func readFile(fsys icebergio.IO, path string) ([]byte, error) {
	f, err := fsys.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(f)
}
