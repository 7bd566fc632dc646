package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"newleaf/bench/internal/measure"
)

// server is a program that says "ready ADDRESS" once it serves.
type server struct {
	cmd     *exec.Cmd
	address string
	took    time.Duration // from exec until it was ready
}

// serve starts a program of the folder.
func (b *bench) serve(ctx context.Context, program string, args ...string) (*server, error) {
	s := &server{cmd: exec.CommandContext(ctx, filepath.Join(b.bin, program), args...)}
	var said strings.Builder
	s.cmd.Stderr = &said
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(syscall.SIGTERM) }
	s.cmd.WaitDelay = 5 * time.Second
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	start := time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	s.took = time.Since(start)
	address, ready := strings.CutPrefix(strings.TrimSpace(line), "ready ")
	if err != nil || !ready {
		s.stop()
		return nil, fmt.Errorf("%s did not start: %w: %s", program, errors.Join(err, errors.New(line)), said.String())
	}
	s.address = address
	return s, nil
}

func (s *server) pid() int { return s.cmd.Process.Pid }

func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may be gone
	_ = s.cmd.Wait()                          // likewise; what it was for has been measured
}

// watch tells how long a run took and how much of the machine others took.
type watch struct {
	at           time.Time
	busy, family time.Duration
}

func begin() watch { return watch{time.Now(), measure.Machine(), measure.Family()} }

func (w watch) seconds() float64 { return time.Since(w.at).Seconds() }

func (w watch) end() (took time.Duration, others float64) {
	took = time.Since(w.at)
	foreign := measure.Machine() - w.busy - (measure.Family() - w.family)
	return took, max(0, foreign.Seconds()/(took.Seconds()*float64(processors())))
}

// path is a name in the run's own folder.
func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

func size(path string) (float64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return float64(info.Size()) / 1e6, nil
}
