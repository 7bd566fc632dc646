package main

import (
	"context"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"newleaf"
	"newleaf/internal/agent"
	"newleaf/internal/host"
)

// labClock goes by a file that is read again within a second, so that checks
// from outside can set any time and stop the agent at any point of a walk.
type labClock struct {
	path string

	mu     sync.Mutex
	text   string
	file   labFile
	readAt time.Time // machine time at which file.Now held
}

// labFile is the file's content.
type labFile struct {
	Now     time.Time `toml:"now"` // the clock runs on from there; none: the machine's
	Trusted *bool     `toml:"trusted"`
	StopAt  string    `toml:"stop_at"` // step or point at which the agent kills itself
}

func newLabClock(path string) (*labClock, error) {
	l := &labClock{path: path}
	_, err := l.read()
	return l, err
}

// read takes the file anew and reports whether it changed.
func (l *labClock) read() (changed bool, err error) {
	data, err := os.ReadFile(l.path)
	if err != nil {
		return false, newleaf.Errorf(newleaf.CodeInvalid, "the lab file cannot be read: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.readAt.IsZero() && (string(data) == l.text || len(data) == 0) { // empty: somebody is writing it
		return false, nil
	}
	var f labFile
	if err := decodeTOML(l.path, data, &f); err != nil {
		return false, err
	}
	if err := knownPoint(f.StopAt); err != nil {
		return false, err
	}
	if !f.Now.Equal(l.file.Now) || l.readAt.IsZero() {
		l.readAt = time.Now()
	}
	l.text, l.file = string(data), f
	return true, nil
}

// knownPoint refuses a stop point that no walk passes.
func knownPoint(name string) error {
	if name == "" {
		return nil
	}
	var names []string
	for _, p := range agent.Points() {
		names = append(names, p.Name)
	}
	if slices.Contains(names, name) {
		return nil
	}
	return newleaf.Errorf(newleaf.CodeInvalid, "a walk has no stop point %q", name).WithHint("%s", newleaf.DidYouMean(name, names))
}

func (l *labClock) now() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file.Now.IsZero() {
		return time.Now()
	}
	return l.file.Now.Add(time.Since(l.readAt)).UTC()
}

func (l *labClock) reading() newleaf.ClockReading {
	l.mu.Lock()
	trusted := l.file.Trusted
	l.mu.Unlock()
	return newleaf.ClockReading{Now: l.now(), Build: buildTime(), Elapsed: host.SinceBoot(), Synchronized: true, Lab: trusted}
}

// stop kills the agent as a power cut would, if the file names this point.
func (l *labClock) stop(point string) {
	l.mu.Lock()
	here := l.file.StopAt == point
	l.mu.Unlock()
	if here {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // nothing more happens
	}
}

// watch reads the file again every half second. A half-written file counts when
// it can be read.
func (l *labClock) watch(ctx context.Context, wake func()) error {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if changed, err := l.read(); err == nil && changed {
				wake()
			}
		}
	}
}
