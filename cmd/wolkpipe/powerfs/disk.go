package powerfs

import (
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Disk is a tree of files in two states: what programs see, and what is sure
// to outlast a power cut. It is to be mounted once at a time.
type Disk struct {
	mu      sync.Mutex
	root    *node
	inodes  uint64
	rng     *rand.Rand
	journal []change // since the last flush
	number  uint64   // of the last change
	sure    uint64   // of the last change that a cut cannot undo
	flushes int64
	trap    *trap // nil: none is set

	unmount func() error // nil while it is not mounted
}

// node is a file or a folder.
type node struct {
	inode uint64
	kind  uint32 // S_IFREG or S_IFDIR
	mode  uint32 // the rest
	mtime time.Time

	entries, sureEntries map[string]*node // of a folder; nil of a file
	data, sureData       []byte           // of a file
	writes               []write          // since its last flush
}

// write is one to a file, or the setting of its length.
type write struct {
	at     int64
	data   []byte
	change uint64 // the number in the journal of a setting of the length to at; 0 of a write
}

// change is what a journal has of one call: names that it gave or, without a
// node, took, or the setting of a length, which stands in the file's writes.
type change struct {
	number uint64
	names  []naming
}

type naming struct {
	folder *node
	name   string
	node   *node
}

// New makes an empty disk. The seed decides what its power cuts take.
func New(seed uint64) *Disk {
	d := &Disk{rng: rand.New(rand.NewPCG(seed, 1))}
	d.root = d.make(syscall.S_IFDIR, 0o755)
	return d
}

// trap stops everything at an operation.
type trap struct {
	left int           // operations until then
	came chan struct{} // closed then
	off  chan struct{} // closed when those that wait may go
}

// Freeze lets that many more changes and flushes pass, and then none: they
// wait, as if time stood still, and came is closed. Kill the programs, then
// call thaw: what waited fails without having done anything. Those that read
// go on.
func (d *Disk) Freeze(after int) (came <-chan struct{}, thaw func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := &trap{after, make(chan struct{}), make(chan struct{})}
	d.trap = t
	return t.came, sync.OnceFunc(func() {
		close(t.off)
		d.mu.Lock()
		defer d.mu.Unlock()
		d.trap = nil
	})
}

// enter locks the disk for a change or a flush, once it may be made.
func (d *Disk) enter() syscall.Errno {
	d.mu.Lock()
	t := d.trap
	if t == nil {
		return 0
	}
	if t.left--; t.left >= 0 {
		return 0
	}
	if t.left == -1 {
		close(t.came)
	}
	d.mu.Unlock()
	<-t.off
	return syscall.EIO
}

// Flushes is how many times a file or folder was flushed.
func (d *Disk) Flushes() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.flushes
}

func (d *Disk) make(kind, mode uint32) *node {
	d.inodes++
	n := &node{inode: d.inodes, kind: kind, mode: mode & 0o7777, mtime: time.Now()}
	if n.folder() {
		n.entries, n.sureEntries = map[string]*node{}, map[string]*node{}
	}
	return n
}

func (n *node) folder() bool { return n.kind == syscall.S_IFDIR }

// note puts a change into the journal, after it was made.
func (d *Disk) note(names ...naming) uint64 {
	d.number++
	for _, g := range names {
		if g.node == nil {
			delete(g.folder.entries, g.name)
		} else {
			g.folder.entries[g.name] = g.node
		}
		g.folder.mtime = time.Now()
	}
	d.journal = append(d.journal, change{d.number, names})
	return d.number
}

// commit makes the first n changes of the journal sure.
func (d *Disk) commit(n int) {
	for _, c := range d.journal[:n] {
		for _, g := range c.names {
			if g.node == nil {
				delete(g.folder.sureEntries, g.name)
			} else {
				g.folder.sureEntries[g.name] = g.node
			}
		}
		d.sure = c.number
	}
	d.journal = slices.Delete(d.journal, 0, n)
}

