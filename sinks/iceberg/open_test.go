package iceberg

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	"github.com/apache/iceberg-go/table"

	"wolkpipe/sinks"
)

// TestOpenRefuses: what no retry mends is a sinks.Error that names the mend.
func TestOpenRefuses(t *testing.T) {
	folder := "file://" + t.TempDir()
	notWritable := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(notWritable, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		o    Options
		hint string
	}{
		"no catalog":               {Options{Warehouse: folder}, "set catalog to"},
		"unknown scheme":           {Options{Catalog: "mysql://x/y", Warehouse: folder}, "set catalog to"},
		"unparsable":               {Options{Catalog: "sqlite://%zz"}, "set catalog to"},
		"relative catalog":         {Options{Catalog: "sqlite:catalog.db", Warehouse: folder}, "set catalog to"},
		"no warehouse":             {Options{Catalog: "sqlite://" + t.TempDir() + "/c.db"}, "set warehouse to"},
		"relative warehouse":       {Options{Catalog: "sqlite://" + t.TempDir() + "/c.db", Warehouse: "lake"}, "set warehouse to"},
		"a bucket that is nothing": {Options{Catalog: "sqlite://" + t.TempDir() + "/c.db", Warehouse: "s3://"}, "set warehouse to"},
		"unlinked driver":          {Options{Catalog: "sqlite://" + t.TempDir() + "/c.db", Warehouse: "ftp://bucket/x"}, "set warehouse to"},
		"no catalog on a bucket":   {Options{Catalog: "s3://bucket/lake"}, "set catalog to a catalog"},
		"no catalog on gs":         {Options{Catalog: "gs://bucket/lake"}, "set catalog to a catalog"},
		"a warehouse beside file:": {Options{Catalog: folder, Warehouse: folder}, "set warehouse to"},
		"glue without a region":    {Options{Catalog: "glue://", Warehouse: "s3://b/x"}, "set catalog to"},
		"glue without a warehouse": {Options{Catalog: "glue://us-east-1"}, "set warehouse to"},
		"secrets in a REST URL":    {Options{Catalog: "https://user:secret@host/x"}, "set catalog to"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(t.Context(), c.o)
			var e *sinks.Error
			if !errors.As(err, &e) || !strings.Contains(e.Hint, c.hint) {
				t.Fatalf("Open gives %v, want a hint of %q", err, c.hint)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("%v tells a secret", err)
			}
		})
	}
}

// TestGlueWiring: what can be told without AWS, where nothing of this was run.
func TestGlueWiring(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	o := Options{Catalog: "glue://eu-west-1", Warehouse: "s3://bucket/lake/"}
	st, err := openCatalog(t.Context(), &o)
	if err != nil {
		t.Fatal(err)
	}
	if st.CatalogType() != catalog.Glue || st.warehouse != "s3://bucket/lake" {
		t.Errorf("a catalog of type %v, tables in %q", st.CatalogType(), st.warehouse)
	}
}

// TestSecretsStayHidden: not even a database's driver tells them.
func TestSecretsStayHidden(t *testing.T) {
	const secret = "hunter2hunter2"
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, o := range []Options{
		{Catalog: "postgres://u:" + secret + "@127.0.0.1:1/db?connect_timeout=1", Warehouse: "file:///tmp/x"},
		{Catalog: "postgres://u@127.0.0.1:1/db?password=" + secret + "&connect_timeout=1&sslmode=" + secret, Warehouse: "file:///tmp/x"},
		{Catalog: "http://127.0.0.1:1/x", Credential: "id:" + secret},
		{Catalog: "http://127.0.0.1:1/x", Token: secret},
		{Catalog: "http://127.0.0.1:1/x", Properties: map[string]string{"credential": secret}},
	} {
		_, err := Open(ctx, o)
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("Open gives %v", err)
		}
		var e *sinks.Error
		if errors.As(err, &e) && !strings.Contains(o.Catalog, "sslmode") {
			t.Errorf("a server that is away is told as lasting: %v", err)
		}
	}
}

