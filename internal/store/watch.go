package store

import "sync"

// watchers are the channels of those who follow the journal.
type watchers struct {
	mu  sync.Mutex
	all map[chan struct{}]bool
}

// Watch returns a channel that has a tick after every committed Write that
// appended events, and a function that ends it. Ticks a watcher does not take
// become one, so a watcher that has read all events it finds and then waits
// misses none. The channel is never closed.
func (s *Store) Watch() (<-chan struct{}, func()) {
	w, c := &s.watchers, make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all == nil {
		w.all = map[chan struct{}]bool{}
	}
	w.all[c] = true
	return c, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.all, c)
	}
}

func (w *watchers) tick() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.all {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
