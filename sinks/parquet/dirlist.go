package parquet

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
)

func (s *dirStore) list(ctx context.Context, folder string) ([]string, error) {
	var names []string
	err := filepath.WalkDir(filepath.Join(s.root, filepath.FromSlash(folder)), func(path string, e fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, fs.ErrNotExist): // never there, or moved away meanwhile
			return nil
		case err != nil || e.IsDir() || e.Name() == tempName:
			return err
		}
		name, err := filepath.Rel(s.root, path)
		names = append(names, filepath.ToSlash(name))
		return err
	})
	return names, err
}

func (s *dirStore) move(ctx context.Context, from, to string) error {
	unlock, err := s.acquire(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := s.makeFolder(path.Dir(to)); err != nil {
		return err
	}
	err = os.Rename(filepath.Join(s.root, filepath.FromSlash(from)), filepath.Join(s.root, filepath.FromSlash(to)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	// The new name first: a power cut may leave both, never neither.
	return errors.Join(syncDir(filepath.Join(s.root, filepath.FromSlash(path.Dir(to)))),
		syncDir(filepath.Join(s.root, filepath.FromSlash(path.Dir(from)))))
}
