package newleaf

import (
	"fmt"
	"time"
)

// Delays after failures in a row; the last one repeats (TIM-35).
var delays = [...]time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 6 * time.Hour}

const (
	urgentSpan  = 48 * time.Hour    // before the end, retries are at least hourly (TIM-36)
	urgentDelay = 50 * time.Minute  // an hour once jittered
	slowDelay   = 225 * time.Minute // three hours once jittered: at most eight a day (TIM-37)
)

// NextTry is when to try again after so many failures in a row, the last of
// which asks for the given kind of retry. It is zero for [RetryNever]: a person
// has to act first. Delays grow, spread by a fifth to either side as the seed
// (device and certificate) says, and are scaled to the lifetime. From 48 h before
// expires on they stay below an hour, except after a refusal.
func NextTry(failures int, retry Retry, expires, now time.Time, lifetime time.Duration, seed string) time.Time {
	wait := func(d time.Duration) time.Time {
		d = Scaled(d, lifetime)
		d = d - d/5 + pick(fmt.Sprint(seed, failures, now.UnixNano()), d/5*2)
		return now.Add(max(d, time.Second))
	}
	switch retry {
	case RetryNever:
		return time.Time{}
	case RetrySlowly:
		return wait(slowDelay)
	}
	delay := delays[min(max(failures, 1), len(delays))-1]
	next := wait(delay)
	urgent := expires.Add(-Scaled(urgentSpan, lifetime))
	if soon := wait(min(delay, urgentDelay)); next.After(urgent) && next.After(soon) {
		next = soon
		if soon.Before(urgent) {
			next = urgent
		}
	}
	return next
}

// Alarm says how urgently a certificate in use needs a person (TIM-36).
type Alarm string

const (
	AlarmNone     Alarm = "none"
	AlarmNotice   Alarm = "notice"   // an update failed, or the reservation brings none in time
	AlarmWarning  Alarm = "warning"  // and the end is near
	AlarmCritical Alarm = "critical" // 48 h or less
	AlarmExpired  Alarm = "expired"
)

// AlarmFor is the level for h, whose next update is due as d says and has failed
// so many times in a row. A failure is a notice at once and a warning when half of
// the safety margin is gone. Where the update comes by the safety net only, or not
// at all, there is a notice from 30 days (or a third of the lifetime) before the
// end and a warning from the safety margin on.
func AlarmFor(h Held, d Due, failures int, now time.Time) Alarm {
	life, left := h.Lifetime(), h.NotAfter.Sub(now)
	late := d.Cause != CauseReservation || d.At.After(h.NotAfter)
	margin := SafetyMargin(life)
	switch {
	case !h.InUse:
		return AlarmNone
	case now.After(h.NotAfter):
		return AlarmExpired
	case h.unending() && failures == 0:
		return AlarmNone
	case left <= Scaled(urgentSpan, life):
		return AlarmCritical
	case left <= margin/2, late && left <= margin:
		return AlarmWarning
	case failures > 0, late && left <= min(30*day, life/3):
		return AlarmNotice
	}
	return AlarmNone
}
