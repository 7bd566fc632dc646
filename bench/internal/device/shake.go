package device

import (
	"crypto/tls"
	"sync"
	"time"
)

// Shaker makes TLS handshakes with an address all the time.
type Shaker struct {
	address string
	stop    chan struct{}
	wg      sync.WaitGroup
	mu      sync.Mutex
	more    *sync.Cond
	seen    []handshake
}

type handshake struct {
	ended  time.Time
	serial string
	err    error
}

// Shake starts clients that make one handshake after the other.
func Shake(address string, clients int) *Shaker {
	s := &Shaker{address: address, stop: make(chan struct{})}
	s.more = sync.NewCond(&s.mu)
	for range clients {
		s.wg.Go(s.run)
	}
	return s
}

func (s *Shaker) run() {
	pause := time.NewTicker(5 * time.Millisecond) // other programs want to live too
	defer pause.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-pause.C:
		}
		s.once()
	}
}

// Now makes one handshake more, at once and beside the others.
func (s *Shaker) Now() { s.wg.Go(s.once) }

func (s *Shaker) once() {
	h := s.handshake()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, h)
	s.more.Broadcast()
}

func (s *Shaker) handshake() (h handshake) {
	conn, err := tls.Dial("tcp", s.address, &tls.Config{InsecureSkipVerify: true}) // which one it is counts, not whether to trust it
	h.ended, h.err = time.Now(), err
	if err != nil {
		return h
	}
	defer conn.Close()
	h.serial = conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
	return h
}

// Await waits for n more handshakes.
func (s *Shaker) Await(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for want := len(s.seen) + n; len(s.seen) < want; {
		s.more.Wait()
	}
}

// Stop ends the clients.
func (s *Shaker) Stop() {
	close(s.stop)
	s.wg.Wait()
}

// Len is how many handshakes there were.
func (s *Shaker) Len() int { return len(s.seen) }

// After tells how long after t the first handshake ended that showed another
// certificate than the first of all, whether there was one, and how many failed.
func (s *Shaker) After(t time.Time) (first time.Duration, both bool, failed int) {
	old := ""
	for _, h := range s.seen {
		switch {
		case h.err != nil:
			failed++
		case old == "":
			old = h.serial
		case h.serial != old:
			if d := h.ended.Sub(t); !both || d < first {
				first, both = d, true
			}
		}
	}
	return first, both, failed
}
