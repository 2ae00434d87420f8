package parquet

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"wolkpipe/sinks/objectstore"
)

func (s *bucketStore) list(ctx context.Context, folder string) ([]string, error) {
	var names []string
	all := s.bucket.List(&blob.ListOptions{Prefix: s.prefix + folder + "/"})
	for {
		o, err := all.Next(ctx)
		if errors.Is(err, io.EOF) {
			slices.Sort(names)
			return names, nil
		}
		if err != nil {
			return nil, objectstore.Tell(err)
		}
		// Some tools make an object of a folder itself.
		if name := strings.TrimPrefix(o.Key, s.prefix); !strings.HasSuffix(name, "/") {
			names = append(names, name)
		}
	}
}

func (s *bucketStore) move(ctx context.Context, from, to string) error {
	err := s.bucket.Copy(ctx, s.prefix+to, s.prefix+from, nil)
	if err == nil {
		err = s.bucket.Delete(ctx, s.prefix+from)
	}
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil
	}
	return objectstore.Tell(err)
}
