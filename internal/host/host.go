// Package host is what we ask of the machine: run a configured command, restart,
// tell the supervisor how we are, and whether the clock is synchronized.
package host

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"newleaf"
)

// Run runs argv without a shell, with a bounded time and the given additions to
// a minimal environment. What it printed stands in the error.
func Run(ctx context.Context, argv []string, env ...string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, env...)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		return newleaf.Errorf(newleaf.CodeRestart, "the command %s failed: %w: %s", argv[0], err, tail(out)).
			WithHint("Run it by hand to see why; its words stand in the journal.")
	}
	return nil
}

// ExitStatus is the status a command that Run reports as failed ended with, -1
// where it did not run or was killed.
func ExitStatus(err error) int {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return -1
}

func tail(out []byte) string {
	s := strings.Join(strings.Fields(string(out)), " ")
	return s[max(0, len(s)-200):]
}

// ErrReexec asks the program to start itself anew in place.
var ErrReexec = errors.New("restart in place")

// Restart runs the configured restart command. Without one it returns
// ErrReexec: the agent then starts itself anew, which is a restart for every
// purpose that reads its certificate at the start.
func Restart(ctx context.Context, command []string) error {
	if len(command) == 0 {
		return ErrReexec
	}
	return Run(ctx, command)
}

// Ready tells the supervisor, if there is one, that the agent serves.
func Ready() { _, _ = daemon.SdNotify(false, daemon.SdNotifyReady) }

// Stopping tells the supervisor that the agent goes down.
func Stopping() { _, _ = daemon.SdNotify(false, daemon.SdNotifyStopping) }
