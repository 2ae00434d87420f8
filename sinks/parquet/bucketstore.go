package parquet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"cloud.google.com/go/storage"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	azblobblob "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"wolkpipe/sinks"
	"wolkpipe/sinks/objectstore"
)

// condition is how one kind of object store names a content and makes a
// write conditional on it. as is a driver's window on its own types.
type condition struct {
	guard   func(as func(any) bool) string              // of what a reader reads; "" if it cannot tell
	require func(as func(any) bool, guard string) error // of the write that is about to be sent
	stale   string                                      // a guard of the right form that names no object
	tries   func(as func(any) bool) error               // bounds those of that write; nil: its driver does
}

// conditions are those of the schemes. A store in memory has none: see
// bucketStore.put.
var conditions = map[string]condition{
	"s3":     {s3Guard, s3Require, `"00000000000000000000000000000000"`, nil},
	"gs":     {gcsGuard, gcsRequire, "1", gcsTries},
	"azblob": {azureGuard, azureRequire, `"0x0"`, nil},
}

func s3Guard(as func(any) bool) string {
	var out s3.GetObjectOutput
	if as(&out) && out.ETag != nil {
		return *out.ETag
	}
	return ""
}

func s3Require(as func(any) bool, guard string) error {
	var in *transfermanager.UploadObjectInput
	if !as(&in) {
		return errTypes
	}
	in.IfMatch = &guard
	return nil
}

func gcsGuard(as func(any) bool) string {
	var r *storage.Reader
	if as(&r) && r.Attrs.Generation != 0 {
		return strconv.FormatInt(r.Attrs.Generation, 10)
	}
	return ""
}

func gcsRequire(as func(any) bool, guard string) error {
	generation, err := strconv.ParseInt(guard, 10, 64)
	if err != nil {
		return fmt.Errorf("the guard %q is not a generation: %w", guard, err)
	}
	var object **storage.ObjectHandle
	if !as(&object) {
		return errTypes
	}
	*object = (*object).If(storage.Conditions{GenerationMatch: generation})
	return nil
}

// mostTries is how often GCS is asked for one thing, which its driver would do
// without end. Those of S3 and Azure ask three and four times. What is above a
// sink tries again, after ever longer waits, and tells the operator.
const mostTries = 4

func gcsTries(as func(any) bool) error {
	var object **storage.ObjectHandle
	if !as(&object) {
		return errTypes
	}
	var failed atomic.Int32
	*object = (*object).Retryer(storage.WithErrorFunc(func(err error) bool {
		return failed.Add(1) < mostTries && storage.ShouldRetry(err)
	}))
	return nil
}

func azureGuard(as func(any) bool) string {
	var out azblobblob.DownloadStreamResponse
	if as(&out) && out.ETag != nil {
		return string(*out.ETag)
	}
	return ""
}

func azureRequire(as func(any) bool, guard string) error {
	var options *azblob.UploadStreamOptions
	if !as(&options) {
		return errTypes
	}
	etag := azcore.ETag(guard)
	options.AccessConditions = &azblob.AccessConditions{
		ModifiedAccessConditions: &azblobblob.ModifiedAccessConditions{IfMatch: &etag},
	}
	return nil
}

var errTypes = errors.New("the store's driver is not the one that this version was written for")

// bucketStore keeps objects in a bucket.
type bucketStore struct {
	bucket *blob.Bucket
	prefix string
	cond   *condition // nil: the store is this process's alone

	mu sync.Mutex // makes compare and write one step where cond is nil
}

func (s *bucketStore) close() error { return s.bucket.Close() }

func (s *bucketStore) get(ctx context.Context, name string) ([]byte, string, error) {
	if err := ctx.Err(); err != nil { // a store in memory does not look
		return nil, "", err
	}
	r, err := s.bucket.NewReader(ctx, s.prefix+name, nil)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", objectstore.Tell(err)
	}
	defer func() { _ = r.Close() }() // read to the end, or failed already
	var data bytes.Buffer
	data.Grow(int(min(r.Size(), 1<<24)) + bytes.MinRead)
	if _, err := data.ReadFrom(r); err != nil {
		return nil, "", objectstore.Tell(err)
	}
	if s.cond == nil {
		return data.Bytes(), contentGuard(data.Bytes()), nil
	}
	guard := s.cond.guard(r.As)
	if guard == "" {
		return nil, "", errNoVersion
	}
	return data.Bytes(), guard, nil
}

func (s *bucketStore) put(ctx context.Context, name string, data []byte, guard string) error {
	options := &blob.WriterOptions{ContentType: "application/vnd.apache.parquet", IfNotExist: s.cond != nil && guard == ""}
	if s.cond != nil {
		options.BeforeWrite = func(as func(any) bool) error { return s.cond.prepare(as, guard) }
	} else {
		s.mu.Lock()
		defer s.mu.Unlock()
		_, now, err := s.get(ctx, name)
		if err != nil {
			return err
		}
		if now != guard {
			return sinks.ErrConflict
		}
	}
	// Upload, because a writer that is closed after a failed Write can publish
	// what it has got; and so that nothing stays open after an error.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	err := s.bucket.Upload(ctx, s.prefix+name, bytes.NewReader(data), options)
	if err != nil && s.refused(err, guard) {
		return sinks.ErrConflict
	}
	return objectstore.Tell(err)
}

// errNoVersion is of an object that could not be replaced safely.
var errNoVersion = errors.New("the store names no version of the object")

// prepare makes the write that is about to be sent what put promises; that of
// a creation has its condition already.
func (c *condition) prepare(as func(any) bool, guard string) error {
	if guard != "" {
		if err := c.require(as, guard); err != nil {
			return err
		}
	}
	if c.tries != nil {
		return c.tries(as)
	}
	return nil
}

// refused tells a condition that did not hold from a failure.
func (s *bucketStore) refused(err error, guard string) bool {
	switch gcerrors.Code(err) {
	case gcerrors.FailedPrecondition, gcerrors.AlreadyExists:
		return true
	case gcerrors.NotFound:
		// The object has gone since it was read. When the whole bucket has,
		// the next attempt creates, and fails.
		return guard != ""
	}
	// S3 answers so while another conditional write of the object is under way.
	var coded interface{ ErrorCode() string }
	return s.bucket.ErrorAs(err, &coded) && coded.ErrorCode() == "ConditionalRequestConflict"
}
