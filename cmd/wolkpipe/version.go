package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// Set by the linker where the build knows better than Go does, as in an image
// that is built without the repository:
//
//	-ldflags "-X main.linkedVersion=1.2.3 -X main.linkedCommit=0a1b2c3"
var linkedVersion, linkedCommit string

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print version, commit and Go",
		Example: "  wolkpipe version",
		RunE: func(cmd *cobra.Command, _ []string) error {
			info, _ := debug.ReadBuildInfo()
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "wolkpipe %s\ncommit   %s\ngo       %s %s/%s\n",
				version(), commit(info), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}

// version is that of this binary: "v1.2.3", or "(devel)".
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && linkedVersion == "" {
		return cmp.Or(info.Main.Version, "(devel)")
	}
	return cmp.Or(linkedVersion, "(devel)")
}

// commit is the revision that a binary was built from.
func commit(info *debug.BuildInfo) string {
	if linkedCommit != "" || info == nil {
		return cmp.Or(linkedCommit, "unknown")
	}
	revision, modified := "unknown", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = " with changes"
		}
	}
	return revision + modified
}
