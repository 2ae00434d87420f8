package parquet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"wolkpipe/sinks"
)

// Open opens a lake and proves that it can be read and written, and that
// its store honours the conditions that commits rest on. What no retry mends
// is a [sinks.Error]; other errors, such as a network that is down, may pass.
func Open(ctx context.Context, o Options) (*Sink, error) {
	u, err := url.Parse(o.Bucket)
	if err != nil {
		return nil, &sinks.Error{Op: "opening the lake", Err: err, Hint: bucketHint}
	}
	op := "opening the lake " + u.Redacted()
	prefix, err := cleanPrefix(o.Prefix)
	if err != nil {
		return nil, &sinks.Error{Op: op, Err: err, Hint: "set prefix to a folder in the bucket, or leave it empty"}
	}
	st, stale, err := openStore(ctx, u, prefix)
	if err != nil {
		return nil, explain(op, u.Scheme, err)
	}
	if err := probe(ctx, st, stale); err != nil {
		return nil, errors.Join(explain(op, u.Scheme, err), st.close())
	}
	return newSink(st, o.Logger), nil
}

const bucketHint = "set bucket to file:///absolute/folder, s3://bucket?region=…, gs://bucket, azblob://container or mem://"

var (
	errBucket = errors.New("not the URL of a bucket")
	errDriver = errors.New("the bucket's driver refuses it")
)

func openStore(ctx context.Context, u *url.URL, prefix string) (st store, stale string, err error) {
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
		c, ok := conditions[u.Scheme]
		if !ok {
			return nil, "", fmt.Errorf("%w: scheme %q is not known", errBucket, u.Scheme)
		}
		cond, stale = &c, c.stale
	}
	if cond != nil && u.Host == "" {
		return nil, "", fmt.Errorf("%w: it names no bucket", errBucket)
	}
	bucket, err := blob.OpenBucket(ctx, u.String())
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", errDriver, err)
	}
	return &bucketStore{bucket: bucket, prefix: prefix, cond: cond}, stale, nil
}

// explain adds what an operator can do about a failure to open.
func explain(op, scheme string, err error) error {
	hint := ""
	code := gcerrors.Code(err)
	switch {
	case errors.Is(err, errBucket):
		hint = bucketHint
	case errors.Is(err, errDriver):
		hint = "correct the bucket's parameters, and give it credentials as the tools of its cloud take them"
	case errors.Is(err, errNoConditions):
		hint = "use a store that honours If-None-Match and If-Match on writes, such as AWS S3, versitygw or MinIO"
	case errors.Is(err, fs.ErrPermission):
		hint = "let the user that runs wolkpipe write to the folder"
	case code == gcerrors.NotFound:
		hint = "create the bucket, or correct its name and region"
	case code == gcerrors.PermissionDenied:
		hint = "let these credentials read and write objects below the prefix"
	case scheme == "file":
		return fmt.Errorf("%s: %w: check the folder and its disk", op, err)
	default:
		return fmt.Errorf("%s: %w: check that the store is up, and its endpoint, region and credentials", op, err)
	}
	return &sinks.Error{Op: op, Err: err, Hint: hint}
}
