package parquet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"time"

	"cloud.google.com/go/storage"
	"gocloud.dev/blob"

	"wolkpipe/sinks"
	"wolkpipe/sinks/objectstore"
)

// Open opens a lake and proves that it can be read and written, and that
// its store honours the conditions that commits rest on. What no retry mends
// is a [sinks.Error]; other errors, such as a network that is down, may pass.
func Open(ctx context.Context, o Options) (*Sink, error) {
	u, err := url.Parse(o.Bucket)
	if err != nil {
		return nil, &sinks.Error{Op: "opening the lake", Err: errBucket, Hint: bucketHint} // err shows the text
	}
	op := "opening the lake " + shown(u)
	prefix, err := cleanPrefix(o.Prefix)
	if err != nil {
		return nil, &sinks.Error{Op: op, Err: err, Hint: "set prefix to a folder in the bucket, or leave it empty"}
	}
	st, stale, err := openStore(ctx, u, prefix)
	if err != nil {
		return nil, explain(op, u.Scheme, err)
	}
	// The drivers mind no silence.
	probing, cancel := context.WithTimeoutCause(ctx, openTime, errSilent)
	defer cancel()
	if err := probe(probing, st, stale); err != nil {
		if cause := context.Cause(probing); errors.Is(cause, errSilent) {
			err = fmt.Errorf("%w %v: %w", cause, openTime, err)
		}
		return nil, errors.Join(explain(op, u.Scheme, err), st.close())
	}
	return newSink(st, o.Logger), nil
}

// openTime is how long a store may take to answer the few requests of Open.
var openTime = time.Minute

const bucketHint = "set bucket to file:///absolute/folder, s3://bucket?region=…, gs://bucket, azblob://container or mem://"

var (
	errBucket    = errors.New("not the URL of a bucket")
	errParameter = errors.New("the bucket's parameters are wrong")
	errDriver    = errors.New("the bucket's driver refuses it")
	errSilent    = errors.New("the store did not answer within")
)

func openStore(ctx context.Context, u *url.URL, prefix string) (st store, stale string, err error) {
	if err := checkURL(u); err != nil {
		return nil, "", err
	}
	var cond *condition
	switch u.Scheme {
	case "file":
		if u.Host != "" && u.Host != "localhost" || !filepath.IsAbs(filepath.FromSlash(u.Path)) || u.RawQuery != "" {
			return nil, "", fmt.Errorf("%w: a folder is file:/// and an absolute path, without a query", errBucket)
		}
		st, err := newDirStore(filepath.Join(filepath.FromSlash(u.Path), filepath.FromSlash(prefix)))
		return st, "none", err
	case "mem":
		stale = "none"
	default:
		c := conditions[u.Scheme]
		cond, stale = &c, c.stale
	}
	if cond != nil && u.Host == "" {
		return nil, "", fmt.Errorf("%w: it names no bucket", errBucket)
	}
	bucket, err := blob.OpenBucket(ctx, u.String())
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", errDriver, objectstore.Tell(err))
	}
	var client *storage.Client
	if bucket.As(&client) {
		client.SetRetry(storage.WithMaxAttempts(mostTries)) // not of writes: see gcsTries
	}
	return &bucketStore{bucket: bucket, prefix: prefix, cond: cond}, stale, nil
}

// explain adds what an operator can do about a failure to open.
func explain(op, scheme string, err error) error {
	hint := objectstore.Hint(scheme, err)
	switch {
	case errors.Is(err, errBucket):
		hint = bucketHint
	case errors.Is(err, errParameter):
		hint = "correct the bucket's parameters"
	case errors.Is(err, errDriver):
		hint = "correct the bucket's parameters and its credentials: " + objectstore.Credentials(scheme)
	case errors.Is(err, errNoConditions):
		hint = objectstore.ConditionsHint
	case errors.Is(err, errNoVersion):
		hint = "correct the endpoint: what answers there is no object store of this kind"
	case errors.Is(err, fs.ErrPermission):
		hint = "let the user that runs wolkpipe write to the folder"
	case hint != "":
	case scheme == "file":
		return fmt.Errorf("%s: %w: check the folder and its disk", op, err)
	default:
		return fmt.Errorf("%s: %w: check that the store is up, the network, and the bucket's endpoint and region", op, err)
	}
	return &sinks.Error{Op: op, Err: err, Hint: hint}
}
