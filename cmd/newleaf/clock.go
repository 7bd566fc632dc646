package main

import (
	"context"
	"time"

	"newleaf"
	"newleaf/internal/host"
)

// machineClock is the machine's own.
type machineClock struct{ trust bool }

func (machineClock) now() time.Time                            { return time.Now() }
func (machineClock) stop(string)                               {}
func (machineClock) watch(ctx context.Context, _ func()) error { <-ctx.Done(); return nil }

func (m machineClock) reading() newleaf.ClockReading {
	return newleaf.ClockReading{Now: time.Now(), Build: buildTime(), Elapsed: host.SinceBoot(), Synchronized: m.trust || host.Synchronized()}
}

// released is the floor of the clock for builds that know no time of their own.
var released = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// buildTime is the time of the source this program was built from.
func buildTime() time.Time {
	t, err := time.Parse(time.RFC3339, buildInfo().Time)
	if err != nil || t.Before(released) {
		return released
	}
	return t
}
