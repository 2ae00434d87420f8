//go:build !linux

package servers

import "os/exec"

// dieWithParent has no counterpart here: a test that is killed leaves its
// servers running.
func dieWithParent(*exec.Cmd) {}
