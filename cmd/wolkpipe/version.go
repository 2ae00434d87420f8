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
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print version, commit and Go",
		Example: "  wolkpipe version\n  wolkpipe version --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), struct {
					Version  string `json:"version"`
					Commit   string `json:"commit"`
					Go       string `json:"go"`
					Platform string `json:"platform"`
				}{version(), commit(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH})
			}
			_, err := fmt.Fprint(cmd.OutOrStdout(), versionText())
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func versionText() string {
	return fmt.Sprintf("wolkpipe %s\ncommit   %s\ngo       %s %s/%s\n", version(), commit(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// version is that of this binary: "v1.2.3", or "(devel)".
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && linkedVersion == "" {
		return cmp.Or(info.Main.Version, "(devel)")
	}
	return cmp.Or(linkedVersion, "(devel)")
}

// commit is the revision that a binary was built from.
func commit() string {
	info, _ := debug.ReadBuildInfo()
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
