package iceberg

import (
	"log/slog"
	"time"
)

// DefaultInterval is how far apart commits are, where the configuration does
// not say.
const DefaultInterval = 30 * time.Second

// Options say where a lake is, and how it is kept.
type Options struct {
	// Catalog is the URL of the catalog:
	//
	//	sqlite:///absolute/catalog.db     a file, for processes of one machine
	//	postgres://user@host/database     PostgreSQL
	//	https://host/path                 a REST catalog; rest+http: and rest+https: are the same
	//	glue://region                     AWS Glue
	//	file:///absolute/folder           none: metadata files of a local file system alone
	//
	// The program links the drivers of object stores (iceberg-go's io/gocloud).
	Catalog string

	// Warehouse is where the tables are: file:///absolute/folder, s3://, gs:// or
	// abfs://, each with a folder. A REST catalog is given it as the name of its
	// warehouse, and places tables by itself. With a file: catalog it is empty.
	Warehouse string

	// Namespace holds the tables: wolkpipe, if empty. Its parts are parted by dots.
	Namespace string

	// Token and Credential ("id:secret") are those of a REST catalog, if any.
	Token, Credential string

	// Properties are for the catalog and the file systems, by the names that
	// Iceberg has for them, such as s3.endpoint. Values may be secrets.
	Properties map[string]string

	// Interval is the least time between the beginnings of two commits; days
	// that are to be committed meanwhile wait, and are one commit. 0 for none.
	Interval time.Duration

	// KeepSnapshots is how long a snapshot stays readable once another one has
	// replaced it, 7 days if 0. The last KeepLast, 10 if 0, always do.
	KeepSnapshots time.Duration
	KeepLast      int

	// OrphanAge is the age, 3 days if 0, at which files that no snapshot names are
	// taken for the remains of a crash. It must be longer than any commit takes.
	OrphanAge time.Duration

	// MaintainEvery is how often [Sink.Maintain] is called, 24 h if 0; never, if
	// negative.
	MaintainEvery time.Duration

	// Logger is told what was found to be wrong, and of maintenance; nil for none.
	Logger *slog.Logger
}

func (o *Options) setDefaults() {
	if o.Namespace == "" {
		o.Namespace = "wolkpipe"
	}
	if o.KeepSnapshots == 0 {
		o.KeepSnapshots = 7 * 24 * time.Hour
	}
	if o.KeepLast == 0 {
		o.KeepLast = 10
	}
	if o.OrphanAge == 0 {
		o.OrphanAge = 3 * 24 * time.Hour
	}
	if o.MaintainEvery == 0 {
		o.MaintainEvery = 24 * time.Hour
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}
