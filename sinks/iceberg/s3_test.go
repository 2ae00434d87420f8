package iceberg

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/apache/iceberg-go/io/gocloud/s3"

	"wolkpipe/schemas"
	"wolkpipe/sinks"
	"wolkpipe/sinks/sinktest"
	"wolkpipe/sinks/sinktest/servers"
)

// s3Lake is a lake in a bucket, with a catalog in a file. DuckDB reads copies.
type s3Lake struct{ lakeAt }

func (l s3Lake) Contents(t testing.TB, key sinks.Key) []schemas.Window {
	t.Helper()
	return duckContents(t, l.copies(t, "chat_7", key), l.copies(t, "chat_7_windows", key), key)
}

// copies copies the data files of a day.
func (l s3Lake) copies(t testing.TB, name string, key sinks.Key) (paths []string) {
	t.Helper()
	tbl := l.table(t, name)
	fsys, err := tbl.FS(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range dataFiles(t, tbl, ofDay(key)) {
		data, err := readFile(fsys, path)
		if err != nil {
			t.Fatal(err)
		}
		local := filepath.Join(t.TempDir(), filepath.Base(path))
		if err := os.WriteFile(local, data, 0o644); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, local)
	}
	return paths
}

// TestS3Refuses: what no retry mends is told at once, with the mend and without secrets.
func TestS3Refuses(t *testing.T) {
	server := servers.S3(t)
	server.CreateBucket(t, "lake")
	reader := server.Reader(t, "lake")
	wrong := *server
	wrong.SecretKey = "thisisnotthesecret"
	none := *server
	none.AccessKey, none.SecretKey = "", ""
	for name, c := range map[string]struct {
		server    *servers.S3Server
		warehouse string
		hint      string
	}{
		"no bucket":     {server, "s3://nowhere/warehouse", "create the bucket, or correct its name"},
		"wrong secret":  {&wrong, "s3://lake/warehouse", "correct the credentials: AWS_ACCESS_KEY_ID"},
		"none given":    {&none, "s3://lake/warehouse", "give wolkpipe credentials: AWS_ACCESS_KEY_ID"},
		"may only read": {reader, "s3://lake/warehouse", "let these credentials read and write objects"},
	} {
		t.Run(name, func(t *testing.T) {
			c.server.Setenv(t)
			o := sqliteLake(t).options
			o.Warehouse = c.warehouse
			o.Properties = map[string]string{"s3.endpoint": server.Endpoint, "s3.region": server.Region, "s3.force-virtual-addressing": "false"}
			_, err := Open(t.Context(), o)
			var refused *sinks.Error
			if !errors.As(err, &refused) || !strings.Contains(refused.Hint, c.hint) || c.server.SecretKey != "" && strings.Contains(err.Error(), c.server.SecretKey) {
				t.Errorf("Open gives %v", err)
			}
		})
	}
}

// TestS3: commits, maintenance and lost files on a real object store.
func TestS3(t *testing.T) {
	server := servers.S3(t)
	server.CreateBucket(t, "lake")
	server.Setenv(t)
	props := map[string]string{"s3.endpoint": server.Endpoint, "s3.region": server.Region, "s3.force-virtual-addressing": "false"}
	at := s3Lake{sqliteLake(t)}
	at.options.Warehouse, at.options.Properties = "s3://lake/warehouse", props
	at.options.KeepSnapshots, at.options.KeepLast = 1, 2
	s := at.open(t)
	for v := int64(1); v <= 4; v++ {
		mustCommit(t, s, dayOf(0, 2, v))
	}
	if err := s.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := snapshots(t, at.lakeAt, "chat_7"); n != 2 {
		t.Errorf("%d snapshots are left", n)
	}
	if d := sinktest.Diff(dayOf(0, 2, 4).Windows, at.Contents(t, keyAt(0))); d != "" {
		t.Error(d)
	}
	v, err := s.rows.load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := v.io.Remove(v.files(keyAt(0))[0].path); err != nil {
		t.Fatal(err)
	}
	audited, err := s.Audit(t.Context(), "ventas", []string{keyAt(0).Day})
	if err != nil || !strings.Contains(strings.Join(audited[keyAt(0).Day].Flaws, ""), "is not there") {
		t.Errorf("an audit after a file was lost gives %+v, %v", audited, err)
	}
	mustCommit(t, s, dayOf(0, 2, 4))
	if d := sinktest.Diff(dayOf(0, 2, 4).Windows, at.Contents(t, keyAt(0))); d != "" {
		t.Error(d)
	}
}
