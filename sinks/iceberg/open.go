package iceberg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"strings"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	"github.com/apache/iceberg-go/catalog/rest"
	icebergio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"
	"github.com/google/uuid"

	"wolkpipe/sinks"
	"wolkpipe/sinks/objectstore"
)

const (
	hintCatalog   = "set catalog to sqlite:///absolute/catalog.db, postgres://user@host/database, https://host/path, glue://region or file:///absolute/folder"
	hintWarehouse = "set warehouse to file:///absolute/folder, s3://bucket/folder, gs://bucket/folder or abfs://container@account/folder; leave it empty with a file: catalog"
	hintUpgrade   = "upgrade wolkpipe to the newest version that writes to this lake"
)

// Open opens a lake and proves that it can be read and written; it makes the
// namespace and the tables that are missing. What no retry mends is a
// [sinks.Error]; other errors, such as a network that is down, may pass.
func Open(ctx context.Context, o Options) (*Sink, error) {
	o.setDefaults()
	op := "opening the Iceberg lake"
	if u, err := url.Parse(o.Catalog); err == nil {
		u.RawQuery = "" // it may have a password, too
		op += " of " + u.Redacted()
	}
	st, err := openCatalog(ctx, &o)
	if err != nil {
		return nil, explain(op, &o, err)
	}
	if err := st.shareAWS(ctx, &o); err != nil {
		return nil, errors.Join(explain(op, &o, err), st.close())
	}
	ctx = st.with(ctx)
	s := newSink(st, o)
	for _, t := range s.tables() {
		if err := t.prepare(ctx); err != nil {
			return nil, errors.Join(explain(op, &o, err), st.close())
		}
	}
	s.start()
	return s, nil
}

// prepare makes the table if it is missing, checks it, and proves that files
// can be kept where it is.
func (t *lakeTable) prepare(ctx context.Context) error {
	tbl, err := t.store.LoadTable(ctx, t.ident)
	if errors.Is(err, catalog.ErrNoSuchTable) || errors.Is(err, catalog.ErrNoSuchNamespace) {
		tbl, err = t.create(ctx)
	}
	if err != nil {
		return fmt.Errorf("table %s: %w", strings.Join(t.ident, "."), err)
	}
	missing, unknown, err := t.differs(tbl)
	if err != nil || len(unknown) > 0 {
		return t.refusal(unknown, err)
	}
	if err := t.adapt(ctx, tbl, missing); err != nil {
		return fmt.Errorf("adapting table %s: %w", t.name, err)
	}
	return t.probe(ctx, tbl)
}

func (t *lakeTable) create(ctx context.Context) (*table.Table, error) {
	namespace := catalog.NamespaceFromIdent(t.ident)
	for i := range namespace { // a nested namespace after those above it
		err := t.store.CreateNamespace(ctx, namespace[:i+1], nil)
		if err == nil || errors.Is(err, catalog.ErrNamespaceAlreadyExists) {
			continue
		}
		if there, checkErr := t.store.CheckNamespaceExists(ctx, namespace[:i+1]); checkErr != nil || !there {
			return nil, fmt.Errorf("making the namespace: %w", err)
		}
	}
	spec := t.spec
	options := []catalog.CreateTableOpt{
		catalog.WithPartitionSpec(&spec), catalog.WithSortOrder(t.order), catalog.WithProperties(maps.Clone(properties)),
	}
	if t.store.warehouse != "" {
		location := t.store.warehouse + "/" + strings.Join(namespace, "/") + "/" + t.name
		if err := t.vacant(ctx, location); err != nil {
			return nil, err
		}
		options = append(options, catalog.WithLocation(location))
	}
	tbl, err := t.store.CreateTable(ctx, t.ident, t.schema, options...)
	if err != nil {
		// Somebody else may have been first, or the answer was lost.
		if there, loadErr := t.store.LoadTable(ctx, t.ident); loadErr == nil {
			return there, nil
		}
		return nil, fmt.Errorf("making it: %w", err)
	}
	return tbl, nil
}

// vacant refuses a place where another catalog has a table: each would take the
// other's files for orphans. Metadata of version 0, without commits, is what a
// kill leaves behind that came before the catalog knew the table.
func (t *lakeTable) vacant(ctx context.Context, location string) error {
	fsys, err := icebergio.LoadFS(ctx, t.store.props, location)
	if err != nil {
		return err
	}
	list, ok := fsys.(icebergio.ListableIO)
	if !ok {
		return nil
	}
	taken := false
	err = list.WalkDir(location+"/metadata", func(path string, e fs.DirEntry, err error) error {
		name := path[strings.LastIndexByte(path, '/')+1:]
		if err == nil && !e.IsDir() && strings.HasSuffix(name, ".metadata.json") && !strings.HasPrefix(name, "00000-") {
			taken = true
			return fs.SkipAll
		}
		return err
	})
	switch {
	case taken:
		return &sinks.Error{
			Op: "making table " + strings.Join(t.ident, "."), Err: fmt.Errorf("another catalog has a table at %s", location),
			Hint: "use that catalog, or another namespace or warehouse; if nobody uses it any more, move that folder away",
		}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("looking at %s: %w", location, err)
	}
	return nil
}

