// Package powerfs is a file system for tests whose power can be cut: then what
// programs did not flush may be gone. It keeps everything in memory and is
// mounted by FUSE, so that real programs work on it.
//
// The model is a disk under a journaling file system such as ext4:
//
//   - The content of a file is sure once the file was flushed (fsync, fdatasync,
//     or written through O_SYNC). Of the writes since then a cut keeps any, in any
//     combination; of the last one that it keeps, perhaps a part from its beginning.
//   - The length follows: what a lost write would have filled reads as zeros
//     where something behind it was kept, and may read so at the file's end.
//   - Names (making, renaming, linking, removing) and cuts of a file's length are
//     in a journal, in order. A cut keeps a first part of those since the last
//     flush of any file or folder whatever, which makes all before it sure.
//     A write after a cut of length that is lost is lost too.
//   - An unflushed file may thus have its name and no content: nothing is flushed
//     for a program that renames, closes or truncates, as ext4 does for some.
//   - Modes and times are sure at once. Nothing that was flushed is ever lost:
//     a disk that lies is not meant.
//
// What survives is drawn from a seed. [Disk.Cut] stops nobody: kill the
// programs, [Disk.Unmount], cut, [Disk.Mount] and start them again.
package powerfs
