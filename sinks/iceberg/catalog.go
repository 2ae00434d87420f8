package iceberg

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	"github.com/apache/iceberg-go/catalog/glue"
	"github.com/apache/iceberg-go/catalog/hadoop"
	"github.com/apache/iceberg-go/catalog/rest"
	sqlcatalog "github.com/apache/iceberg-go/catalog/sql"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx of PostgreSQL
	_ "modernc.org/sqlite"             // the driver sqlite, without cgo
)

// store is a catalog that was opened.
type store struct {
	catalog.Catalog
	warehouse string // where this sink places tables; "" where the catalog does
	props     iceberg.Properties
	aws       *aws.Config // of tables on S3; nil elsewhere
	close     func() error
}

var (
	errCatalog   = errors.New("not the URL of a catalog")
	errWarehouse = errors.New("not the URL of a warehouse")
	errUnsafe    = errors.New("an object store has no rename that refuses to replace, so two writers without a catalog would lose commits")
)

// catalogName is what SQL catalogs keep tables under. It is in the data: never
// change it.
const catalogName = "wolkpipe"

func openCatalog(ctx context.Context, o *Options) (*store, error) {
	u, err := url.Parse(o.Catalog)
	if err != nil {
		return nil, fmt.Errorf("%w: it cannot be parsed", errCatalog)
	}
	props := iceberg.Properties{}
	maps.Copy(props, o.Properties)
	switch u.Scheme {
	case "sqlite":
		return openSQLite(u, o, props)
	case "postgres", "postgresql":
		return openSQL("pgx", o.Catalog, sqlcatalog.Postgres, o, props)
	case "http", "https", "rest+http", "rest+https":
		return openREST(ctx, u, o, props)
	case "glue":
		return openGlue(ctx, u, o, props)
	case "file":
		return openHadoop(u, o, props)
	case "s3", "s3a", "gs", "abfs", "abfss", "wasb", "wasbs", "azblob":
		return nil, errUnsafe
	}
	return nil, fmt.Errorf("%w: scheme %q is not known", errCatalog, u.Scheme)
}

func openSQLite(u *url.URL, o *Options, props iceberg.Properties) (*store, error) {
	path := filepath.FromSlash(u.Path)
	if u.Host != "" || !filepath.IsAbs(path) || u.RawQuery != "" {
		return nil, fmt.Errorf("%w: a file is sqlite:/// and an absolute path, without a query", errCatalog)
	}
	if err := makeFolder(filepath.Dir(path)); err != nil {
		return nil, err
	}
	// Writers take the lock when they begin: one that has read first could not
	// wait for it. FULL, so that what is acknowledged survives a power cut.
	source := "file:" + (&url.URL{Path: path}).EscapedPath() +
		"?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"
	return openSQL("sqlite", source, sqlcatalog.SQLite, o, props)
}