// adapt adds the columns that an older version did not have.
func (t *lakeTable) adapt(ctx context.Context, tbl *table.Table, missing []string) error {
	if len(missing) == 0 {
		return nil
	}
	tx := tbl.NewTransaction()
	update := tx.UpdateSchema(true, false)
	for _, name := range missing {
		f, _ := t.schema.FindFieldByName(name)
		update.AddColumn([]string{name}, f.Type, "", false, nil)
	}
	if err := update.Commit(); err != nil {
		return err
	}
	_, err := tx.Commit(ctx)
	now, loadErr := t.store.LoadTable(ctx, t.ident)
	if loadErr != nil {
		return errors.Join(err, loadErr)
	}
	missing, unknown, differs := t.differs(now)
	if differs != nil || len(unknown) > 0 {
		return t.refusal(unknown, differs)
	}
	if len(missing) > 0 {
		return fmt.Errorf("the columns %s were not added: %w", strings.Join(missing, ", "), err)
	}
	return nil
}

// probe writes, reads and removes a file beside the table's metadata.
func (t *lakeTable) probe(ctx context.Context, tbl *table.Table) error {
	fsys, err := tbl.FS(ctx)
	if err != nil {
		return fmt.Errorf("opening the files of table %s: %w", t.name, err)
	}
	w, ok := fsys.(icebergio.WriteFileIO)
	if !ok {
		return fmt.Errorf("the files of table %s cannot be written", t.name)
	}
	name := strings.TrimRight(tbl.Location(), "/") + "/metadata/probe-" + uuid.NewString()
	want := []byte("wolkpipe wrote this to prove that files can be kept here\n")
	if err := w.WriteFile(name, want); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	got, err := readFile(w, name)
	if err == nil && !bytes.Equal(got, want) {
		err = errors.New("it is not what was written")
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	if err := w.Remove(name); err != nil {
		return fmt.Errorf("removing %s: %w", name, err)
	}
	return nil
}

// refusal tells that a table is not one that this version writes to.
func (t *lakeTable) refusal(unknown []string, err error) error {
	e := &sinks.Error{Op: "checking table " + strings.Join(t.ident, "."), Err: err, Hint: "use another namespace, or move that table away"}
	if len(unknown) > 0 {
		e.Err = fmt.Errorf("a newer version made it: unknown columns %s", strings.Join(unknown, ", "))
		e.Hint = hintUpgrade
	}
	return e
}

// keptBy is the kind of object store that keeps the warehouse, as package
// objectstore names it; "" for none, or where the catalog may have failed alike.
func keptBy(o *Options) string {
	if strings.HasPrefix(o.Catalog, "glue:") {
		return ""
	}
	scheme, _, _ := strings.Cut(o.Warehouse, ":")
	return map[string]string{"s3": "s3", "s3a": "s3", "gs": "gs", "abfs": "azblob", "abfss": "azblob"}[scheme]
}

// explain adds what an operator can do about a failure to open.
func explain(op string, o *Options, err error) error {
	var known *sinks.Error
	if errors.As(err, &known) {
		return err
	}
	err = hidden(err, o)
	hint := ""
	switch {
	case errors.Is(err, errUnsafe):
		hint = "set catalog to a catalog, such as sqlite: or postgres:, and warehouse to the bucket"
	case errors.Is(err, errCatalog):
		hint = hintCatalog
	case errors.Is(err, errWarehouse):
		hint = hintWarehouse
	case errors.Is(err, icebergio.ErrIOSchemeNotFound):
		hint = hintWarehouse
	case errors.Is(err, fs.ErrPermission):
		hint = "let the user that runs wolkpipe write to the folder"
	case errors.Is(err, rest.ErrUnauthorized), errors.Is(err, rest.ErrForbidden):
		hint = "let this token or credential create, read and write the namespace's tables"
	case errors.Is(err, iceberg.ErrInvalidSchema), errors.Is(err, iceberg.ErrNotImplemented):
		hint = "use another catalog: this one does not take what the tables need"
	case keptBy(o) != "":
		told := objectstore.Tell(err)
		if hint = objectstore.Hint(keptBy(o), told); hint != "" {
			return &sinks.Error{Op: op, Err: fmt.Errorf("warehouse %s: %w", o.Warehouse, told), Hint: hint}
		}
		fallthrough
	default:
		return fmt.Errorf("%s: %w: check that the catalog and the warehouse are up, and the credentials for both", op, err)
	}
	return &sinks.Error{Op: op, Err: err, Hint: hint}
}
