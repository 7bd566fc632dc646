package main

import (
	"fmt"
	"math"
	"strings"

	"newleaf/bench/internal/measure"
)

// figure is one line of the page.
type figure struct {
	group   string
	what    string
	unit    string
	got     measure.Summary
	limit   float64 // 0: nothing is wanted of it
	atLeast bool    // the limit is from below
}

// most adds a figure whose median may be limit at most.
func (b *bench) most(group, what, unit string, got measure.Summary, limit float64) {
	b.figures = append(b.figures, figure{group: group, what: what, unit: unit, got: got, limit: limit})
}

// least adds a figure whose median has to be limit at least.
func (b *bench) least(group, what, unit string, got measure.Summary, limit float64) {
	b.figures = append(b.figures, figure{group: group, what: what, unit: unit, got: got, limit: limit, atLeast: true})
}

// told adds a figure of which nothing is wanted.
func (b *bench) told(group, what, unit string, got measure.Summary) {
	b.most(group, what, unit, got, 0)
}

func (f figure) holds() bool {
	if f.atLeast {
		return f.got.Median >= f.limit
	}
	return f.got.Median <= f.limit
}

// row is f as a row of its table.
func (f figure) row() string {
	wanted, verdict := "", ""
	if f.limit != 0 || strings.HasPrefix(f.unit, "failures") {
		wanted, verdict = "≤ "+number(f.limit), "missed"
		if f.atLeast {
			wanted = "≥ " + number(f.limit)
		}
		if f.holds() {
			verdict = "holds"
		}
	}
	got := "**" + number(f.got.Median) + "**"
	if f.got.N > 1 {
		got += fmt.Sprintf(" (%s - %s)", number(f.got.Min), number(f.got.Max))
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s |\n", f.what, f.unit, wanted, got, verdict)
}

// number has three digits that count.
func number(x float64) string {
	switch size := math.Abs(x); {
	case math.IsNaN(x):
		return "-"
	case size == math.Trunc(size) && size < 1e6 || size >= 100:
		return fmt.Sprintf("%.0f", x)
	case size >= 10:
		return fmt.Sprintf("%.1f", x)
	case size >= 1:
		return fmt.Sprintf("%.2f", x)
	}
	return fmt.Sprintf("%.3f", x)
}

// one is a summary of a single value.
func one(x float64) measure.Summary { return measure.Of([]float64{x}) }
