//go:build !linux

package powerfs

import "errors"

// Mount is for Linux.
func (d *Disk) Mount(string) error { return errors.New("powerfs is mounted on Linux alone") }

// Unmount is for Linux.
func (d *Disk) Unmount() error { return errors.New("powerfs is mounted on Linux alone") }
