package parquet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cloud.google.com/go/storage"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	azblobblob "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"

	"wolkpipe/sinks"
)

// TestConditions hands each kind of condition the types of its driver.
func TestConditions(t *testing.T) {
	etag, azureTag := `"abc"`, azcore.ETag(`"0x8D"`)
	if got := s3Guard(func(i any) bool { i.(*s3.GetObjectOutput).ETag = &etag; return true }); got != etag {
		t.Errorf("s3Guard gives %s", got)
	}
	upload := new(transfermanager.UploadObjectInput)
	if err := s3Require(func(i any) bool { *i.(**transfermanager.UploadObjectInput) = upload; return true }, etag); err != nil || upload.IfMatch == nil || *upload.IfMatch != etag {
		t.Errorf("s3Require sends %v, %v", upload.IfMatch, err)
	}

	reader := &storage.Reader{Attrs: storage.ReaderObjectAttrs{Generation: 17}}
	if got := gcsGuard(func(i any) bool { *i.(**storage.Reader) = reader; return true }); got != "17" {
		t.Errorf("gcsGuard gives %s", got)
	}
	before := new(storage.ObjectHandle)
	object := before
	if err := gcsRequire(func(i any) bool { *i.(***storage.ObjectHandle) = &object; return true }, "17"); err != nil || object == before {
		t.Errorf("gcsRequire puts no condition on the object: %v", err)
	}
	if err := gcsRequire(func(any) bool { return true }, etag); err == nil {
		t.Error("gcsRequire takes an ETag for a generation")
	}

	if got := azureGuard(func(i any) bool { i.(*azblobblob.DownloadStreamResponse).ETag = &azureTag; return true }); got != string(azureTag) {
		t.Errorf("azureGuard gives %s", got)
	}
	options := new(azblob.UploadStreamOptions)
	if err := azureRequire(func(i any) bool { *i.(**azblob.UploadStreamOptions) = options; return true }, string(azureTag)); err != nil ||
		*options.AccessConditions.ModifiedAccessConditions.IfMatch != azureTag {
		t.Errorf("azureRequire sends %v, %v", options.AccessConditions, err)
	}

	// A driver that is not the expected one must never mean "no condition".
	stranger := func(any) bool { return false }
	for scheme, c := range conditions {
		if err := c.require(stranger, "17"); !errors.Is(err, errTypes) {
			t.Errorf("%s: a strange driver's write goes out with %v", scheme, err)
		}
		if g := c.guard(stranger); g != "" {
			t.Errorf("%s: a strange driver's object has the guard %q", scheme, g)
		}
	}
	bucket := memblob.OpenBucket(nil)
	defer func() { _ = bucket.Close() }()
	c := conditions["s3"]
	st := &bucketStore{bucket: bucket, cond: &c}
	if err := st.put(t.Context(), "a", []byte("1"), ""); err != nil {
		t.Fatal(err)
	}
	if err := st.put(t.Context(), "a", []byte("2"), ""); !errors.Is(err, sinks.ErrConflict) {
		t.Errorf("a second creation gives %v", err)
	}
	if err := st.put(t.Context(), "a", []byte("2"), etag); !errors.Is(err, errTypes) {
		t.Errorf("a replacement without a condition gives %v", err)
	}
	if _, _, err := st.get(t.Context(), "a"); err == nil {
		t.Error("an object without a version is read as if it had one")
	}
}

// TestDirStoreMendsTemp: a temporary file that a killed writer left is removed
// by the next write, wherever that is, and never more than it.
func TestDirStoreMendsTemp(t *testing.T) {
	root := t.TempDir()
	s, err := newDirStore(root)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.close() }()
	for _, note := range []string{"a/b", "c", "../outside", ""} {
		left := filepath.Join(root, filepath.FromSlash(note), tempName)
		writeFile(t, left, []byte("half"))
		writeFile(t, filepath.Join(root, lockName), []byte(note))
		if err := s.put(t.Context(), "c/"+strings.ReplaceAll(note, "/", "_")+".parquet", []byte(note), ""); err != nil {
			t.Fatal(err)
		}
		_, err := os.Stat(left)
		if inside := note == "a/b" || note == "c"; inside != errors.Is(err, os.ErrNotExist) {
			t.Errorf("what a killed writer left in %q: %v", note, err)
		}
		_ = os.Remove(left)
	}
	// A power cut leaves of the note what it will, since nobody flushes it.
	for i, note := range []string{"chat_7/operation=ven\x00\x00\x00", "\x00", "chat_7/operation=v", strings.Repeat("\x00", 5000)} {
		writeFile(t, filepath.Join(root, lockName), []byte(note))
		if err := s.put(t.Context(), fmt.Sprintf("c/torn-%d.parquet", i), nil, ""); err != nil {
			t.Errorf("after the note %.20q: %v", note, err)
		}
	}
}