func openSQL(driver, source string, dialect sqlcatalog.SupportedDialect, o *Options, props iceberg.Properties) (*store, error) {
	warehouse, err := cleanWarehouse(o.Warehouse)
	if err != nil {
		return nil, err
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(4)
	c, err := sqlcatalog.NewCatalog(catalogName, db, dialect, props)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &store{c, warehouse, props, nil, func() error { return errors.Join(c.Close(), db.Close()) }}, nil
}

func openREST(ctx context.Context, u *url.URL, o *Options, props iceberg.Properties) (*store, error) {
	if u.Host == "" || u.User != nil || u.RawQuery != "" {
		return nil, fmt.Errorf("%w: a REST catalog is http(s)://host/path; its token or credential is set apart", errCatalog)
	}
	options := []rest.Option{rest.WithAdditionalProps(props)}
	if o.Warehouse != "" {
		options = append(options, rest.WithWarehouseLocation(o.Warehouse))
	}
	if o.Token != "" {
		options = append(options, rest.WithOAuthToken(o.Token))
	}
	if o.Credential != "" {
		options = append(options, rest.WithCredential(o.Credential))
	}
	c, err := rest.NewCatalog(ctx, catalogName, strings.TrimPrefix(u.String(), "rest+"), options...)
	if err != nil {
		return nil, err
	}
	return &store{c, "", props, nil, c.Close}, nil
}

func openGlue(ctx context.Context, u *url.URL, o *Options, props iceberg.Properties) (*store, error) {
	if u.Host == "" || u.Path != "" || u.RawQuery != "" {
		return nil, fmt.Errorf("%w: Glue is glue://region", errCatalog)
	}
	warehouse, err := cleanWarehouse(o.Warehouse)
	if err != nil {
		return nil, err
	}
	c, err := config.LoadDefaultConfig(ctx, config.WithRegion(u.Host))
	if err != nil {
		return nil, err
	}
	g, err := glue.NewCatalog(glue.WithAwsConfig(c), glue.WithAwsProperties(glue.AwsProperties(props)))
	if err != nil {
		return nil, err
	}
	return &store{g, warehouse, props, nil, func() error { return nil }}, nil
}

func openHadoop(u *url.URL, o *Options, props iceberg.Properties) (*store, error) {
	if o.Warehouse != "" {
		return nil, fmt.Errorf("%w: a file: catalog is the warehouse itself", errWarehouse)
	}
	warehouse, err := cleanWarehouse(u.String())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errCatalog, err)
	}
	c, err := hadoop.NewCatalog(catalogName, warehouse, props)
	if err != nil {
		return nil, err
	}
	return &store{c, "", props, nil, c.Close}, nil
}

// cleanWarehouse checks the URL of a folder, and gives it without a slash at
// its end.
func cleanWarehouse(warehouse string) (string, error) {
	u, err := url.Parse(warehouse)
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: it cannot be parsed", errWarehouse)
	case u.Scheme == "file":
		if u.Host != "" && u.Host != "localhost" || !filepath.IsAbs(filepath.FromSlash(u.Path)) || u.Path == "/" || u.RawQuery != "" {
			return "", fmt.Errorf("%w: a folder is file:/// and an absolute path, without a query", errWarehouse)
		}
	case u.Scheme == "" || u.Host == "" || u.User != nil && strings.Contains(u.User.String(), ":") || u.RawQuery != "":
		return "", fmt.Errorf("%w: it is file:///folder, s3://bucket/folder, gs://bucket/folder or abfs://container@account/folder", errWarehouse)
	}
	return strings.TrimRight(warehouse, "/"), nil
}

// hidden is err without what is secret in the options.
func hidden(err error, o *Options) error {
	secrets := []string{o.Token, o.Credential}
	if _, secret, ok := strings.Cut(o.Credential, ":"); ok {
		secrets = append(secrets, secret)
	}
	if u, parseErr := url.Parse(o.Catalog); parseErr == nil && u.User != nil {
		if password, ok := u.User.Password(); ok {
			secrets = append(secrets, password, url.QueryEscape(password), url.PathEscape(password))
		}
		secrets = append(secrets, u.Query().Get("password"))
	}
	for _, v := range o.Properties {
		if len(v) >= 8 { // shorter ones are regions and switches
			secrets = append(secrets, v)
		}
	}
	text := err.Error()
	var request *url.Error // keys that a catalog lends stand in a query
	if errors.As(err, &request) {
		if u, parseErr := url.Parse(request.URL); parseErr == nil && u.RawQuery != "" {
			secrets = append(secrets, u.RawQuery)
		}
	}
	for _, s := range secrets {
		if s != "" {
			text = strings.ReplaceAll(text, s, "xxxxx")
		}
	}
	if text == err.Error() {
		return err
	}
	return &hiddenError{text, err}
}

// hiddenError says what an error says, its secrets aside.
type hiddenError struct {
	text string
	err  error
}

func (e *hiddenError) Error() string        { return e.text }
func (e *hiddenError) Is(target error) bool { return errors.Is(e.err, target) }
