package measure

import (
	"math"
	"slices"
	"time"
)

// Summary is what is told of several runs of one thing.
type Summary struct {
	Median, Min, Max float64
	N                int
}

// Of summarizes xs; all NaN where there are none.
func Of(xs []float64) Summary {
	return Summary{Quantile(xs, .5), Quantile(xs, 0), Quantile(xs, 1), len(xs)}
}

// Per is s in units of unit.
func (s Summary) Per(unit float64) Summary {
	return Summary{s.Median / unit, s.Min / unit, s.Max / unit, s.N}
}

// Quantile is the q-quantile (0..1) of xs by the nearest rank, NaN of none.
func Quantile(xs []float64, q float64) float64 {
	if len(xs) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(xs))
	i := int(math.Ceil(q*float64(len(xs)))) - 1
	return sorted[min(max(i, 0), len(xs)-1)]
}

// Ratios divides xs by ys, run by run.
func Ratios(xs, ys []float64) []float64 {
	out := make([]float64, min(len(xs), len(ys)))
	for i := range out {
		out[i] = xs[i] / ys[i]
	}
	return out
}

// MS is d in milliseconds.
func MS(d time.Duration) float64 { return d.Seconds() * 1e3 }
