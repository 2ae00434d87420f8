package config

import (
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// sinkKeys are the keys that only one kind of sink has.
var sinkKeys = []struct {
	kind  string
	names []string
}{
	{EventsSink, []string{"row_ttl"}},
	{ParquetSink, []string{"bucket", "prefix"}},
	{IcebergSink, []string{"catalog", "warehouse", "namespace", "interval", "keep", "token"}},
	{NDJSONSink, []string{"folder"}},
}

var sinkKinds = []string{EventsSink, ParquetSink, IcebergSink, NDJSONSink}

func (r *reader) sinks(s section, data string) []Sink {
	items, ok := s.items("sinks", "write one or more, or leave the key out for events and lake")
	if !ok {
		return []Sink{{Name: "events", Kind: EventsSink}, {Name: "lake", Kind: ParquetSink, Bucket: fileURL(filepath.Join(data, "lake"), "")}}
	}
	known := []string{"name", "kind"}
	for _, keys := range sinkKeys {
		known = append(known, keys.names...)
	}
	all := []Sink{}
	names := unique{}
	for i, n := range items {
		item := r.section(n, place{s.at.file, n.Line}, "sinks["+strconv.Itoa(i)+"]", false, known...)
		sink := r.sink(item, data)
		if sink.Name == Quarantine {
			item.problem("name", "choose another", "%s is taken: by wolkpipe's own sink, of rejected rows", sink.Name)
		}
		names.check(item, sink.Name)
		clash(item, sink, all)
		all = append(all, sink)
	}
	return all
}

// clash reports a sink that would do another's work.
func clash(s section, sink Sink, others []Sink) {
	if !s.fine("kind", "bucket", "prefix", "catalog", "warehouse", "namespace", "folder") {
		return
	}
	for _, o := range others {
		if o.Kind == IcebergSink && sink.Kind == IcebergSink && o.Catalog != sink.Catalog && sink.Warehouse != "" &&
			o.Warehouse == sink.Warehouse && o.Namespace == sink.Namespace {
			s.problem("warehouse", "give one of them another warehouse or namespace", "and namespace are those of sink %s, whose catalog is another", o.Name)
		}
		if o.Kind != sink.Kind && folderOf(sink) != "" && folderOf(o) == folderOf(sink) {
			key := map[string]string{ParquetSink: "bucket", NDJSONSink: "folder"}[sink.Kind]
			s.problem(key, "give one of them another folder", "is the folder of sink %s, which takes files of others for strays", o.Name)
		}
	}
	i := slices.IndexFunc(others, func(o Sink) bool {
		return o.Kind == sink.Kind && o.Bucket == sink.Bucket && o.Prefix == sink.Prefix && o.Catalog == sink.Catalog && o.Namespace == sink.Namespace && o.Folder == sink.Folder
	})
	if i < 0 {
		return
	}
	switch sink.Kind {
	case EventsSink:
		s.problem("kind", "keep one of them", "events stands here a second time: there is one stream of events")
	case ParquetSink:
		s.problem("bucket", "give one of them another bucket or prefix", "and prefix are those of sink %s", others[i].Name)
	case IcebergSink:
		s.problem("catalog", "give one of them another catalog or namespace", "and namespace are those of sink %s", others[i].Name)
	case NDJSONSink:
		s.problem("folder", "give one of them another", "is that of sink %s", others[i].Name)
	}
}

// folderOf is where a sink keeps the files of days on this machine, if it does.
func folderOf(s Sink) string {
	if path, ok := strings.CutPrefix(s.Bucket, "file://"); ok && s.Kind == ParquetSink {
		path, _ = url.PathUnescape(path)
		return filepath.Join(filepath.FromSlash(path), filepath.FromSlash(s.Prefix))
	}
	return s.Folder
}

// parseFolder takes a path: of a URL, the mend is told.
func parseFolder(v value) (string, *flaw) {
	if strings.Contains(v.text, "://") || strings.HasPrefix(v.text, "file:") {
		return "", wrong("write a path such as out", "%s is a URL", quote(v.text))
	}
	return parseText(v)
}

func (r *reader) sink(s section, data string) Sink {
	sink := Sink{
		Name: required(s, "name", "write one such as lake: commands call the sink by it", parseName),
		Kind: required(s, "kind", "write "+alternatives(sinkKinds), oneOf(sinkKinds...)),
	}
	for _, keys := range sinkKeys {
		for _, name := range keys.names {
			if sink.Kind != "" && keys.kind != sink.Kind && s.has(name) {
				s.problem(name, "take it out", "belongs to sinks of kind %s", keys.kind)
			}
		}
	}
	switch sink.Kind {
	case EventsSink:
		sink.RowTTL = read(s, "row_ttl", 0, parseTTL)
	case ParquetSink:
		sink.Bucket = orElse(read(s, "bucket", "", emptyOr(bucketParser(r.dir))), fileURL(filepath.Join(data, "lake"), ""))
		sink.Prefix = read(s, "prefix", "", parsePrefix)
	case IcebergSink:
		r.iceberg(s, &sink, data)
	case NDJSONSink:
		sink.Folder = absolute(r.dir, orElse(read(s, "folder", "", emptyOr(parseFolder)), filepath.Join(data, "ndjson")))
	}
	return sink
}

func (r *reader) iceberg(s section, sink *Sink, data string) {
	sink.Catalog = orElse(read(s, "catalog", "", emptyOr(catalogParser(r.dir))), pathURL("sqlite", filepath.Join(data, "iceberg.db")))
	parse := warehouseParser(r.dir)
	if strings.HasPrefix(sink.Catalog, "http") {
		parse = parseText // the catalog knows what it means
	}
	sink.Warehouse = read(s, "warehouse", "", emptyOr(parse))
	r.place(s, sink, data)
	sink.Namespace = read(s, "namespace", "wolkpipe", parseNamespace)
	sink.Interval = read(s, "interval", 30*time.Second, parseInterval)
	sink.Keep = read(s, "keep", 7*24*time.Hour, parseKeep)
	sink.Token = read(s, "token", Secret{}, emptyOr(func(v value) (Secret, *flaw) { return parseSecret(v, r.dir, "CATALOG_TOKEN", false) }))
	r.reference(s, "token", sink.Token)
	if sink.Token.Kind != "" && !strings.HasPrefix(sink.Catalog, "http") && s.fine("catalog") {
		s.problem("token", "take it out", "belongs to a REST catalog, at https://…")
	}
}

// place says where tables are if nobody did, and whether catalog and warehouse fit.
func (r *reader) place(s section, sink *Sink, data string) {
	if !s.fine("catalog", "warehouse") {
		return
	}
	scheme, _, _ := strings.Cut(sink.Catalog, ":")
	switch {
	case scheme == "file" && sink.Warehouse != "":
		s.problem("warehouse", "take it out, or name a catalog such as sqlite:iceberg.db", "does not go with the catalog, a folder that holds the tables itself")
	case scheme == "glue" && sink.Warehouse == "":
		s.problem("catalog", "give warehouse: s3://bucket/folder", "glue does not say where the tables are to be")
	case (scheme == "sqlite" || scheme == "postgres") && sink.Warehouse == "":
		sink.Warehouse = fileURL(filepath.Join(data, "iceberg"), "")
	}
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

// parseTTL takes 0, or what the server can keep: whole seconds.
func parseTTL(v value) (time.Duration, *flaw) {
	const mend = "write 0 for ever, or a duration such as 2160h"
	d, bad := parseDuration(v)
	switch {
	case bad != nil:
		return 0, bad
	case d < 0 || d%time.Second != 0:
		return 0, wrong(mend, "%s is not a whole number of seconds from 1s, nor 0", quote(v.text))
	}
	return d, nil
}

// parseInterval takes what a sink's single attempt outlasts.
func parseInterval(v value) (time.Duration, *flaw) {
	d, bad := parseDelay(v)
	if bad == nil && d > 2*time.Minute {
		return 0, wrong("write 2m or less", "%s is too long", quote(v.text))
	}
	return d, bad
}

// pathURL is the URL of an absolute path.
func pathURL(scheme, path string) string {
	return scheme + "://" + (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath()
}

// parseKeep takes how long snapshots stay.
func parseKeep(v value) (time.Duration, *flaw) {
	d, bad := parseDuration(v)
	if bad == nil && d < time.Hour {
		return 0, wrong("write 1h or more: queries that run read older ones", "%s is too short", quote(v.text))
	}
	return d, bad
}

var namespacePattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}(\.[a-z][a-z0-9_]{0,62})*$`)

func parseNamespace(v value) (string, *flaw) {
	if v.wantText() != nil || !namespacePattern.MatchString(v.text) {
		return "", wrong("write one such as wolkpipe or lake.wolkvox: lower case, digits and _", "%s is no namespace", quote(v.text))
	}
	return v.text, nil
}

// catalogParser reads where an Iceberg catalog is; a path is relative to dir.
func catalogParser(dir string) func(value) (string, *flaw) {
	const mend = "write one such as sqlite:iceberg.db, postgres://host/database, https://catalog.example.com, glue://us-east-1 or file:folder"
	return func(v value) (string, *flaw) {
		u, err := url.Parse(v.text)
		if v.wantText() != nil || err != nil || u.Scheme == "" {
			return "", wrong(mend, "is not a URL")
		}
		if u.User != nil {
			if _, ok := u.User.Password(); ok || u.Scheme != "postgres" {
				return "", wrong("take them out: PGPASSWORD, .pgpass, token or the cloud's own variables give them", "holds credentials")
			}
		}
		switch u.Scheme {
		case "sqlite", "file":
			path := u.Host + u.Path
			if u.Opaque != "" {
				if path, err = url.PathUnescape(u.Opaque); err != nil {
					path = ""
				}
			}
			if path == "" || u.RawQuery != "" || u.Fragment != "" {
				return "", wrong(mend, "names no path")
			}
			return pathURL(u.Scheme, absolute(dir, path)), nil
		case "postgres", "https", "http", "glue":
			if u.Host == "" {
				return "", wrong(mend, "names no place")
			}
			return v.text, nil
		}
		return "", wrong(mend, "has the scheme %s, which is not known", quote(u.Scheme))
	}
}

// WarehouseParameters are what the URL of a warehouse on S3 can say besides the
// place: region, endpoint (a URL) and use_path_style (true).
var WarehouseParameters = []string{"region", "endpoint", "use_path_style"}

// warehouseSchemes are those that the Iceberg sink writes to.
var warehouseSchemes = []string{"file", "s3", "gs", "abfs", "abfss"}

// warehouseParser reads where tables are kept; a path is relative to dir.
func warehouseParser(dir string) func(value) (string, *flaw) {
	const mend = "write one such as s3://bucket/folder, gs://bucket/folder, abfss://container@account.dfs.core.windows.net/folder or file:warehouse"
	return func(v value) (string, *flaw) {
		u, err := url.Parse(v.text)
		switch {
		case v.wantText() != nil || err != nil || u.Scheme == "":
			return "", wrong(mend, "is not a URL")
		case !slices.Contains(warehouseSchemes, u.Scheme):
			return "", wrong(mend, "has the scheme %s, which is not known", quote(u.Scheme))
		case u.Scheme == "file":
			return fileBucket(u, dir)
		case u.User != nil && !strings.HasPrefix(u.Scheme, "abfs"):
			return "", wrong("take them out: the store's own variables and files give them", "holds credentials")
		case u.Host == "" || u.Fragment != "":
			return "", wrong(mend, "names no bucket")
		}
		for key := range u.Query() {
			if u.Scheme != "s3" || !slices.Contains(WarehouseParameters, key) {
				return "", wrong("take it out, or write "+alternatives(WarehouseParameters)+" of s3", "has the parameter %s, which is not known", quote(key))
			}
		}
		return v.text, nil
	}
}
