package agent

import (
	"context"
	"fmt"
	"sync"
	"time"

	"newleaf"
	"newleaf/internal/store"
)

// clock is what the agent knows of the time: the last judgment, and what it is
// judged by. Written seldom, as a device at rest should not wear its flash.
type clock struct {
	mu      sync.Mutex
	memory  clockMemory
	elapsed time.Duration // monotonic reading at memory.LastSeen
	first   bool          // nothing was read since the start: the machine may have been off
	now     newleaf.ClockState
}

// clockMemory survives restarts (contract, "Clock floor").
type clockMemory struct {
	LastSeen        time.Time `json:"lastSeen"`
	NewestNotBefore time.Time `json:"newestNotBefore"`
}

func (c *clock) load(tx *store.Tx) error {
	c.first = true
	_, err := tx.Document(store.DocClock, &c.memory)
	return err
}

func (c *clock) save(tx *store.Tx, now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now.Trusted {
		c.memory.LastSeen = now.UTC()
	}
	return tx.PutDocument(store.DocClock, c.memory)
}

func (c *clock) state() newleaf.ClockState {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// judge reads the clock and reports whether the judgment changed.
func (c *clock) judge(r newleaf.ClockReading) (now newleaf.ClockState, changed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	running := r.Elapsed
	r.LastSeen, r.NewestNotBefore = c.memory.LastSeen, c.memory.NewestNotBefore
	r.Elapsed, r.Away, r.Stepped = running-c.elapsed, c.first, r.Synchronized && r.Lab == nil
	if c.first {
		r.Elapsed = 0
	}
	was := c.now
	c.now = newleaf.JudgeClock(r)
	if c.now.Trusted {
		c.memory.LastSeen, c.elapsed, c.first = r.Now.UTC(), running, false
	}
	return c.now, c.now.Trusted != was.Trusted || c.now.Reason != was.Reason
}

// readClock judges the clock and writes a change of mind to the journal.
func (a *Agent) readClock(ctx context.Context) {
	state, changed := a.clock.judge(a.Clock())
	if !changed {
		return
	}
	text := "the clock is believable"
	if !state.Trusted {
		text = fmt.Sprintf("the clock is in doubt (%s): nothing is deleted for having expired, and updates wait unless they are urgent", state.Reason)
	}
	_ = a.Store.Write(ctx, func(tx *store.Tx) error { // the judgment stands without the event
		return a.note(tx, newleaf.Event{Kind: newleaf.EventClock, Text: text, Data: map[string]string{"reason": state.Reason}})
	})
}

// reanchor lets cycles count from now whose anchors lie in the future, as the
// clock was set back since (TIM-32).
func (a *Agent) reanchor(ctx context.Context, setBack bool) error {
	if !setBack {
		return nil
	}
	return a.Store.Write(ctx, func(tx *store.Tx) error {
		all, err := tx.Certificates()
		if err != nil {
			return err
		}
		for _, c := range all {
			later := false
			if c.Updated, later = newleaf.Reanchor(c.Updated, a.Now()); !later || c.Damaged {
				continue
			}
			if err := tx.UpdateCertificate(c); err != nil {
				return err
			}
			if err := a.note(tx, newleaf.Event{Kind: newleaf.EventClock, Certificate: c.ID,
				Text: fmt.Sprintf("the clock was set back behind the last update of %q, which counts as now", c.Name)}); err != nil {
				return err
			}
		}
		res, err := reservation(tx)
		later := false
		if res.Saved, later = newleaf.Reanchor(res.Saved, a.Now()); err != nil || !later {
			return err
		}
		return tx.PutDocument(store.DocReservation, res)
	})
}

// trustClockFrom raises the floor by a certificate that was enrolled here while
// the clock was believed.
func (a *Agent) trustClockFrom(tx *store.Tx, der []byte) error {
	p, err := newleaf.Parse(der)
	if err != nil || !a.clock.state().Trusted {
		return err
	}
	a.clock.mu.Lock()
	newer := p.NotBefore.After(a.clock.memory.NewestNotBefore)
	if newer {
		a.clock.memory.NewestNotBefore = p.NotBefore
	}
	a.clock.mu.Unlock()
	if !newer {
		return nil
	}
	return a.clock.save(tx, a.Now())
}