// change commits to a table behind the sink's back.
func (l lakeAt) change(t testing.TB, name string, f func(tx *table.Transaction) error) {
	t.Helper()
	o := l.options
	o.setDefaults()
	st, err := openCatalog(t.Context(), &o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = st.close() }()
	tbl, err := st.LoadTable(t.Context(), table.Identifier{o.Namespace, name})
	if err != nil {
		t.Fatal(err)
	}
	tx := tbl.NewTransaction()
	if err := f(tx); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestNewerTable: a column that this version does not know is one of a newer
// one, which writes it: not only when the lake is opened.
func TestNewerTable(t *testing.T) {
	at := sqliteLake(t)
	s := at.open(t)
	mustCommit(t, s, dayOf(0, 1, 1))
	held := mustLoad(t, s, keyAt(0))
	at.change(t, "chat_7", func(tx *table.Transaction) error {
		return tx.UpdateSchema(true, false).AddColumn([]string{"mood"}, iceberg.PrimitiveTypes.String, "", false, nil).Commit()
	})
	_, opened := Open(t.Context(), at.options)
	_, loaded := s.Load(t.Context(), keyAt(0))
	_, committed := held.Commit(t.Context(), dayOf(0, 1, 2))
	for what, err := range map[string]error{"Open": opened, "Load": loaded, "Commit": committed} {
		var e *sinks.Error
		if !errors.As(err, &e) || !strings.Contains(e.Hint, "upgrade") || !strings.Contains(e.Error(), "mood") {
			t.Errorf("%s gives %v", what, err)
		}
	}
}

// TestOlderTable: an optional column that an older version did not have is
// added, and keeps the id that it has here.
func TestOlderTable(t *testing.T) {
	at := sqliteLake(t)
	o := at.options
	o.setDefaults()
	st, err := openCatalog(t.Context(), &o)
	if err != nil {
		t.Fatal(err)
	}
	fields := slices.DeleteFunc(codesTable.schema.Fields(), func(f iceberg.NestedField) bool { return f.ID == codesTable.schema.NumFields() })
	newer := codesTable.shape
	newer.schema = iceberg.NewSchema(0, append(fields, iceberg.NestedField{ID: 10, Name: "note", Type: iceberg.PrimitiveTypes.String})...)
	older := newer
	older.schema = iceberg.NewSchema(0, fields...)
	for _, sh := range []*shape{&older, &newer} {
		lt := &lakeTable{shape: sh, store: st, ident: table.Identifier{o.Namespace, sh.name}}
		if err := lt.prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if f, ok := at.table(t, newer.name).Schema().FindFieldByName("note"); !ok || f.ID != 10 || f.Required {
		t.Errorf("the column is %v", f)
	}
	lt := &lakeTable{shape: &codesTable.shape, store: st, ident: table.Identifier{o.Namespace, newer.name}}
	var e *sinks.Error
	if err := lt.prepare(t.Context()); !errors.As(err, &e) || !strings.Contains(e.Error(), "last_seen_at") {
		t.Errorf("a table without a needed column gives %v", err)
	}
}

// TestTables: what readers of the metadata find.
func TestTables(t *testing.T) {
	at := sqliteLake(t)
	s := at.open(t)
	day := dayOf(0, 3, 1)
	long := strings.Repeat("ñ", 20)
	day.Windows[0].Rows[0].Agent, day.Windows[0].Rows[0].Description = "Ana "+long, &long
	mustCommit(t, s, day)
	tbl := at.table(t, "chat_7")
	if got := tbl.Metadata().Version(); got != 2 {
		t.Errorf("format version %d", got)
	}
	want := []string{
		"1 operation string true", "2 day date true", "3 window_start timestamptz true", "4 window_end timestamptz true", "5 window_local timestamp true",
		"6 timezone string true", "7 agent_name string true", "8 cod_act string true", "9 description_cod_act string false", "10 interactions long true",
		"11 method string true", "12 observed_at timestamptz true",
	}
	var got []string
	for _, f := range tbl.Schema().Fields() {
		got = append(got, strings.Join([]string{strconv.Itoa(f.ID), f.Name, f.Type.String(), strconv.FormatBool(f.Required)}, " "))
	}
	if !slices.Equal(got, want) {
		t.Errorf("the columns are\n%s", strings.Join(got, "\n"))
	}
	var order []int
	for _, f := range tbl.SortOrder().Fields() {
		order = append(order, f.SourceIDs...)
	}
	if !slices.Equal(order, []int{5, 7, 8}) {
		t.Errorf("sorted by %v", order)
	}
	tasks, err := tbl.Scan().PlanFiles(t.Context())
	if err != nil || len(tasks) != 1 {
		t.Fatalf("%d files, %v", len(tasks), err)
	}
	df := tasks[0].File
	if df.Count() != 6 || df.NullValueCounts()[9] != 5 || df.ValueCounts()[9] != 6 || df.ColumnSizes()[7] == 0 || *df.SortOrderID() != tbl.SortOrder().OrderID() {
		t.Errorf("counts %d, %v, %v, sizes %v, order %v", df.Count(), df.NullValueCounts(), df.ValueCounts(), df.ColumnSizes(), *df.SortOrderID())
	}
	if lower, upper := string(df.LowerBoundValues()[9]), string(df.UpperBoundValues()[9]); lower != strings.Repeat("ñ", 16) || upper != strings.Repeat("ñ", 15)+"ò" {
		t.Errorf("bounds %q and %q", lower, upper)
	}
	if lower, upper := string(df.LowerBoundValues()[7]), string(df.UpperBoundValues()[7]); lower != "Ana" || upper != "Luis" {
		t.Errorf("bounds %q and %q", lower, upper)
	}
	// Scans that leave out what the statistics rule out find the same.
	for filter, n := range map[iceberg.BooleanExpression]int{
		iceberg.EqualTo(iceberg.Reference("agent_name"), "Zoe"):                                   0,
		iceberg.EqualTo(iceberg.Reference("description_cod_act"), long):                           1,
		iceberg.GreaterThan(iceberg.Reference("window_local"), "2026-11-01T00:11:00"):             0,
		iceberg.GreaterThanEqual(iceberg.Reference("window_local"), "2026-11-01T00:10:00"):        1,
		iceberg.EqualTo(iceberg.Reference("day"), "2026-11-02"):                                   0,
		iceberg.EqualTo(iceberg.Reference("operation"), "ventas"):                                 1,
		iceberg.GreaterThan(iceberg.Reference("interactions"), int64(1)):                          0,
		iceberg.GreaterThanEqual(iceberg.Reference("observed_at"), "2026-11-01T06:00:00.000000Z"): 1,
	} {
		if got := len(dataFiles(t, tbl, table.WithRowFilter(filter))); got != n {
			t.Errorf("%v finds %d files, want %d", filter, got, n)
		}
	}
}
