package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// helpWidth is the longest line of a help page.
const helpWidth = 100

// usage writes how a command is used, below what its Long text says.
func usage(cmd *cobra.Command) error {
	var b strings.Builder
	line := cmd.UseLine()
	if cmd.HasAvailableSubCommands() {
		line = cmd.CommandPath() + " COMMAND [flags]"
	}
	fmt.Fprintf(&b, "Usage:\n  %s\n", line)
	if cmd.HasExample() {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", cmd.Example)
	}
	listVerbs(&b, cmd)
	listFlags(&b, "Flags", cmd.LocalFlags())
	listFlags(&b, "Global flags", cmd.InheritedFlags())
	if _, err := fmt.Fprint(cmd.OutOrStdout(), b.String()); err != nil {
		return fmt.Errorf("writing the help: %w", err)
	}
	return nil
}

// listVerbs lists the commands below cmd, in groups where it has them.
func listVerbs(b *strings.Builder, cmd *cobra.Command) {
	titles := []string{""}
	for _, g := range cmd.Groups() {
		titles = append(titles, g.ID)
	}
	for _, title := range titles {
		var lines []string
		for _, c := range cmd.Commands() {
			if c.GroupID == title && c.IsAvailableCommand() {
				lines = append(lines, fmt.Sprintf("  %-12s %s\n", c.Name(), c.Short))
			}
		}
		if len(lines) > 0 {
			if title == "" {
				title = "Commands"
			}
			fmt.Fprintf(b, "\n%s:\n%s", title, strings.Join(lines, ""))
		}
	}
}

func listFlags(b *strings.Builder, title string, flags *pflag.FlagSet) {
	if flags.HasAvailableFlags() {
		fmt.Fprintf(b, "\n%s:\n%s", title, flags.FlagUsagesWrapped(helpWidth))
	}
}

// helpCommand replaces cobra's, which succeeds on topics that do not exist.
func helpCommand() *cobra.Command {
	return &cobra.Command{Use: "help [COMMAND...]", Short: "Show the help of a command", Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			topic, rest, err := cmd.Root().Find(args)
			if err != nil {
				return usageError("%w", err)
			}
			if len(rest) > 0 {
				return onlyVerbs(topic, rest)
			}
			return topic.Help()
		}}
}
