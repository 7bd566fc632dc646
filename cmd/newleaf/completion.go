package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"newleaf"
)

func completionCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "completion bash|zsh|fish", Short: "Print the completion script of a shell",
		Long: `Print a script that lets the shell complete commands, flags and, by asking the
agent, names of certificates, anchors and connections.`,
		Example: `  newleaf completion bash > /etc/bash_completion.d/newleaf
  newleaf completion fish > ~/.config/fish/completions/newleaf.fish`,
		Args: arguments, ValidArgs: []string{"bash", "zsh", "fish"}}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		root := cmd.Root()
		switch args[0] {
		case "bash":
			return root.GenBashCompletionV2(a.stdout, true)
		case "zsh":
			return root.GenZshCompletion(a.stdout)
		case "fish":
			return root.GenFishCompletion(a.stdout, true)
		}
		return usageError("there is no completion for %q", args[0]).WithHint("%s", newleaf.DidYouMean(args[0], cmd.ValidArgs))
	}
	return cmd
}

// complete offers words for the value of a flag, or nothing rather than files.
func complete(cmd *cobra.Command, flag string, words ...string) {
	completeWith(cmd, flag, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return words, cobra.ShellCompDirectiveNoFileComp
	})
}

func completeWith(cmd *cobra.Command, flag string, f cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, f); err != nil {
		panic(err) // the flag is missing or completed twice: a mistake in this program
	}
}

// askDevice completes up to args arguments, any number for -1, by what the
// device says; silence offers nothing.
func (a *app) askDevice(args int, ask func(context.Context, newleaf.Device) ([]string, error)) cobra.CompletionFunc {
	return func(cmd *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(cmd.Context(), 2*time.Second)
		defer cancel()
		dev, err := a.device()
		if err != nil || args >= 0 && len(given) >= args {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		names, err := ask(ctx, dev)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// certNames completes names of certificates.
func (a *app) certNames(args int) cobra.CompletionFunc {
	return a.askDevice(args, func(ctx context.Context, dev newleaf.Device) ([]string, error) {
		rows, err := dev.List(ctx)
		var names []string
		for _, c := range rows {
			names = append(names, inert(c.Name)+"\t"+inert(c.Subject))
		}
		return names, err
	})
}

// connectionNames completes names of connections.
func (a *app) connectionNames(args int) cobra.CompletionFunc {
	return a.askDevice(args, func(ctx context.Context, dev newleaf.Device) ([]string, error) {
		rows, err := dev.ConnectionList(ctx)
		var names []string
		for _, c := range rows {
			names = append(names, c.Name+"\t"+inert(c.Endpoint))
		}
		return names, err
	})
}
