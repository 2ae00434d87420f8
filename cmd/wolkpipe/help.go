package main

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"wolkpipe/cmd/wolkpipe/config"
)

// groups are the commands as help lists them. One that is in none stands last.
var groups = []struct {
	title string
	names []string
}{
	{"To begin with:", []string{"demo", "sim", "check", "doctor"}},
	{"At work:", []string{"run", "status", "tail"}},
	{"Days and sinks:", []string{"backfill", "verify", "resync", "erase"}},
	{"About wolkpipe:", []string{"help", "version", "completion"}},
}

const usageTemplate = `Usage:
  {{if .HasAvailableSubCommands}}{{.CommandPath}} COMMAND [flags]{{else}}{{.UseLine}}{{end}}

Examples:
{{.Example}}
{{- range $group := .Groups}}

{{.Title}}
{{- range $.Commands}}{{if and (eq .GroupID $group.ID) (or .IsAvailableCommand (eq .Name "help"))}}
  {{rpad .Name .NamePadding }} {{.Short}}{{end}}{{end}}{{end}}
{{- range .Commands}}{{if and (eq .GroupID "") .IsAvailableCommand}}
  {{rpad .Name .NamePadding }} {{.Short}}{{end}}{{end}}

Flags:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}
{{- if .HasAvailableSubCommands}}

wolkpipe COMMAND --help tells more of a command.{{end}}
`

// arrange gives all commands one form of help, of wrong flags and of
// completion, and the commands that cobra would add in its own words.
func arrange(root *cobra.Command) {
	root.AddCommand(newCompletionCommand())
	root.SetHelpCommand(newHelpCommand(root))
	root.SetUsageTemplate(usageTemplate)
	root.SetFlagErrorFunc(flagError)
	root.Version = version()
	root.SetVersionTemplate(versionText())
	root.Flags().Bool("version", false, "print version, commit and Go")
	for _, g := range groups {
		root.AddGroup(&cobra.Group{ID: g.title, Title: g.title})
	}
	for _, cmd := range append(root.Commands(), root) {
		for _, g := range groups {
			if slices.Contains(g.names, cmd.Name()) {
				cmd.GroupID = g.title
			}
		}
		cmd.Flags().BoolP("help", "h", false, "show this help")
		completeFlags(cmd)
	}
	root.SetHelpCommandGroupID(groups[len(groups)-1].title)
}

func newHelpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "Show the help of a command",
		Example: "  wolkpipe help backfill",
		Args:    cobra.MaximumNArgs(1),
		ValidArgsFunction: func(_ *cobra.Command, args []string, begun string) (names []cobra.Completion, _ cobra.ShellCompDirective) {
			for _, cmd := range root.Commands() {
				if len(args) == 0 && cmd.IsAvailableCommand() && strings.HasPrefix(cmd.Name(), begun) {
					names = append(names, cobra.CompletionWithDesc(cmd.Name(), cmd.Short))
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, _, err := root.Find(args)
			if err != nil {
				return err
			}
			if cmd == root && len(args) > 0 {
				return noCommand(root, args)
			}
			return cmd.Help()
		},
	}
}

// invalidValue finds value and flag in pflag's words: parsing says no more of
// them than a programmer wants to know.
var invalidValue = regexp.MustCompile(`^invalid argument (".*") for "(?:-., )?--([a-z-]+)" flag: `)

// flagError tells what is wrong with a flag, and the mend.
func flagError(cmd *cobra.Command, err error) error {
	if found := invalidValue.FindStringSubmatch(err.Error()); found != nil {
		kind := "a whole number"
		if cmd.Flags().Lookup(found[2]).Value.Type() == "bool" {
			kind = "true or false"
		}
		return usagef("--%s %s is not %s", found[2], found[1], kind)
	}
	var named interface{ GetSpecifiedName() string }
	if !errors.As(err, &named) {
		return err
	}
	name := named.GetSpecifiedName()
	if cmd.Flags().ShorthandLookup(name[:1]) != nil && len(name) == 1 {
		return usagef("-%s needs a value", name)
	}
	if cmd.Flags().Lookup(name) != nil {
		return usagef("--%s needs a value", name)
	}
	dashes := "--"
	if len(name) == 1 {
		dashes = "-"
	}
	if near := config.Nearest(name, flagsOf(cmd)); near != "" {
		return usagef("unknown flag %s%s: did you mean --%s?", dashes, name, near)
	}
	return usagef("unknown flag %s%s", dashes, name)
}

// flagNames finds flags in their usage.
var flagNames = regexp.MustCompile(`(?m)^ +(?:-., )?--([a-z-]+)`)

// flagsOf names a command's flags.
func flagsOf(cmd *cobra.Command) (names []string) {
	for _, flag := range flagNames.FindAllStringSubmatch(cmd.Flags().FlagUsages(), -1) {
		names = append(names, flag[1])
	}
	return names
}
