package load

import (
	"context"
	"crypto/rsa"
	"runtime"
	"time"

	"newleaf/bench/internal/measure"
)

// Round is what one batch showed.
type Round struct {
	Rate     float64       // enrollments per second
	P50, P99 float64       // of the latency, milliseconds
	CPU      time.Duration // of the server, for one enrollment
}

// Round makes n enrollments, workers at a time, at the server that is process pid.
func (s *Server) Round(ctx context.Context, n, workers, pid int, keys []*rsa.PrivateKey) (r Round, err error) {
	b, err := s.Prepare(ctx, n, keys)
	if err != nil {
		return r, err
	}
	runtime.GC() // that ours does not fall into the round
	before, err := measure.Read(pid)
	if err != nil {
		return r, err
	}
	took := b.Post(ctx, workers)
	after, err := measure.Read(pid)
	if err != nil {
		return r, err
	}
	latencies, err := b.Check()
	r = Round{Rate: float64(n) / took.Seconds(), P50: measure.Quantile(latencies, .5), P99: measure.Quantile(latencies, .99),
		CPU: (after.CPU - before.CPU) / time.Duration(n)}
	return r, err
}
