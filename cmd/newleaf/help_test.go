package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/spf13/cobra"
)

func everyCommand(t *testing.T, each func(t *testing.T, cmd *cobra.Command)) {
	t.Helper()
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.HasParent() && cmd.Name() != "help" {
			t.Run(cmd.CommandPath(), func(t *testing.T) { each(t, cmd) })
		}
		for _, c := range cmd.Commands() {
			walk(c)
		}
	}
	walk(rootCommand(newApp(strings.NewReader(""), &bytes.Buffer{}, &bytes.Buffer{})))
}

// TestHelpPages keeps the pages readable: Short is a phrase that begins with a
// verb, Long says what happens, and a command that does something shows how.
func TestHelpPages(t *testing.T) {
	everyCommand(t, func(t *testing.T, cmd *cobra.Command) {
		if cmd.Short == "" || !unicode.IsUpper(rune(cmd.Short[0])) || strings.HasSuffix(cmd.Short, ".") || len(cmd.Short) > 60 {
			t.Errorf("Short %q is not a short phrase with a capital and without a period", cmd.Short)
		}
		if !strings.HasSuffix(cmd.Long, ".") {
			t.Errorf("Long is not made of sentences: %q", cmd.Long)
		}
		for line := range strings.Lines(cmd.Long + "\n" + cmd.Example) {
			if len(strings.TrimRight(line, "\n")) > 112 {
				t.Errorf("a line of %d characters: %q", len(line), line)
			}
		}
		if cmd.HasSubCommands() {
			return
		}
		examples := strings.Split(cmd.Example, "\n")
		if len(examples) < 2 {
			t.Errorf("there are not two examples: %q", cmd.Example)
		}
		for _, e := range examples {
			if !strings.HasPrefix(e, "  ") {
				t.Errorf("the example %q is not indented", e)
			}
		}
		if !strings.Contains(examples[0], cmd.CommandPath()) {
			t.Errorf("the first example %q is not one of %s", examples[0], cmd.CommandPath())
		}
	})
}

// TestExamplesParse takes the examples of the help at their word: commands,
// flags and arguments exist, and values are acceptable.
func TestExamplesParse(t *testing.T) {
	everyCommand(t, func(t *testing.T, cmd *cobra.Command) {
		for line := range strings.Lines(cmd.Example) {
			args := exampleArgs(line)
			if len(args) == 0 {
				continue
			}
			root := rootCommand(newApp(strings.NewReader(""), &bytes.Buffer{}, &bytes.Buffer{}))
			found, rest, err := root.Find(args)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			if err := found.ParseFlags(rest); err != nil {
				t.Errorf("%s: %v", line, flagError(found, err))
			}
			if err := found.ValidateArgs(found.Flags().Args()); err != nil {
				t.Errorf("%s: %v", line, err)
			}
		}
	})
}

// exampleArgs are the words of the first newleaf command of a line, without
// what the shell keeps to itself.
func exampleArgs(line string) []string {
	line, _, _ = strings.Cut(line, " # ")
	line, _, _ = strings.Cut(line, "   #")
	_, line, _ = strings.Cut(line, "newleaf ")
	var args []string
	word, quoted, open := "", rune(0), false
	for _, r := range strings.TrimSpace(line) + " " {
		switch {
		case quoted != 0 && r == quoted:
			quoted = 0
		case quoted == 0 && (r == '"' || r == '\''):
			quoted, open = r, true
		case quoted == 0 && r == ' ':
			if word != "" || open {
				args = append(args, word)
			}
			word, open = "", false
		default:
			word += string(r)
		}
	}
	end := slices.IndexFunc(args, func(w string) bool { return strings.ContainsAny(w[:min(1, len(w))], "|><&") })
	if end >= 0 {
		args = args[:end]
	}
	for i := range args {
		args[i] = strings.TrimRight(args[i], ")")
	}
	return args
}

func TestHelpCommand(t *testing.T) {
	code, out, _ := runFake(t, newFake(), "", "help", "cert", "list")
	if code != 0 || !strings.HasPrefix(out, "List the certificates of the store") {
		t.Errorf("help cert list gave %d and %q", code, out)
	}
}
