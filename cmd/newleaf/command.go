package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"newleaf"
)

// group is a noun: a command that only holds others.
func group(use, short, long string, verbs ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Long: long, Args: onlyVerbs, RunE: showHelp}
	cmd.AddCommand(verbs...)
	return cmd
}

// showHelp answers a noun without a verb; a script that forgot the verb must
// notice.
func showHelp(cmd *cobra.Command, _ []string) error {
	cmd.SetOut(cmd.ErrOrStderr())
	if err := cmd.Help(); err != nil {
		return fmt.Errorf("writing the help: %w", err)
	}
	return exitStatus(2)
}

func onlyVerbs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var known []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			known = append(known, c.Name())
		}
	}
	return usageError("there is no command %q in %s", args[0], cmd.CommandPath()).
		WithHint("%s", newleaf.DidYouMean(args[0], known))
}

// arguments checks the number of arguments against the command's own Use line:
// NAME is needed, [NAME] may be left out, [NAME...] may be repeated.
func arguments(cmd *cobra.Command, args []string) error {
	words := strings.Fields(cmd.Use)[1:]
	for i, w := range words {
		if i >= len(args) && !strings.HasPrefix(w, "[") {
			return usageError("%s is missing", w).WithHint("Usage: %s", cmd.UseLine())
		}
	}
	many := slices.ContainsFunc(words, func(w string) bool { return strings.Contains(w, "...") })
	if len(args) > len(words) && !many {
		return usageError("the argument %q is one too many", args[len(words)]).WithHint("Usage: %s", cmd.UseLine())
	}
	return nil
}

// needs checks that a flag was given.
func needs(cmd *cobra.Command, names ...string) error {
	for _, n := range names {
		if !cmd.Flags().Changed(n) {
			return usageError("--%s is missing", n).WithHint("Add --help to the command to see what it takes.")
		}
	}
	return nil
}

// flagError turns what the flag parser says into a sentence with a hint.
func flagError(cmd *cobra.Command, err error) error {
	if errors.Is(err, pflag.ErrHelp) {
		return err
	}
	if cmd.HasSubCommands() && cmd.Flags().NArg() > 0 {
		return onlyVerbs(cmd, cmd.Flags().Args())
	}
	var unknown *pflag.NotExistError
	var invalid *pflag.InvalidValueError
	var empty *pflag.ValueRequiredError
	switch {
	case errors.As(err, &unknown):
		var known []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, "--"+f.Name) })
		name := "--" + unknown.GetSpecifiedName()
		if unknown.GetSpecifiedShortnames() != "" {
			name = name[1:]
		}
		return usageError("there is no flag %s in %s", name, cmd.CommandPath()).WithHint("%s", newleaf.DidYouMean(name, known))
	case errors.As(err, &invalid):
		usage := usageError("--%s: %w", invalid.GetFlag().Name, invalid.Unwrap())
		var cause *newleaf.Error
		if errors.As(invalid.Unwrap(), &cause) && cause.Hint != cause.Code.Info().Hint {
			usage.Hint = cause.Hint
		}
		return usage
	case errors.As(err, &empty):
		return usageError("--%s needs a value (%s)", empty.GetFlag().Name, empty.GetFlag().Value.Type())
	}
	return usageError("%w", err)
}

func usageError(format string, args ...any) *newleaf.Error {
	return newleaf.Errorf(newleaf.CodeUsage, format, args...)
}

// exitStatus ends the program with a status and no message.
type exitStatus int

// changePending is the status of "would change" and "needs update".
const changePending exitStatus = 3

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }
