package newleaf

import (
	"strings"
	"time"
)

// urgentRestart is how long before the end of the old certificate a restart no
// longer waits for its window (AMB-20).
const urgentRestart = 24 * time.Hour

// RestartAt is when the device may restart by itself for a certificate whose
// predecessor ends at expires: now inside the window, else when it opens next,
// but not later than 24 h (or a tenth of the lifetime) before that end. The
// window is wall time in zone, "02:00-05:00", over midnight too; "" is any time.
func RestartAt(window, zone string, now, expires time.Time, lifetime time.Duration) time.Time {
	from, to, ok := parseWindow(window)
	if !ok {
		return now
	}
	loc := Reservation{Zone: zone}.location()
	wall := now.In(loc)
	clock := time.Duration(wall.Hour())*time.Hour + time.Duration(wall.Minute())*time.Minute
	if from <= to && from <= clock && clock < to || from > to && (clock >= from || clock < to) {
		return now
	}
	opens := instant(midnight(wall).Add(from), loc)
	if !opens.After(now) {
		opens = instant(midnight(wall.AddDate(0, 0, 1)).Add(from), loc)
	}
	if latest := expires.Add(-Scaled(urgentRestart, lifetime)); !expires.IsZero() && opens.After(latest) {
		opens = latest
	}
	if opens.Before(now) {
		return now
	}
	return opens
}

// midnight is the date of wall as instant takes it: as if it were UTC.
func midnight(wall time.Time) time.Time {
	return time.Date(wall.Year(), wall.Month(), wall.Day(), 0, 0, 0, 0, time.UTC)
}

// parseWindow reads "02:00-05:00" as times since midnight.
func parseWindow(s string) (from, to time.Duration, ok bool) {
	head, tail, ok := strings.Cut(s, "-")
	if !ok {
		return 0, 0, false
	}
	a, okA := parseWall(clockLayout, head)
	b, okB := parseWall(clockLayout, tail)
	return a.Sub(midnight(a)), b.Sub(midnight(b)), okA && okB && head != tail
}
