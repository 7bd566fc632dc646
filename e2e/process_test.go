package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait. It is there to end a test that hangs, not to
// measure anything.
const patience = 60 * time.Second

// eventually polls until holds, and fails the test when patience is over.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// folder is a temporary one with a short path, as sockets need.
func folder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "nl")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// outcome is what a command did.
type outcome struct {
	code           int
	stdout, stderr string
}

// run runs newleaf to its end.
func run(t testing.TB, args ...string) outcome { t.Helper(); return runProgram(t, "newleaf", args...) }

// runProgram runs any program to its end.
func runProgram(t testing.TB, name string, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatalf("running %s: %v", name, err)
	}
	if ctx.Err() != nil {
		t.Fatalf("%s %s did not end\n%s", name, strings.Join(args, " "), stderr.String())
	}
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// must is the standard output of a program that has to succeed.
func must(t testing.TB, name string, args ...string) string {
	t.Helper()
	o := runProgram(t, name, args...)
	if o.code != 0 {
		t.Fatalf("%s %s: exit status %d\n%s%s", name, strings.Join(args, " "), o.code, o.stdout, o.stderr)
	}
	return o.stdout
}

// decode reads JSON.
func decode[T any](t testing.TB, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("reading JSON: %v\n%s", err, text)
	}
	return v
}

// process is a program that runs beside the test.
type process struct {
	cmd   *exec.Cmd
	ready chan string   // gets what follows "ready " on stdout, or is closed at the end of stdout
	ended chan struct{} // closed when the process has ended
	log   *record       // its stderr
}

// launch starts a program and does not wait for it.
func launch(t testing.TB, name string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(name, args...), ready: make(chan string, 1), ended: make(chan struct{}), log: &record{}}
	p.cmd.Stderr = p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // nothing outlives a test that panics
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go p.follow(stdout)
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
	})
	return p
}

// follow looks for the ready line and waits for the end.
func (p *process) follow(stdout io.Reader) {
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if url, found := strings.CutPrefix(lines.Text(), "ready "); found {
			p.ready <- url
		}
	}
	close(p.ready)
	_ = p.cmd.Wait() // the state tells
	close(p.ended)
}

// serving waits for the ready line of a process and returns its URL.
func (p *process) serving(t testing.TB) string {
	t.Helper()
	url := p.url(t)
	if url == "" {
		<-p.ended
		t.Fatalf("%v ended before it was ready: %v\n%s", p.cmd.Args, p.cmd.ProcessState, p.log)
	}
	return url
}

// url is the same, but "" for a process that ends before.
func (p *process) url(t testing.TB) string {
	t.Helper()
	select {
	case url := <-p.ready:
		return url
	case <-time.After(patience):
		t.Fatalf("%v is not ready\n%s", p.cmd.Args, p.log)
		return ""
	}
}

// running reports that the process has not ended.
func (p *process) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// stop ends the process as a supervisor does; it has to obey and be content.
func (p *process) stop(t testing.TB) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.ended:
	case <-time.After(patience):
		t.Fatalf("%v does not stop", p.cmd.Args)
	}
	if !p.cmd.ProcessState.Success() {
		t.Fatalf("%v ended with %v\n%s", p.cmd.Args, p.cmd.ProcessState, p.log)
	}
}

// killed reports that the process ended by SIGKILL.
func (p *process) killed() bool {
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// record keeps what is written to it.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(b)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}