func TestDirStoreHonoursItsContext(t *testing.T) {
	root := t.TempDir()
	one, err := newDirStore(root)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = one.close() }()
	two, err := newDirStore(root)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = two.close() }()
	unlock, err := one.acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*dirStore{"the same store": one, "another process": two} {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.put(ctx, "a/x.parquet", []byte("1"), "") }()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("%s waited for the lock, and gave %v", name, err)
		}
	}
	unlock()
	if err := two.put(t.Context(), "a/x.parquet", []byte("1"), ""); err != nil {
		t.Error(err)
	}
	if got := files(t, root); !slices.Equal(got, []string{lockName, "a/x.parquet"}) {
		t.Errorf("the folder holds %q", got)
	}
}

// careless is a store that ignores one condition.
type careless struct {
	store
	ignores func(guard string) bool
}

func (c careless) put(ctx context.Context, name string, data []byte, guard string) error {
	err := c.store.put(ctx, name, data, guard)
	if errors.Is(err, sinks.ErrConflict) && c.ignores(guard) {
		return nil
	}
	return err
}

func TestProbe(t *testing.T) {
	for range 2 { // the second finds what the first left
		st := &bucketStore{bucket: memblob.OpenBucket(nil)}
		if err := errors.Join(probe(t.Context(), st, "none"), probe(t.Context(), st, "none")); err != nil {
			t.Fatal(err)
		}
		for condition, ignores := range map[string]func(string) bool{
			"If-None-Match": func(guard string) bool { return guard == "" },
			"If-Match":      func(guard string) bool { return guard != "" },
		} {
			err := probe(t.Context(), careless{st, ignores}, "none")
			if !errors.Is(err, errNoConditions) || !strings.HasSuffix(err.Error(), condition) {
				t.Errorf("a store without %s: %v", condition, err)
			}
			var told *sinks.Error
			if !errors.As(explain("opening", "s3", err), &told) || !strings.Contains(told.Hint, "honours") {
				t.Errorf("a store without %s is explained as %v", condition, told)
			}
		}
		_ = st.close()
	}
}

func TestOpenErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	writeFile(t, file, nil)
	for _, c := range []struct {
		options Options
		typed   bool
		want    string
	}{
		{Options{Bucket: ""}, true, `scheme "" is not known: set bucket to file:///`},
		{Options{Bucket: "data/lake"}, true, `scheme "" is not known: set bucket to`},
		{Options{Bucket: "ftp://x"}, true, `scheme "ftp" is not known: set bucket to`},
		{Options{Bucket: "file://data/lake"}, true, "an absolute path, without a query: set bucket to"},
		{Options{Bucket: "file:///tmp?x=1"}, true, "an absolute path, without a query: set bucket to"},
		{Options{Bucket: "s3://"}, true, "it names no bucket: set bucket to"},
		{Options{Bucket: "s3://\x7f"}, true, "set bucket to"},
		{Options{Bucket: "mem://?what=1"}, true, "correct the bucket's parameters"},
		{Options{Bucket: "mem://", Prefix: "../x"}, true, "is not a relative folder such as lake/wolkvox: set prefix to"},
		{Options{Bucket: "mem://", Prefix: "/x"}, true, "is not a relative folder"},
		{Options{Bucket: "mem://", Prefix: "x//y/"}, true, "is not a relative folder"},
		{Options{Bucket: "file://" + file}, false, "not a directory: check the folder and its disk"},
	} {
		s, err := Open(t.Context(), c.options)
		if err == nil {
			_ = s.Close()
			t.Errorf("%+v is opened", c.options)
			continue
		}
		var told *sinks.Error
		if errors.As(err, &told) != c.typed || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v gives %v (%T)", c.options, err, err)
		}
	}
}

// TestPrefix: a prefix is a folder, with or without a final slash.
func TestPrefix(t *testing.T) {
	root := t.TempDir()
	for _, prefix := range []string{"a/b", "a/b/"} {
		s, err := Open(t.Context(), Options{Bucket: "file://" + root, Prefix: prefix})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := offer(t.Context(), s, day(win(0, 10))); err != nil {
			t.Fatal(err)
		}
		_ = s.Close()
	}
	if got := files(t, root); !slices.Equal(got, []string{"a/b/" + probeName, "a/b/" + lockName, "a/b/" + coverageObject}) {
		t.Errorf("the folder holds %q", got)
	}
	bucket := memblob.OpenBucket(nil)
	defer func() { _ = bucket.Close() }()
	if _, err := offer(t.Context(), newSink(&bucketStore{bucket: bucket, prefix: "a/b/"}, nil), day(win(0, 10))); err != nil {
		t.Fatal(err)
	}
	list := bucket.List(&blob.ListOptions{})
	if o, err := list.Next(t.Context()); err != nil || o.Key != "a/b/"+coverageObject {
		t.Errorf("the bucket holds %v, %v", o, err)
	}
}
