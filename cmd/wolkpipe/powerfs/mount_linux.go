package powerfs

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// Mount makes the disk the content of a folder. It needs /dev/fuse and the
// right to mount, as root has; without, it gives an error that says so.
func (d *Disk) Mount(dir string) error {
	forLong := time.Hour // nobody but the kernel changes anything
	server, err := fs.Mount(dir, &inode{disk: d, node: d.root}, &fs.Options{
		EntryTimeout: &forLong, AttrTimeout: &forLong,
		RootStableAttr: &fs.StableAttr{Ino: d.root.inode},
		MountOptions: fuse.MountOptions{
			FsName: "powerfs", Name: "powerfs", DirectMountStrict: true, DisableXAttrs: true, ExplicitDataCacheControl: true, MaxWrite: 1 << 20,
		},
	})
	if err != nil {
		return fmt.Errorf("mounting a FUSE file system on %s: %w", dir, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unmount = server.Unmount
	return nil
}

// Unmount takes the disk from its folder, with all that the kernel has cached
// of it. It fails while a program has a file open.
func (d *Disk) Unmount() error {
	d.mu.Lock()
	unmount := d.unmount
	d.mu.Unlock()
	if unmount == nil {
		return errors.New("powerfs: the disk is not mounted")
	}
	if err := unmount(); err != nil {
		return fmt.Errorf("unmounting a FUSE file system: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unmount = nil
	return nil
}

// inode is a node as the kernel knows it. Locks are the kernel's own.
type inode struct {
	fs.Inode
	disk *Disk
	node *node
}

// handle is an open file; synced if each write is to be flushed.
type handle struct{ synced bool }

var _ interface {
	fs.NodeLookuper
	fs.NodeReaddirer
	fs.NodeGetattrer
	fs.NodeSetattrer
	fs.NodeCreater
	fs.NodeMkdirer
	fs.NodeLinker
	fs.NodeUnlinker
	fs.NodeRmdirer
	fs.NodeRenamer
	fs.NodeOpener
	fs.NodeReader
	fs.NodeWriter
	fs.NodeFsyncer
	fs.NodeStatfser
} = (*inode)(nil)

func (i *inode) attributes(n *node, out *fuse.Attr) {
	i.disk.mu.Lock()
	defer i.disk.mu.Unlock()
	out.Ino, out.Mode, out.Nlink, out.Blksize = n.inode, n.kind|n.mode, 1, 4096
	out.Size, out.Blocks = uint64(len(n.data)), uint64(len(n.data)+511)/512
	out.SetTimes(&n.mtime, &n.mtime, &n.mtime)
}

// child makes the kernel know a node.
func (i *inode) child(ctx context.Context, n *node, out *fuse.EntryOut) *fs.Inode {
	i.attributes(n, &out.Attr)
	return i.NewInode(ctx, &inode{disk: i.disk, node: n}, fs.StableAttr{Mode: n.kind, Ino: n.inode})
}

func (i *inode) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	_, nodes := i.disk.list(i.node)
	if nodes[name] == nil {
		return nil, syscall.ENOENT
	}
	return i.child(ctx, nodes[name], out), 0
}

func (i *inode) Readdir(context.Context) (fs.DirStream, syscall.Errno) {
	names, nodes := i.disk.list(i.node)
	var all []fuse.DirEntry
	for _, name := range names {
		all = append(all, fuse.DirEntry{Name: name, Mode: nodes[name].kind, Ino: nodes[name].inode})
	}
	return fs.NewListDirStream(all), 0
}

func (i *inode) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	i.attributes(i.node, &out.Attr)
	return 0
}

func (i *inode) Setattr(_ context.Context, _ fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	if length, ok := in.GetSize(); ok {
		if errno := i.disk.setLength(i.node, int64(length)); errno != 0 {
			return errno
		}
	}
	i.disk.mu.Lock()
	if mode, ok := in.GetMode(); ok {
		i.node.mode = mode & 0o7777
	}
	if mtime, ok := in.GetMTime(); ok {
		i.node.mtime = mtime
	}
	i.disk.mu.Unlock()
	i.attributes(i.node, &out.Attr)
	return 0
}

func (i *inode) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	n, errno := i.disk.create(i.node, name, syscall.S_IFREG, mode)
	if errno != 0 {
		return nil, nil, 0, errno
	}
	return i.child(ctx, n, out), opened(flags), fuse.FOPEN_KEEP_CACHE, 0
}

func (i *inode) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	n, errno := i.disk.create(i.node, name, syscall.S_IFDIR, mode)
	if errno != 0 {
		return nil, errno
	}
	return i.child(ctx, n, out), 0
}

func (i *inode) Link(ctx context.Context, target fs.InodeEmbedder, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	n := target.(*inode).node
	if errno := i.disk.link(i.node, name, n); errno != 0 {
		return nil, errno
	}
	return i.child(ctx, n, out), 0
}

func (i *inode) Unlink(_ context.Context, name string) syscall.Errno {
	return i.disk.remove(i.node, name, false)
}

func (i *inode) Rmdir(_ context.Context, name string) syscall.Errno {
	return i.disk.remove(i.node, name, true)
}

func (i *inode) Rename(_ context.Context, name string, to fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	const noReplace = 1 // RENAME_NOREPLACE
	if flags&^noReplace != 0 {
		return syscall.EINVAL
	}
	return i.disk.rename(i.node, name, to.(*inode).node, newName, flags == 0)
}

func opened(flags uint32) handle { return handle{flags&syscall.O_DSYNC != 0} } // which O_SYNC includes

func (i *inode) Open(_ context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	return opened(flags), fuse.FOPEN_KEEP_CACHE, 0 // the kernel itself cuts the length for O_TRUNC
}

func (i *inode) Read(_ context.Context, _ fs.FileHandle, into []byte, at int64) (fuse.ReadResult, syscall.Errno) {
	return fuse.ReadResultData(i.disk.read(i.node, into, at)), 0
}

func (i *inode) Write(_ context.Context, f fs.FileHandle, data []byte, at int64) (uint32, syscall.Errno) {
	errno := i.disk.write(i.node, data, at)
	if h, ok := f.(handle); ok && h.synced && errno == 0 {
		errno = i.disk.flush(i.node)
	}
	if errno != 0 {
		return 0, errno
	}
	return uint32(len(data)), 0
}

func (i *inode) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	return i.disk.flush(i.node)
}

func (i *inode) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno {
	const blocks = 1 << 26 // of 4 KiB: nobody is to run out of space
	out.Bsize, out.Frsize, out.NameLen = 4096, 4096, 255
	out.Blocks, out.Bfree, out.Bavail, out.Files, out.Ffree = blocks, blocks, blocks, blocks, blocks
	return 0
}
