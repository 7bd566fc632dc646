package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"newleaf"
	"newleaf/internal/api"
	"newleaf/internal/web"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"newleaf": main})
}

// TestScripts runs the real program against a fake device that is served over a
// real socket by the real API. "device OUTCOME" says how its walks end.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{UpdateScripts: os.Getenv("NEWLEAF_UPDATE") != "", Dir: "testdata", Setup: serveFake, RequireExplicitExec: true, RequireUniqueNames: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"device": setOutcome, "status": checkStatus}})
}

type fakeKey struct{}

func serveFake(env *testscript.Env) error {
	f := newFake()
	dir, err := os.MkdirTemp("", "nl") // a socket's path must be short
	if err != nil {
		return err
	}
	path := filepath.Join(dir, "agent.sock")
	ln, err := web.ListenSocket(path)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- web.ServeSocket(ctx, ln, api.Handler(f)) }()
	env.Defer(func() {
		cancel()
		<-done
		os.RemoveAll(dir)
	})
	env.Values[fakeKey{}] = f
	env.Setenv("NEWLEAF_SOCKET", path)
	env.Setenv("SOCKET", path)
	env.Setenv("DIR", dir)
	env.Setenv("GORACE", "atexit_sleep_ms=0") // a program under the race detector sleeps a second at its end
	return nil
}

func setOutcome(ts *testscript.TestScript, _ bool, args []string) {
	f := ts.Value(fakeKey{}).(*fakeDevice)
	defer f.lock()()
	refused := newleaf.Errorf(newleaf.CodeRefused, "the authority refused the request: badRequest")
	switch args[0] {
	case "done":
		f.outcome = newleaf.Renewal{Phase: newleaf.PhaseDone}
	case "failed":
		f.outcome = newleaf.Renewal{Phase: newleaf.PhaseFailed, Step: newleaf.StepRequest, Error: refused}
	case "retry":
		f.outcome = newleaf.Renewal{Phase: newleaf.PhaseRetry, Step: newleaf.StepRequest, Error: refused, NextTry: fakeNow.Add(3 * time.Hour)}
	case "pending":
		f.outcome = newleaf.Renewal{Phase: newleaf.PhasePending, Step: newleaf.StepRequest, NextTry: fakeNow.Add(time.Hour)}
	case "restart":
		f.outcome = newleaf.Renewal{Phase: newleaf.PhaseSuspended, Step: newleaf.StepRestart}
	case "expired":
		f.certs[0].NotAfter = fakeNow.Add(-time.Second)
	case "full-journal":
		for range 2 * eventPage {
			e := f.events[len(f.events)-1]
			e.ID++
			f.events = append(f.events, e)
		}
	default:
		ts.Fatalf("there is no outcome %q", args[0])
	}
}

// checkStatus is "status N COMMAND...": the command ends with N.
func checkStatus(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}
