package host_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"newleaf"
	"newleaf/internal/host"
)

// script writes an executable.
func script(t *testing.T, lines ...string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "command")
	if err := os.WriteFile(name, []byte("#!/bin/sh\n"+strings.Join(lines, "\n")+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestRun: argv without a shell, a minimal environment, the last words in the error.
func TestRun(t *testing.T) {
	t.Setenv("NEWLEAF_SECRET", "of the agent")
	out := filepath.Join(t.TempDir(), "out")
	command := script(t, `printf '%s|' "$@" "$NEWLEAF_SECRET" "$EXTRA" > "$1"`)
	if err := host.Run(t.Context(), []string{command, out, "a b; exit 1"}, "EXTRA=yes"); err != nil {
		t.Fatal(err)
	}
	if have, err := os.ReadFile(out); err != nil || string(have) != out+"|a b; exit 1||yes|" {
		t.Errorf("the command saw %q (%v)", have, err)
	}
	for _, tt := range []struct {
		name   string
		argv   []string
		status int
		says   string
	}{
		{"F9-G2 it fails", []string{script(t, "echo first", "echo  last words >&2", "exit 3")}, 3, "first last words"},
		{"it says too much", []string{script(t, "yes no | head -c 100000", "echo; echo the end", "exit 1")}, 1, "the end"},
		{"it is not there", []string{"/nowhere/command"}, -1, "no such file"},
		{"it is killed", []string{script(t, "kill -9 $$")}, -1, "killed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := host.Run(t.Context(), tt.argv)
			if newleaf.CodeOf(err) != newleaf.CodeRestart || host.ExitStatus(err) != tt.status || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v with status %d, want %d with %q", err, host.ExitStatus(err), tt.status, tt.says)
			}
			if len(err.Error()) > 500 || newleaf.AsError(err).Hint == "" {
				t.Errorf("%d bytes are told, with the hint %q", len(err.Error()), newleaf.AsError(err).Hint)
			}
		})
	}
	t.Run("who asked has left", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := host.Run(ctx, []string{script(t, "exit 0")}); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
	if s := host.ExitStatus(nil); s != -1 {
		t.Errorf("the status of no error is %d", s)
	}
}

// TestRestart: the configured command, or the program itself anew (F9-G4).
func TestRestart(t *testing.T) {
	if err := host.Restart(t.Context(), nil); !errors.Is(err, host.ErrReexec) {
		t.Errorf("without a command: %v", err)
	}
	marker := filepath.Join(t.TempDir(), "restarted")
	if err := host.Restart(t.Context(), []string{"touch", marker}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(marker); err != nil {
		t.Error(err)
	}
	if err := host.Restart(t.Context(), []string{script(t, "echo not permitted; exit 1")}); newleaf.CodeOf(err) != newleaf.CodeRestart {
		t.Errorf("a command that fails: %v", err)
	}
}

// TestClock: what the kernel tells runs on and holds still.
func TestClock(t *testing.T) {
	first := host.SinceBoot()
	second := host.SinceBoot()
	if first <= 0 || second < first {
		t.Errorf("%s, then %s", first, second)
	}
	before, after := host.Synchronized(), host.Synchronized()
	if before != after {
		t.Error("the kernel changes its mind between two questions")
	}
}
