package iceberg

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	icebergio "github.com/apache/iceberg-go/io"
)

// Local files are written by iceberg-go without being flushed: after a power
// cut a catalog could name metadata that the disk never got. In this process
// they are flushed before anything names them.
func init() {
	for _, scheme := range []string{"file", ""} {
		icebergio.Unregister(scheme)
		icebergio.Register(scheme, func(context.Context, *url.URL, map[string]string) (icebergio.IO, error) { return diskFS{}, nil })
	}
}

// flush is false in tests that are not about power cuts.
var flush = true

// diskFS is the local file system, flushed.
type diskFS struct{ icebergio.LocalFS }

// Create makes a file, and the folders that it needs.
func (d diskFS) Create(name string) (icebergio.FileWriter, error) {
	path, err := localPath(name)
	if err != nil {
		return nil, err
	}
	if err := makeFolder(filepath.Dir(path)); err != nil {
		return nil, err
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return &diskFile{f}, nil
}

func (d diskFS) WriteFile(name string, data []byte) error {
	f, err := d.Create(name)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

func (d diskFS) RenameNoReplace(from, to string) error {
	if err := d.LocalFS.RenameNoReplace(from, to); err != nil {
		return err
	}
	path, err := localPath(to)
	if err != nil {
		return err
	}
	return flushFolder(filepath.Dir(path))
}

// diskFile is a file that is on the disk, by its name, once it is closed.
type diskFile struct{ *os.File }

func (f *diskFile) ReadFrom(r io.Reader) (int64, error) { return f.File.ReadFrom(r) }

func (f *diskFile) Close() error {
	var err error
	if flush {
		err = f.Sync()
	}
	if err = errors.Join(err, f.File.Close()); err != nil {
		return err
	}
	return flushFolder(filepath.Dir(f.Name()))
}

// localPath is the path of a file: URL, or of what is a path already.
func localPath(name string) (string, error) {
	u, err := url.Parse(name)
	if err != nil || u.Scheme != "file" {
		return name, nil
	}
	if u.Host != "" && u.Host != "localhost" {
		return "", &fs.PathError{Op: "open", Path: name, Err: errors.New("it names a host")}
	}
	return filepath.FromSlash(u.Path), nil
}

// makeFolder makes a folder and those above it, each flushed by its name.
func makeFolder(path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	parent := filepath.Dir(path)
	if parent != path {
		if err := makeFolder(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return flushFolder(parent)
}

func flushFolder(path string) error {
	if !flush {
		return nil
	}
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	err = d.Sync()
	return errors.Join(err, d.Close())
}
