package main

import (
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"wolkpipe/cmd/wolkpipe/config"
)

func newCompletionCommand() *cobra.Command {
	write := map[string]func(*cobra.Command) error{
		"bash":       func(cmd *cobra.Command) error { return cmd.Root().GenBashCompletionV2(cmd.OutOrStdout(), true) },
		"zsh":        func(cmd *cobra.Command) error { return cmd.Root().GenZshCompletion(cmd.OutOrStdout()) },
		"fish":       func(cmd *cobra.Command) error { return cmd.Root().GenFishCompletion(cmd.OutOrStdout(), true) },
		"powershell": func(cmd *cobra.Command) error { return cmd.Root().GenPowerShellCompletionWithDesc(cmd.OutOrStdout()) },
	}
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print a script that completes commands for a shell",
		Long: "Print a script with which a shell completes commands, flags, and, after\n" +
			"--operation and --sink, the names in the configuration. The examples are for the\n" +
			"present session; in the file that the shell reads at its start they last. bash\n" +
			"needs the package bash-completion, zsh `autoload -U compinit; compinit` before.",
		Example: "  source <(wolkpipe completion bash)\n" +
			"  source <(wolkpipe completion zsh)\n" +
			"  wolkpipe completion fish | source\n" +
			"  wolkpipe completion powershell | Out-String | Invoke-Expression",
		ValidArgs:             []cobra.Completion{"bash", "zsh", "fish", "powershell"},
		DisableFlagsInUseLine: true,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return usagef("name a shell: bash, zsh, fish or powershell")
			case write[args[0]] == nil:
				return usagef("shell %q is not known: write bash, zsh, fish or powershell", args[0])
			}
			return noArguments(nil, args[1:])
		},
		RunE: func(cmd *cobra.Command, args []string) error { return write[args[0]](cmd) },
	}
}

// completions are what follows a flag. One that is not here is a word that
// nobody but the user knows.
var completions = map[string]cobra.CompletionFunc{
	"config":    cobra.FixedCompletions([]cobra.Completion{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt),
	"scenario":  cobra.FixedCompletions([]cobra.Completion{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt),
	"dir":       cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs),
	"operation": namesIn(operationNames),
	"sink":      namesIn(sinkNames),
}

// completeFlags gives a command the completion of its flags.
func completeFlags(cmd *cobra.Command) {
	if cmd.ValidArgs == nil && cmd.ValidArgsFunction == nil && cmd.HasParent() {
		cmd.ValidArgsFunction = cobra.NoFileCompletions
	}
	for _, name := range flagsOf(cmd) {
		f := completions[name]
		if f == nil {
			f = cobra.NoFileCompletions
		}
		_ = cmd.RegisterFlagCompletionFunc(name, f) // it fails for a flag that is not there
	}
}

// namesIn completes the names that a configuration has. One that is missing or
// wrong has none: what is wrong is for the command to tell.
func namesIn(of func(*config.Config) []cobra.Completion) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		c, err := config.Load(configPath(cmd), os.LookupEnv)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return slices.DeleteFunc(of(c), func(name string) bool { return !strings.HasPrefix(name, begun) }), cobra.ShellCompDirectiveNoFileComp
	}
}

func operationNames(c *config.Config) (names []cobra.Completion) {
	for _, op := range c.Operations {
		names = append(names, op.Name)
	}
	return names
}

func sinkNames(c *config.Config) (names []cobra.Completion) {
	for _, s := range c.Sinks {
		names = append(names, cobra.CompletionWithDesc(s.Name, s.Kind))
	}
	return append(names, config.Quarantine)
}