func (d *Disk) create(folder *node, name string, kind, mode uint32) (*node, syscall.Errno) {
	if errno := d.enter(); errno != 0 {
		return nil, errno
	}
	defer d.mu.Unlock()
	if folder.entries[name] != nil {
		return nil, syscall.EEXIST
	}
	n := d.make(kind, mode)
	d.note(naming{folder, name, n})
	return n, 0
}

func (d *Disk) link(folder *node, name string, n *node) syscall.Errno {
	if errno := d.enter(); errno != 0 {
		return errno
	}
	defer d.mu.Unlock()
	if folder.entries[name] != nil {
		return syscall.EEXIST
	}
	d.note(naming{folder, name, n})
	return 0
}

// remove takes the name of a folder, or of a file.
func (d *Disk) remove(folder *node, name string, ofFolder bool) syscall.Errno {
	if errno := d.enter(); errno != 0 {
		return errno
	}
	defer d.mu.Unlock()
	n := folder.entries[name]
	switch {
	case n == nil:
		return syscall.ENOENT
	case ofFolder && !n.folder():
		return syscall.ENOTDIR
	case !ofFolder && n.folder():
		return syscall.EISDIR
	case len(n.entries) > 0:
		return syscall.ENOTEMPTY
	}
	d.note(naming{folder, name, nil})
	return 0
}

func (d *Disk) rename(from *node, name string, to *node, newName string, replace bool) syscall.Errno {
	if errno := d.enter(); errno != 0 {
		return errno
	}
	defer d.mu.Unlock()
	n, other := from.entries[name], to.entries[newName]
	switch {
	case n == nil:
		return syscall.ENOENT
	case n == other:
		return 0
	case other != nil && !replace:
		return syscall.EEXIST
	case other != nil && len(other.entries) > 0:
		return syscall.ENOTEMPTY
	case other != nil && n.folder() && !other.folder():
		return syscall.ENOTDIR
	case other != nil && !n.folder() && other.folder():
		return syscall.EISDIR
	}
	d.note(naming{from, name, nil}, naming{to, newName, n})
	return 0
}

func (d *Disk) read(n *node, into []byte, at int64) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	if at >= int64(len(n.data)) {
		return nil
	}
	return into[:copy(into, n.data[at:])]
}

func (d *Disk) write(n *node, data []byte, at int64) syscall.Errno {
	if errno := d.enter(); errno != 0 {
		return errno
	}
	defer d.mu.Unlock()
	w := write{at: at, data: slices.Clone(data)}
	n.writes = append(n.writes, w)
	n.data, n.mtime = w.do(n.data), time.Now()
	return 0
}

func (d *Disk) setLength(n *node, length int64) syscall.Errno {
	if errno := d.enter(); errno != 0 {
		return errno
	}
	defer d.mu.Unlock()
	w := write{at: length, change: d.note()}
	n.writes = append(n.writes, w)
	n.data, n.mtime = w.do(n.data), time.Now()
	return 0
}

// do carries a write out.
func (w write) do(data []byte) []byte {
	end := w.at + int64(len(w.data))
	if w.change != 0 && end < int64(len(data)) {
		clear(data[end:]) // should the file grow again
		return data[:end]
	}
	if more := end - int64(len(data)); more > 0 {
		data = slices.Grow(data, int(more))
		clear(data[len(data):end])
		data = data[:end]
	}
	copy(data[w.at:], w.data)
	return data
}

// flush makes a file's content, and all names, sure.
func (d *Disk) flush(n *node) syscall.Errno {
	if errno := d.enter(); errno != 0 {
		return errno
	}
	defer d.mu.Unlock()
	d.commit(len(d.journal))
	for _, w := range n.writes {
		n.sureData = w.do(n.sureData)
	}
	n.writes = nil
	d.flushes++
	return 0
}

// list gives a folder's names, sorted, and what they name.
func (d *Disk) list(n *node) (names []string, nodes map[string]*node) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Sorted(maps.Keys(n.entries)), maps.Clone(n.entries)
}
