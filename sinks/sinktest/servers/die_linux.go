package servers

import (
	"os/exec"
	"syscall"
)

// dieWithParent ends a server whose test was killed before its cleanup.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
