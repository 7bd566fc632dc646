package store_test

import (
	"errors"
	"sync"
	"testing"

	"newleaf"
	"newleaf/internal/store"
)

func ticked(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestWatch(t *testing.T) {
	s := open(t, t.TempDir())
	one, stopOne := s.Watch()
	two, stopTwo := s.Watch()
	defer stopTwo()
	event := func(tx *store.Tx) error {
		_, err := tx.Append(newleaf.Event{Kind: newleaf.EventStarted, At: then})
		return err
	}

	write(t, s, event)
	if !ticked(one) || !ticked(two) {
		t.Error("no tick after an event")
	}
	write(t, s, event)
	write(t, s, event)
	if !ticked(one) || ticked(one) {
		t.Error("two events a watcher did not take are not one tick")
	}
	ticked(two)
	write(t, s, func(tx *store.Tx) error { return tx.PutDocument("x", 1) })
	if ticked(one) {
		t.Error("a tick without an event")
	}
	failed := errors.New("failed")
	err := s.Write(t.Context(), func(tx *store.Tx) error { return errors.Join(event(tx), failed) })
	if !errors.Is(err, failed) || ticked(one) {
		t.Errorf("a tick for what was not stored (%v)", err)
	}
	stopOne()
	stopOne()
	write(t, s, event)
	if ticked(one) || !ticked(two) {
		t.Error("a watcher that ended heard it, or the other did not")
	}
}

// Watchers that come, read and go beside many writers miss no event.
func TestWatchersMissNothing(t *testing.T) {
	s := open(t, t.TempDir())
	const writers, events, watchers = 4, 8, 6
	var group sync.WaitGroup
	for range watchers {
		group.Go(func() {
			tick, stop := s.Watch()
			defer stop()
			for last := int64(0); last < writers*events; {
				more := get(t, s, func(tx *store.Tx) ([]newleaf.Event, error) { return tx.Events(last, 3) })
				for _, e := range more {
					if e.ID != last+1 {
						t.Errorf("event %d follows %d", e.ID, last)
					}
					last = e.ID
				}
				if len(more) == 0 {
					<-tick
				}
			}
		})
	}
	for range writers {
		group.Go(func() {
			for range events {
				write(t, s, func(tx *store.Tx) error {
					_, err := tx.Append(newleaf.Event{Kind: newleaf.EventStep, At: then})
					return err
				})
			}
		})
	}
	group.Wait()
}
