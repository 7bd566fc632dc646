package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"newleaf"
	"newleaf/internal/api"
)

// defaultState is where the packages keep the agent's state.
const defaultState = "/var/lib/newleaf"

// app is what the commands share: the three streams, the device they speak to
// and the global flags.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	device         func() (newleaf.Device, error)
	now            func() time.Time

	output        string // -o: table or json
	state, socket string // --state, --socket

	read  bool // stdin has been taken for a file or password
	asks  bool // a person sits at stdin and can be asked
	tells bool // a person reads stdout on a terminal
}

func newApp(stdin io.Reader, stdout, stderr io.Writer) *app {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr, now: time.Now,
		asks: terminal(stdin), tells: terminal(stdout)}
	a.device = func() (newleaf.Device, error) { return api.NewSocketClient(a.socketPath()), nil }
	return a
}

// stateDir is the folder of the agent's state.
func (a *app) stateDir() string { return cmp.Or(a.state, defaultState) }

// socketPath is where the agent listens: what a flag says comes before the
// environment, and that before the usual place.
func (a *app) socketPath() string {
	if a.socket == "" && a.state == "" {
		a.socket = os.Getenv("NEWLEAF_SOCKET")
	}
	return cmp.Or(a.socket, filepath.Join(a.stateDir(), "agent.sock"))
}

func (a *app) json() bool { return a.output == "json" }

// print writes a result to stdout: v as JSON, or the table that fill makes.
func (a *app) print(v any, fill func() *table) error {
	if a.json() {
		return a.encode(v, "  ")
	}
	return fill().write(a.stdout)
}

// encode writes v as JSON; without indent it takes one line.
func (a *app) encode(v any, indent string) error {
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(api.Wire(v)); err != nil {
		return fmt.Errorf("writing the result: %w", err)
	}
	return nil
}

// list is v, or an empty list for nil, which JSON would show as null.
func list[T any](v []T) []T {
	if v == nil {
		return []T{}
	}
	return v
}

// say writes a line of progress or advice to stderr.
func (a *app) say(format string, args ...any) {
	fmt.Fprintln(a.stderr, inert(fmt.Sprintf(format, args...)))
}

// warn says each sentence.
func (a *app) warn(sentences []string) {
	for _, s := range sentences {
		a.say("warning: %s", s)
	}
}

// readFile reads a file, or stdin for "-", which can be read once.
func (a *app) readFile(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	var data []byte
	var err error
	switch {
	case path != "-":
		data, err = os.ReadFile(path)
	case a.read:
		return nil, usageError("standard input is asked for twice").WithHint("Put one of the two into a file.")
	default:
		a.read = true
		if a.asks {
			a.say("Reading standard input; what you type is visible. End with Ctrl-D.")
		}
		data, err = io.ReadAll(a.stdin)
	}
	if err != nil {
		return nil, newleaf.Errorf(newleaf.CodeInvalid, "the file cannot be read: %w", err).
			WithHint("Give a file that you may read, or \"-\" for standard input.")
	}
	return data, nil
}

// readSecret reads a password from a file or stdin, without the line's end.
func (a *app) readSecret(path string) (string, error) {
	data, err := a.readFile(path)
	if err != nil || path == "" {
		return "", err
	}
	secret := strings.TrimRight(string(data), "\r\n")
	if secret == "" || strings.ContainsAny(secret, "\r\n") {
		return "", newleaf.Errorf(newleaf.CodeInvalid, "the password is not the one line of %s", path).
			WithHint("Write the password and nothing else into the file.")
	}
	return secret, nil
}

// done reports an action that has no result of its own.
func (a *app) done(v any, format string, args ...any) error {
	if a.json() {
		return a.encode(v, "  ")
	}
	a.say(format, args...)
	return nil
}

// with runs a command that speaks to the device.
func (a *app) with(do func(ctx context.Context, dev newleaf.Device, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		dev, err := a.device()
		if err != nil {
			return err
		}
		return do(cmd.Context(), dev, args)
	}
}
