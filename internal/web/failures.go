package web

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// An address may bring ten wrong tokens at once and one more every six seconds.
// Only so many addresses are remembered, as an attacker has plenty of them.
const (
	failureBurst  = 10
	failureEvery  = 6 * time.Second
	failureMemory = 1024
)

// failures counts wrong tokens by address; an IPv6 address stands for its /64,
// which is what one host can choose from.
type failures struct {
	now func() time.Time
	mu  sync.Mutex
	by  map[netip.Prefix]*rate.Limiter
}

func newFailures(now func() time.Time) *failures {
	return &failures{now: now, by: map[netip.Prefix]*rate.Limiter{}}
}

// wait is how long the address has to wait before it may try again.
func (f *failures) wait(host string) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	l, ok := f.by[network(host)]
	if !ok {
		return 0
	}
	missing := 1 - l.TokensAt(f.now())
	return max(0, time.Duration(missing*float64(failureEvery)))
}

func (f *failures) add(host string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	l, ok := f.by[network(host)]
	if !ok {
		f.forget(now)
		l = rate.NewLimiter(rate.Every(failureEvery), failureBurst)
		f.by[network(host)] = l
	}
	l.AllowN(now, 1)
}

// forget makes room when there is none: first those that have recovered go,
// then any, a quarter at once so that not every stranger costs a search.
func (f *failures) forget(now time.Time) {
	if len(f.by) < failureMemory {
		return
	}
	for k, l := range f.by {
		if l.TokensAt(now) >= failureBurst {
			delete(f.by, k)
		}
	}
	for k := range f.by {
		if len(f.by) <= failureMemory*3/4 {
			return
		}
		delete(f.by, k)
	}
}

func network(host string) netip.Prefix {
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Prefix{}
	}
	addr = addr.Unmap().WithZone("")
	bits := 32
	if addr.Is6() {
		bits = 64
	}
	p, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}
