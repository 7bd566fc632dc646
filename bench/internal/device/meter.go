package device

import (
	"context"
	"fmt"
	"sync"
	"time"

	"newleaf"
	"newleaf/bench/internal/measure"
)

// Meter takes the times of walks without the making of their keys, which varies
// more than everything else together: what passes between "request.generated" and
// the last sign of life of the agent before it - a look at the clock, or a point
// of the walk - is taken out.
type Meter struct {
	mu      sync.Mutex
	begun   mark
	last    mark
	key     mark // what making the key took
	reached map[string]mark
	done    chan struct{}
	looks   int
	handed  func()
}

// mark is a wall clock with its time of day and the processor time spent.
type mark struct {
	at   time.Time
	wall time.Duration
	cpu  time.Duration
}

func now() mark { return mark{at: time.Now(), cpu: measure.CPU()} }

// Now is the agent's clock.
func (m *Meter) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last = now()
	m.looks++
	return m.last.at
}

// Handed has f called each time a target was given a new certificate.
func (m *Meter) Handed(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.handed = f
}

// Looks is how often the agent has asked for the time.
func (m *Meter) Looks() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.looks
}

// point is called by the agent at each point of a walk.
func (m *Meter) point(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := now()
	if name == "request.generated" {
		m.key.wall += n.at.Sub(m.last.at)
		m.key.cpu += n.cpu - m.last.cpu
	}
	m.last = n
	if m.done == nil {
		return
	}
	if name == "bind.handed" && m.handed != nil {
		m.handed()
	}
	m.reached[name] = mark{n.at, n.at.Sub(m.begun.at) - m.key.wall, n.cpu - m.begun.cpu - m.key.cpu}
	if name == "delete.done" {
		close(m.done)
		m.done = nil
	}
}

// Walk is what one walk took, its key not counted.
type Walk struct {
	Proven   time.Duration                  // from the call until the certificate was seen in use
	Through  time.Duration                  // until what it replaced was deleted and destroyed
	CPU      time.Duration                  // of this process, with what came after the walk
	Key      time.Duration                  // processor time that making the key took
	Exchange time.Duration                  // processor time from the first byte sent to the certificate in memory
	Steps    map[newleaf.Step]time.Duration // processor time of each step
	At       map[string]time.Time           // when each point was passed
}

// settle is left to the agent after a walk to look whether anything else is due.
const settle = 20 * time.Millisecond

// Walk starts a walk and waits for its end.
func (m *Meter) Walk(ctx context.Context, d *Device, start func() (newleaf.Renewal, error)) (w Walk, err error) {
	done := make(chan struct{})
	m.mu.Lock()
	m.begun, m.key, m.reached, m.done = now(), mark{}, map[string]mark{}, done
	m.mu.Unlock()
	r, err := start()
	if err != nil {
		return w, err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	select {
	case <-done:
	case <-ctx.Done():
		r, err = d.Renewal(context.WithoutCancel(ctx), r.ID)
		return w, fmt.Errorf("renewal %d stands at step %s (%s): %w", r.ID, r.Step, r.Phase, fmt.Errorf("%v, %v", r.Error, err))
	}
	time.Sleep(settle)
	m.mu.Lock()
	defer m.mu.Unlock()
	w = Walk{Proven: m.reached["prove.done"].wall, Through: m.reached["delete.done"].wall, Key: m.key.cpu,
		CPU:      measure.CPU() - m.begun.cpu - m.key.cpu,
		Exchange: m.reached["request.answered"].cpu - m.reached["request.sending"].cpu,
		At:       map[string]time.Time{}, Steps: map[newleaf.Step]time.Duration{}}
	for name, at := range m.reached {
		w.At[name] = at.at
	}
	for _, s := range newleaf.Steps() {
		w.Steps[s] = m.reached[string(s)+".done"].cpu - m.reached[string(s)].cpu
	}
	return w, nil
}
