package newleaf

import "time"

// clockDoubt is the jump that makes a clock doubtful (TIM-31).
const clockDoubt = 24 * time.Hour

// ClockReading is what one look at the clock shows, with what is known to judge
// it by. The time of the last look is advice only: it finds jumps and never
// raises the floor.
type ClockReading struct {
	Now             time.Time
	Build           time.Time // of the program
	NewestNotBefore time.Time // of certificates enrolled here while the clock was trusted; imports never raise it

	// LastSeen is the clock at the last look that trusted it, and Elapsed the
	// monotonic time since. While a clock is in doubt they keep running from
	// there, so that the doubt lasts until something explains the jump. A zero
	// LastSeen is the first look.
	LastSeen time.Time
	Elapsed  time.Duration
	Away     bool // switched off or suspended since: time has passed that Elapsed did not count
	Stepped  bool // a time source, or an administrator, has set the clock since

	Synchronized bool  // either has set it since the machine's cold start
	Lab          *bool // the lab file's word; nil outside the lab or where it says nothing
}

// The stable words of [ClockState.Reason].
const (
	ClockOK             = "ok"
	ClockBeforeBuild    = "before-build"
	ClockBeforeNewest   = "before-newest"
	ClockJump           = "jump"
	ClockUnsynchronized = "never-synchronized"
	ClockLab            = "lab" // the lab file decides
)

// ClockState is the judgment of a reading.
type ClockState struct {
	Trusted bool      `json:"trusted"`
	Reason  string    `json:"reason"`
	Floor   time.Time `json:"floor"` // no earlier time can be right
}

// JudgeClock decides whether the time is believable (TIM-31, contract "Clock
// floor").
func JudgeClock(r ClockReading) ClockState {
	s := ClockState{Floor: r.Build.UTC(), Reason: ClockOK}
	if r.NewestNotBefore.After(r.Build) {
		s.Floor = r.NewestNotBefore.UTC()
	}
	switch {
	case r.Lab != nil:
		s.Reason, s.Trusted = ClockLab, *r.Lab
		return s
	case r.Now.Before(r.Build):
		s.Reason = ClockBeforeBuild
	case r.Now.Before(r.NewestNotBefore):
		s.Reason = ClockBeforeNewest
	case r.jumped():
		s.Reason = ClockJump
	case !r.Synchronized:
		s.Reason = ClockUnsynchronized
	}
	s.Trusted = s.Reason == ClockOK
	return s
}

// jumped reports a change of more than 24 h that nothing explains. Having been
// switched off or asleep explains a clock that is ahead, not one that is behind.
func (r ClockReading) jumped() bool {
	if r.LastSeen.IsZero() || r.Stepped {
		return false
	}
	ahead := r.Now.Sub(r.LastSeen.Add(r.Elapsed))
	return ahead < -clockDoubt || ahead > clockDoubt && !r.Away
}

// Permits decides whether an update that is due may start by itself. Doubt holds
// it back (INV-08) unless somebody vouches for the time - the authority, see
// [Confirms], or an administrator - and never within the safety margin, where an
// outage is worse than a needless update. What a person starts is not asked here.
func (s ClockState) Permits(h Held, now time.Time, vouched bool) bool {
	return s.Trusted || vouched || h.NotAfter.Sub(now) <= SafetyMargin(h.Lifetime())
}

// Confirms reports whether an instant that the authority stated just now (HTTP
// Date, notBefore of a new certificate) bears out the device's clock.
func Confirms(stated, now time.Time) bool { return stated.Sub(now).Abs() <= clockDoubt }

// Reanchor returns t, or now where t lies in the future because the clock was
// set back; the second value reports that, for the journal (TIM-32). Store the
// result only while the clock is trusted.
func Reanchor(t, now time.Time) (time.Time, bool) {
	if t.After(now) {
		return now, true
	}
	return t, false
}
