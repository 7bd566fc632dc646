package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	_ "time/tzdata" // devices often have no zone files

	"github.com/spf13/cobra"

	"newleaf"
)

// The help lists commands in the order in which they are used.
func init() { cobra.EnableCommandSorting = false }

// run is the whole program: 0 done, 1 failed, 2 used wrongly, 3 something would
// change or needs an update. The first signal ends the context, the second the
// process.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return newApp(stdin, stdout, stderr).run(ctx, args)
}

func (a *app) run(ctx context.Context, args []string) int {
	root := rootCommand(a)
	root.SetArgs(append([]string{}, args...)) // nil would mean those of the process
	return a.report(root.ExecuteContext(ctx))
}

// commands is the list of all commands in the order of the help.
func commands(a *app) []section {
	return []section{
		{"Look", []*cobra.Command{
			statusCommand(a), doctorCommand(a), eventsCommand(a), versionCommand(a)}},
		{"Certificates", []*cobra.Command{
			certCommand(a), anchorCommand(a), connectionCommand(a)}},
		{"Automation", []*cobra.Command{
			updateCommand(a), reservationCommand(a), deletionCommand(a)}},
		{"Device", append([]*cobra.Command{
			serveCommand(a), provisionCommand(a), settingsCommand(a), tokenCommand(a), restartCommand(a), completionCommand(a)},
			labCommands(a)...)},
	}
}

type section struct {
	title    string
	commands []*cobra.Command
}

func rootCommand(a *app) *cobra.Command {
	root := group("newleaf", "keep the certificates of a device",
		`newleaf keeps the certificates of a device: it gets them from an authority,
renews them in time and deletes those that are no longer needed.

One command, "newleaf serve", is the agent. The others talk to it over a socket,
found by --socket, --state or NEWLEAF_SOCKET.

Exit status: 0 done, 1 failed, 2 used wrongly, 3 something would change or
needs an update ("update run --dry-run", "status --check", "settings diff").`)
	root.Example = `  newleaf status
  newleaf cert list -o json`
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetFlagErrorFunc(flagError)
	root.SetUsageFunc(usage)
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetHelpCommand(helpCommand())

	flags := root.PersistentFlags()
	flags.SortFlags = false
	a.output = "table"
	flags.VarP(&choice{&a.output, []string{"table", "json"}}, "output", "o", "what to print: a table for people or JSON for programs")
	flags.StringVar(&a.state, "state", "", "`DIR` with the agent's state (default "+defaultState+")")
	flags.StringVar(&a.socket, "socket", "", "`PATH` of the agent's socket (default NEWLEAF_SOCKET, else agent.sock in DIR)")
	flags.BoolP("help", "h", false, "show this help")
	complete(root, "output", "table", "json")

	for _, s := range commands(a) {
		root.AddGroup(&cobra.Group{ID: s.title, Title: s.title})
		for _, c := range s.commands {
			c.GroupID = s.title
			root.AddCommand(c)
		}
	}
	return root
}

// choice is a flag that takes one of some words.
type choice struct {
	word  *string
	words []string
}

func (c *choice) String() string { return *c.word }
func (c *choice) Type() string   { return strings.Join(c.words, "|") }
func (c *choice) Set(s string) error {
	if err := among(s, c.words); err != nil {
		return err
	}
	*c.word = s
	return nil
}

// report writes what went wrong to stderr and returns the exit status.
func (a *app) report(err error) int {
	var status exitStatus
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return int(status)
	case errors.Is(err, context.Canceled):
		a.say("newleaf: stopped.")
		return 1
	}
	a.complain(newleaf.AsError(err))
	return newleaf.AsError(err).Code.Info().Exit
}

func (a *app) complain(e *newleaf.Error) {
	sentence := strings.TrimSpace(e.Text)
	if !strings.HasSuffix(sentence, ".") && !strings.HasSuffix(sentence, "?") {
		sentence += "."
	}
	a.say("newleaf: %s", sentence)
	if e.Hint != "" {
		a.say("  hint: %s", e.Hint)
	}
}
